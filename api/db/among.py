"""`column IN (select)`, where the select finds few rows and is to be read first."""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _Among(FunctionElement[bool]):
    inherit_cache = True
    type = Boolean()


def among(column: ColumnElement[Any], found: Select[Any]) -> ColumnElement[bool]:
    """Whether the column is among the few values that a select finds.

    PostgreSQL, told only to give some rows in order, may read a whole table in that order and ask
    of each whether it was found; as an array what was found comes first.
    """
    return _Among(column, found.scalar_subquery())


@compiles(_Among)
def _in_general(element: Any, compiler: Any, **more: Any) -> str:
    column, found = (compiler.process(clause, **more) for clause in element.clauses)
    return f"{column} IN {found}"


@compiles(_Among, "postgresql")
def _on_postgresql(element: Any, compiler: Any, **more: Any) -> str:
    column, found = (compiler.process(clause, **more) for clause in element.clauses)
    return f"{column} = ANY (ARRAY{found})"
