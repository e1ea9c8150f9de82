"""What is promised of upgrades: a migration only adds, and the old serves on the new schema.

The old version is that of before the newest migration, taken from the history of this repository;
where there is none (a shallow clone, an archive), only the schema is judged.
"""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import inspect, text

from api import db, schema
from tests import faults, fuzz, roles
from tests.conftest import database_on, empty_database

ROOT = Path(__file__).parent.parent
VERSIONS = "migrations/versions"
Columns = dict[str, dict[str, Any]]


def reflected() -> dict[str, Columns]:
    """Every table with its columns, as the database has them."""
    look = inspect(db.engine())
    return {
        name: {column["name"]: dict(column) for column in look.get_columns(name)}
        for name in look.get_table_names()
        if name != "alembic_version"
    }


def unique_sets() -> dict[str, set[tuple[str, ...]]]:
    """Which columns must be unique together, by table."""
    look, found = inspect(db.engine()), {}
    for name in look.get_table_names():
        held = {tuple(one["column_names"]) for one in look.get_unique_constraints(name)}
        indexed = [one for one in look.get_indexes(name) if one["unique"]]
        found[name] = held | {tuple(map(str, one["column_names"])) for one in indexed}
    return found


def narrowed(before: dict[str, Columns], after: dict[str, Columns]) -> Iterator[str]:
    """What a version that knows `before` alone could no longer write or read in `after`."""
    yield from (f"{table} is gone" for table in before.keys() - after.keys())
    for table in before.keys() & after.keys():
        columns, now = before[table], after[table]
        yield from (f"{table}.{name} is gone" for name in columns.keys() - now.keys())
        for name in columns.keys() & now.keys():
            if columns[name]["nullable"] and not now[name]["nullable"]:
                yield f"{table}.{name} must be given"
            if str(now[name]["type"]) != str(columns[name]["type"]):
                yield f"{table}.{name} is another type"
        for name in now.keys() - columns.keys():
            if not now[name]["nullable"] and now[name]["default"] is None:
                yield f"{table}.{name} is new and must be given"


BEFORE_THE_RULE = {"0002": {"check_ins.total is another type"}}
"""What migrations did before they were held to it."""
TAKEN_FROM = {"0022": {"research_subjects is gone"}}
"""What the version of before may no longer find, and why: on PostgreSQL the codes of subjects go
where the role that answers requests can't read them. That version makes no releases meanwhile."""


def test_a_migration_only_adds(database: str, tmp_path: Path) -> None:
    with empty_database(tmp_path):
        first, *others = schema.numbers()
        schema.move(first)
        before, unique = reflected(), unique_sets()
        for number in others:
            schema.move(number)
            after, now = reflected(), unique_sets()
            taken = list(narrowed(before, after))
            taken += [
                f"{table}: {', '.join(columns)} must be unique"
                for table in unique
                for columns in now.get(table, set()) - unique[table]
                if set(columns) <= before.get(table, {}).keys()
            ]
            assert set(taken) <= (BEFORE_THE_RULE | TAKEN_FROM).get(number, set()), number
            before, unique = after, now


def test_what_takes_away_is_found() -> None:
    text_column = {"nullable": True, "type": "TEXT", "default": None}
    must = text_column | {"nullable": False}
    before = {"t": {"a": text_column, "b": text_column, "c": text_column}, "u": {}}
    after = {"t": {"a": must, "b": text_column | {"type": "INTEGER"}, "d": must}}
    assert sorted(narrowed(before, after)) == [
        "t.a must be given",
        "t.b is another type",
        "t.c is gone",
        "t.d is new and must be given",
        "u is gone",
    ]


def test_what_brings_the_schema_up_leaves_that_of_a_later_version(
    database: str, tmp_path: Path
) -> None:
    with empty_database(tmp_path):
        schema.upgrade()
        with db.transaction() as store:
            store.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        schema.upgrade()
        assert db.schema_version() == "9999" and schema.is_ready()


def git(*words: str) -> bytes:
    """What git says of this repository; skips where there is no history to ask."""
    told = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=False)
    if told.returncode != 0:
        pytest.skip(f"no history here: {told.stderr.decode().strip()[:200]}")
    return told.stdout


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version of before the newest migration, unpacked."""
    newest = next((ROOT / VERSIONS).glob(f"{schema.head()}_*.py")).name
    added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", f"{VERSIONS}/{newest}")
    if not added.strip():
        added = git("rev-parse", "HEAD")  # the newest is not committed yet
        commit = added.decode().strip()
    else:
        commit = f"{added.decode().strip()}^"
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=BytesIO(git("archive", commit))) as archive:
        archive.extractall(folder, filter="data")
    assert not (folder / VERSIONS / newest).exists()
    return folder


def journey(server: faults.Server) -> dict[str, str]:
    """A goal, its practice, a step, a moment, a note and a check-in; every id by its path."""
    base = f"http://127.0.0.1:{server.port}"
    tokens = {who: fuzz.token(base, f"{who}@demo.example") for who in ("clinician", "patient")}

    def ask(who: str, path: str, body: Any = None, **headers: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {tokens[who]}", "Content-Type": "application/json"}
        with urlopen(Request(f"{base}/api/v1{path}", data, sent | headers)) as answer:
            return json.load(answer)

    patient_id = ask("patient", "/me")["patient_id"]
    chart = f"/patients/{patient_id}"
    goal = ask("clinician", f"{chart}/goals", {"title": "Rest", "category": "rest_sleep"})
    practice = ask("clinician", f"/goals/{goal['id']}/practices", {"new_trail": "Lie down"})
    step = ask("patient", f"/practices/{practice['id']}/steps", {"kind": "done"})
    said = {"instrument": "phq-9", "complete": True}
    said["answers"] = {f"phq9-{number}": 0 for number in range(1, 10)}
    answered = ask("patient", f"{chart}/check-ins", said)
    moment = ask("patient", f"{chart}/moments", {"text": "The light."})
    alone = {"kind": "psychotherapy", "text": "For me alone."}
    note = ask("clinician", f"{chart}/notes", alone)
    for path in (chart, f"{chart}/outcomes?instrument=phq-9", "/worklist", f"{chart}/sessions"):
        ask("clinician", path)
    assert ask("patient", "/me/today")
    made = {"goals": goal, "practices": practice, "steps": step, "moments": moment, "notes": note}
    return {f"/{kind}/{row['id']}": row["id"] for kind, row in made.items()} | {
        f"/check-ins/{answered['id']}": answered["id"]
    }


def still_there(server: faults.Server, made: dict[str, str]) -> None:
    """What a version wrote is read by the one that runs now."""
    base = f"http://127.0.0.1:{server.port}"
    bearer = fuzz.token(base, "clinician@demo.example")
    for path, one in made.items():
        assert faults.read(server, path, bearer).get("id") == one, path


def migrate(server: faults.Server, *words: str) -> None:
    """`flask migrate` of this version, on the database of a server that may be running."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "migrate", *words]
    env = server.environ()
    told = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT, check=False)
    assert told.returncode == 0, told.stderr


WRITTEN = 5 * 6
"""Five journeys of six records each."""


@pytest.fixture(autouse=True)
def _may_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page says for as long as the old version may read what the new one wrote."""
    monkeypatch.setenv("CHART_KEYS", "later")


def upgraded(folder: Path, url: str, tree: Path) -> dict[str, str]:
    """The steps of the page, with the main journey after each; answers all that was written."""
    old, new = faults.Server(folder, url, tree=tree), faults.Server(folder, url)
    number = max(path.name[:4] for path in (tree / VERSIONS).glob("0*.py"))
    try:
        old.start()
        made = journey(old)
        migrate(new)
        made |= journey(old)  # it was not started anew
        new.start()  # beside it
        made |= journey(new)
        still_there(old, made)
        old.kill()
        still_there(new, made)
        new.kill()
        old.serve = (str(fuzz.BIN / "flask"), "--app", "wsgi", "run", "--port", str(old.port))
        old.start()  # the new one is undone; `serve` of a demo would migrate first
        made |= journey(old)
        still_there(old, made)
        migrate(new, "--to", number)
        made |= journey(old)
        still_there(old, made)
        return made
    finally:
        for server in (old, new):
            if server.process is not None:
                server.kill()


def test_the_version_of_before_serves_on_the_newest_schema_of_sqlite(
    old_tree: Path, tmp_path: Path
) -> None:
    assert len(upgraded(tmp_path, "", old_tree)) == WRITTEN


def test_the_version_of_before_serves_on_the_newest_schema_of_postgresql(
    old_tree: Path, tmp_path: Path, postgres_url: str
) -> None:
    fresh = database_on(roles.as_role(postgres_url, roles.OWNER))
    made = upgraded(tmp_path, next(fresh), old_tree)
    assert len(made) == WRITTEN
    next(fresh, None)
