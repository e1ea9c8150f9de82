"""How it went: instruments, check-ins and their series."""
