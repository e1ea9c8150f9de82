"""What the clinic does, one file a concept: table, rules, queries; it knows no HTTP."""
