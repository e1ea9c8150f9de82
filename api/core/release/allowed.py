"""The allow-list: every column of the database is classed; only some are read for research.

`columns.txt` says of each column `read` (what rows are made from, by the rules of this folder),
`asked` (what they are chosen by) or `withheld`. A column that nobody classed can't be read.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table

from api.db import walls

READ, ASKED, WITHHELD = CLASSES = ("read", "asked", "withheld")
_LIST: Final = Path(__file__).with_name("columns.txt")


@cache
def classes() -> Mapping[str, str]:
    """The class of each `table.column`."""
    lines = (line.split() for line in _LIST.read_text(encoding="utf-8").splitlines())
    return {
        f"{table}.{column}": word
        for table, word, *columns in (line for line in lines if line and line[0][0] != "#")
        for column in columns
    }


def columns(table: Table, *names: str) -> list[Any]:
    """Columns of a table, each of which may be read for research; else `PermissionError`."""
    barred = [name for name in names if classes().get(f"{table.name}.{name}") != READ]
    if barred:
        raise PermissionError(f"not to be read for research: {table.name}.{', '.join(barred)}")
    return [table.c[name] for name in names]


def grants(role: str, application: str | None = None) -> list[str]:
    """The statements that let a PostgreSQL role read for research what may be read, and no more.

    It keeps the codes of subjects, and they are taken from the role of the application.
    """
    by_table: dict[str, list[str]] = {"alembic_version": ["version_num"]}
    for name, word in classes().items():
        table, _, column = name.partition(".")
        if word != WITHHELD and table not in walls.APART:
            by_table.setdefault(table, []).append(column)
    return [
        f'GRANT USAGE ON SCHEMA public TO "{role}"',
        f'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "{role}"',
        *(
            f'GRANT SELECT ({", ".join(columns)}) ON {table} TO "{role}"'
            for table, columns in by_table.items()
        ),
        *walls.kept_by(f'"{role}"'),
        *([] if application is None else walls.kept_from(f'"{application}"')),
    ]
