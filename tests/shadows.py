"""A guard over every statement of the tests: no subquery takes a table anew that stands outside it.

By itself SQLAlchemy ties a subquery to the statement right around it and to none further out. A
condition two levels down that names a table of the outermost level then asks of any row of it
instead of the one that is meant: it is true for everybody once it is true for somebody. Whoever
means that says so with `correlate`; a subquery over one table alone can mean nothing else.
"""

from typing import Any

from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import TableClause


class Shadowed(AssertionError):
    """A subquery asks of any row of a table where the row around it is meant."""


def forbid() -> None:
    """From now on such a statement raises `Shadowed` when it is compiled."""
    compose: Any = SQLCompiler._setup_select_stack

    def watched(self: Any, select: Any, state: Any, entry: Any, asfrom: bool, *more: Any) -> Any:
        froms = compose(self, select, state, entry, asfrom, *more)
        if len(froms) > 1 and not asfrom and select._auto_correlate:
            around = entry["correlate_froms"]
            anew = {one.name for one in froms if isinstance(one, TableClause) and one in around}
            if anew:
                raise Shadowed(f"{', '.join(sorted(anew))} taken anew in: {select}")
        return froms

    SQLCompiler._setup_select_stack = watched  # type: ignore[method-assign]
