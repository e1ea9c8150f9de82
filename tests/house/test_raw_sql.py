"""SQL is never put together from what somebody sent: every text of it stands in the code as it is.

Whatever takes SQL as text is looked at in every file: what is given to it must be written out
there. What is put together all the same stands below, each with where its parts come from.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
TAKES_TEXT = {"text", "literal_column", "DDL", "TextClause"}
"""Names of SQLAlchemy's, imported as they are."""
RUNS_TEXT = {"exec_driver_sql", "execute", "executemany", "executescript", "prefix_with"}
"""What runs text, or takes it up; most of what is given to them are statements of Core."""
TELLS = "tell"
"""Of the database: what runs text on a connection, as it begins a transaction."""
BUILT_OF = {
    "api/access/users.py: text(LONGEST_RETENTION)": "a constant of that file",
    "api/core/ehr/at_once.py: literal_column(f\"'{OWN_EHR}'\")": "a constant of ours",
    "api/core/ehr/at_once.py: literal_column(f\"'{Role.SYSTEM.value}'\")": "a role of ours",
    "api/core/ehr/at_once.py: literal_column(str(shape.size))": "a number that was read as one",
    "api/core/ehr/identifiers.py: literal_column(f\"'{kind}'\")": "a kind of record, named in code",
    "api/core/one_trip/composing.py: literal_column(f\"'{text}'\")": "a word of ours: asserted",
    "api/core/one_trip/composing.py: literal_column(str(page.limit))": "a number, at most a page",
    "api/core/release/snapshot.py: text(f'SET LOCAL {name} = 0')": "two settings, named above it",
    "api/db/engines.py: connection.execute(f'PRAGMA {pragma}')": "constants of that file",
    "api/db/engines.py: tell(connection, about.beginning())": "ids as UUIDs, or an asserted digest",
    "api/db/pages.py: literal_column(str(shape.limit + 1))": "a number, at most a page",
    "api/db/stores.py: tell(self._connection, '; '.join(self._told.told()))": "the same",
    "api/schema.py: text(statement)": "grants, of names of tables and roles",
}
"""What is not written out where it is given, and what it is made of: nothing that anybody sent."""


def is_written_out(given: ast.expr) -> bool:
    """Whether a text stands there as it is."""
    return isinstance(given, ast.Constant)


def is_text(given: ast.expr) -> bool:
    """Whether an expression makes a text: it is put together, or formatted."""
    if isinstance(given, ast.JoinedStr):
        return True
    if isinstance(given, ast.BinOp):
        return isinstance(given.op, ast.Add | ast.Mod)
    called = isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute)
    return called and given.func.attr in ("format", "join", "beginning")  # type: ignore[attr-defined]


def is_told(call: ast.Call) -> bool:
    """Whether text is run by the function that tells the database whose rows are meant."""
    return getattr(call.func, "id", "") == TELLS and len(call.args) == 2


def found_in(source: str) -> Iterator[str]:
    """Every call that is given SQL which is not written out there."""
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy")
        for alias in node.names
        if alias.name in TAKES_TEXT
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        taken = getattr(node.func, "id", "") in imported or (
            name in TAKES_TEXT and ast.unparse(node.func).startswith(("sqlalchemy.", "sa."))
        )
        if taken and not is_written_out(node.args[0]):
            yield f"{name}({ast.unparse(node.args[0])})"
        elif (name in RUNS_TEXT or is_told(node)) and any(map(is_text, node.args[:2])):
            yield ast.unparse(node)


def everywhere() -> set[str]:
    """Every such call of the house: `api/schema.py: text(statement)`."""
    return {
        f"{path.relative_to(HOUSE)}: {call}"
        for path in sorted((HOUSE / "api").rglob("*.py"))
        for call in found_in(path.read_text())
    }


def test_no_sql_is_put_together_but_what_the_list_says() -> None:
    found = everywhere()
    assert sorted(found - set(BUILT_OF)) == [], "bind the value, or say what it is of"
    assert sorted(set(BUILT_OF) - found) == [], "not there any more"


FROM = "from sqlalchemy import literal_column, text\n"


@pytest.mark.parametrize(
    "line",
    [
        "text(f'SELECT 1 WHERE a = {name}')",
        "text('SELECT ' + name)",
        "text('SELECT %s' % name)",
        "text('SELECT {}'.format(name))",
        "text(name)",
        "literal_column(name)",
        "literal_column(str(number))",
        "store.execute(f'SELECT {name}')",
        "connection.exec_driver_sql('SELECT ' + name)",
        "connection.exec_driver_sql('SELECT %s' % name)",
        "cursor.executemany('SELECT {}'.format(name), [])",
        "select(one).prefix_with(f'/* {name} */')",
        "tell(connection, f'SET LOCAL app.clinic_id = {name}')",
    ],
)
def test_what_is_put_together_would_be_found(line: str) -> None:
    assert len(list(found_in(FROM + line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "text('SELECT 1 WHERE a = :name')",
        "literal_column('true')",
        "store.execute(select(one).where(one.c.id == name))",
        "connection.execute(text('SELECT 1'), {'name': name})",
        "connection.exec_driver_sql('BEGIN')",
        "field.text(name)",
    ],
)
def test_what_is_written_out_or_bound_is_not(line: str) -> None:
    assert list(found_in(FROM + line)) == []
