"""Door 3: de-identified outcomes for analysts."""
