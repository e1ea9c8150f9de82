"""Keeping what a request did, and saying so where nobody can know whether it was kept."""

import psycopg
from sqlalchemy.exc import DBAPIError, OperationalError

from api.db.stores import store
from api.db.trips import Unsent

ENDED = ("57P01", "57P02", "57P03")
"""SQLSTATE of a server that ends a line for reasons of its own, and does not say how what was under
way came out. Any other is an answer: it was not kept."""


class CommitLost(OperationalError):
    """The line was lost while all was to be kept: it may have been, or not (PostgreSQL)."""


def keep() -> None:
    """Keep what the request did and give the connection back; raises `CommitLost`.

    To SQLite there is no line that could be lost: what it can't keep it undoes.
    """
    try:
        store().commit()
    except DBAPIError as problem:
        if isinstance(problem, Unsent) or not _is_lost(problem.orig):
            raise
        raise CommitLost(problem.statement, None, problem.orig or problem) from problem


def _is_lost(origin: BaseException | None) -> bool:
    return isinstance(origin, psycopg.Error) and origin.sqlstate in (None, *ENDED)


def is_unknown(problem: BaseException) -> bool:
    """Whether it is a `CommitLost`, or came up while one was being dealt with."""
    before = {problem.__cause__, problem.__context__} - {None}
    return isinstance(problem, CommitLost) or any(is_unknown(one) for one in before if one)
