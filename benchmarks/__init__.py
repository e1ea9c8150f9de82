"""Load and ratio benchmarks: our server against a floor that does nothing but answer."""
