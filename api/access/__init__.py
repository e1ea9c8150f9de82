"""Who may: the policy table, people and programs that sign in, their tokens and keys."""
