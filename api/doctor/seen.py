"""What a look answers: how something stands, and in words."""

from collections.abc import Iterator

OK, WARN, RED = "ok", "warn", "red"
Seen = Iterator[tuple[str, str]]
"""Levels and words, a line each."""
