"""What a look answers: how something stands, and in words."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

OK, WARN, RED = "ok", "warn", "red"
LAG: Final = timedelta(minutes=5)
"""How long something may be due before nobody can be doing it."""
Seen = Iterator[tuple[str, str]]
"""Levels and words, a line each."""
