"""What falls due: work that nobody asks for and that the worker does when its time has come."""

from collections.abc import Callable

DUE: list[Callable[[], bool]] = []
"""Each does one piece of work in the transaction that is open, and tells whether there was any.

The worker calls each again and again, a transaction for every piece, until nothing is due. Two
workers may call at once: take the row with `FOR UPDATE SKIP LOCKED`.
"""
LONG: list[Callable[[], bool]] = []
"""Each does one piece of work that may take minutes, in transactions of its own, beside all else;
tells whether there was any."""
