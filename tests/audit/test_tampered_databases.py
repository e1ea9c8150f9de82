"""Each way to tamper, done to a real database by whoever owns it: `flask audit verify` names it.

`test_chain.py` does each many times over to a trail in memory; here it is rows and files, past the
triggers that keep everybody else from them.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Connection, select, text

from api import clock, config, db
from api.audit import checkpoints
from api.audit.chain import body_of, digest
from api.audit.seal import NOWHERE, audit_heads, audit_seals
from api.audit.trail import audit_event_patients, audit_events
from api.audit.verifying import CLASSES
from api.core import sealing
from tests import roles
from tests.builders import Scene
from tests.conftest import small_database

TABLES = (audit_events, audit_event_patients, audit_seals, audit_heads)
TOLD = 3
"""Events between two checkpoints."""
LENGTH = 3 * TOLD
KEYS = ("clinic_id", "id", "xid")
"""What an event keeps whose words are exchanged."""
E, S, H = audit_events.c, audit_seals.c, audit_heads.c


@pytest.fixture(scope="module")
def told(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database of its own that no trigger guards any more; the folder of its checkpoints."""
    folder = tmp_path_factory.mktemp("tampered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHECKPOINT_DIR", str(folder / "told"))
        with small_database(folder):
            with owner() as connection:
                for statement in unguarding(connection):
                    connection.execute(text(statement))
            yield folder / "told"
    config.settings.cache_clear()


@contextmanager
def owner() -> Iterator[Connection]:
    """Whoever owns the tables, in a transaction."""
    with roles.outside(config.settings().owner_url).begin() as connection:
        yield connection


def unguarding(connection: Connection) -> list[str]:
    """What takes the triggers away that let rows be added and nothing else."""
    names = [table.name for table in TABLES]
    if connection.dialect.name == "postgresql":
        return [f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in names]
    asked = text("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
    there = connection.execute(asked).all()
    return [f"DROP TRIGGER {name}" for name, table in there if table in names]


def written(clinic_id: UUID, word: str) -> None:
    """Some events of a clinic, a second apart, sealed and told of in a checkpoint."""
    now = clock.now()
    rows = [
        {"clinic_id": clinic_id, "id": db.new_id(), "action": f"{word}:{number}"}
        | {"outcome": "ok", "door": "v1", "request_id": "r", "at": now + timedelta(seconds=number)}
        for number in range(TOLD)
    ]
    with db.transaction() as store:
        store.append(audit_events, rows)
    for step in (sealing.seal_due, sealing.tell_due):
        more = True
        while more:
            with db.within(clinic_id), db.transaction():
                more = step()


def link(connection: Connection, clinic_id: UUID, seq: int) -> Any:
    """A seal of a clinic."""
    mine = select(audit_seals).where(S.clinic_id == clinic_id, S.seq == seq)
    return connection.execute(mine).one()


def event(connection: Connection, clinic_id: UUID, seq: int) -> dict[str, Any]:
    """The event below a seal."""
    its = E.id == link(connection, clinic_id, seq).event_id
    asked = select(audit_events).where(E.clinic_id == clinic_id, its)
    return dict(connection.execute(asked).mappings().one())


def put(connection: Connection, table: Any, *which: Any, **values: Any) -> None:
    """Change rows of which there must be some."""
    assert connection.execute(table.update().where(*which).values(**values)).rowcount


def cut(connection: Connection, clinic_id: UUID, after: int) -> None:
    """Take the seals after a place away, and the events below them."""
    beyond = (S.clinic_id == clinic_id, S.seq > after)
    below = select(S.event_id).where(*beyond)
    connection.execute(audit_events.delete().where(E.clinic_id == clinic_id, E.id.in_(below)))
    connection.execute(audit_seals.delete().where(*beyond))


def put_head(connection: Connection, clinic_id: UUID, seq: int, **more: Any) -> None:
    """Let the head say that the chain ends at a seal that is there."""
    last = link(connection, clinic_id, seq)
    values = {"seq": seq, "hash": last.hash, "told_seq": min(seq, LENGTH)} | more
    put(connection, audit_heads, H.clinic_id == clinic_id, **values)


def edit_field(mine: UUID, _other: UUID, _told: Path) -> int:
    with owner() as connection:
        its = E.id == event(connection, mine, 5)["id"]
        put(connection, audit_events, E.clinic_id == mine, its, outcome="refused")
    return 5


def edit_hash(mine: UUID, _other: UUID, _told: Path) -> int:
    with owner() as connection:
        put(connection, audit_seals, S.clinic_id == mine, S.seq == 5, hash="ab" * 32)
    return 5


def delete_row(mine: UUID, _other: UUID, _told: Path) -> int:
    with owner() as connection:
        its = E.id == event(connection, mine, 5)["id"]
        connection.execute(audit_events.delete().where(E.clinic_id == mine, its))
    return 5


def delete_tail(mine: UUID, _other: UUID, _told: Path) -> int:
    with owner() as connection:
        cut(connection, mine, 7)
    return 8


def reorder(mine: UUID, _other: UUID, _told: Path) -> int:
    with owner() as connection:
        one, two = (link(connection, mine, seq).event_id for seq in (4, 6))
        for seq, event_id in ((4, db.new_id()), (6, one), (4, two)):  # no event has two seals
            its = (S.clinic_id == mine, S.seq == seq)
            put(connection, audit_seals, *its, event_id=event_id)
    return 4


def insert_row(mine: UUID, _other: UUID, _told: Path) -> int:
    with owner() as connection:
        last = link(connection, mine, LENGTH)
        more = event(connection, mine, LENGTH) | {"id": db.new_id(), "action": "x:y"}
        connection.execute(audit_events.insert().values(more))
        made = digest(body_of(more, ()), last.hash)
        place = {"clinic_id": mine, "seq": LENGTH + 1, "event_id": more["id"]}
        connection.execute(
            audit_seals.insert().values(place | {"prev_hash": last.hash, "hash": made})
        )
    return LENGTH + 1


def swap(mine: UUID, other: UUID, _told: Path) -> int:
    with owner() as connection:
        a, b = (event(connection, clinic_id, 5) for clinic_id in (mine, other))
        for kept, taken in ((a, b), (b, a)):
            words = {name: value for name, value in taken.items() if name not in KEYS}
            its = (E.clinic_id == kept["clinic_id"], E.id == kept["id"])
            put(connection, audit_events, *its, **words)
    return 5


def recompute(mine: UUID, other: UUID, told: Path) -> int:
    edit_field(mine, other, told)
    with owner() as connection:
        before = link(connection, mine, 4).hash
        for seq in range(5, LENGTH + 1):
            made = digest(body_of(event(connection, mine, seq), ()), before)
            its = (S.clinic_id == mine, S.seq == seq)
            put(connection, audit_seals, *its, prev_hash=before, hash=made)
            before = made
        put_head(connection, mine, LENGTH)
    return TOLD + 1  # what no checkpoint holds apart can't be told apart


def edit_head(mine: UUID, _other: UUID, _told: Path) -> int:
    with owner() as connection:
        put(connection, audit_heads, H.clinic_id == mine, hash="ab" * 32)
    return LENGTH


def empty(mine: UUID, _other: UUID, _told: Path) -> int:
    with owner() as connection:
        cut(connection, mine, 0)
    return 1


def roll_back(mine: UUID, _other: UUID, _told: Path) -> int:
    with owner() as connection:
        cut(connection, mine, 7)
        put_head(connection, mine, 7)
    return 8


def fork(mine: UUID, _other: UUID, _told: Path) -> int:
    """Back to an earlier state, from which another history goes on and is told of."""
    with owner() as connection:
        cut(connection, mine, LENGTH - TOLD)
        put_head(connection, mine, LENGTH - TOLD, upto=NOWHERE)
    written(mine, "otherwise")
    return LENGTH


def spoil_checkpoint(mine: UUID, _other: UUID, told: Path) -> int:
    file = checkpoints.file_of(told, mine)
    before = file.read_text()
    file.write_text(before.replace(f"\n{2 * TOLD}\n", f"\n{2 * TOLD - 1}\n"))
    assert file.read_text() != before
    return LENGTH


WAYS: dict[str, Callable[[UUID, UUID, Path], int]] = dict(
    zip(
        CLASSES,
        (
            *(edit_field, edit_hash, delete_row, delete_tail, reorder, insert_row, swap),
            *(recompute, edit_head, empty, roll_back, fork, spoil_checkpoint),
        ),
        strict=True,
    )
)


def verified(app: Flask, clinic_id: UUID) -> tuple[int, str]:
    """The exit status of the command over all there is, and how what it says of a clinic ends."""
    done = app.test_cli_runner().invoke(args=["audit", "verify"])
    [line] = re.findall(f"{clinic_id}: (.*)", done.output)
    return done.exit_code, line.rpartition("; ")[2]


@pytest.mark.parametrize("what", CLASSES)
def test_what_was_done_to_a_database_is_named_and_placed(
    told: Path, app: Flask, scene: Scene, what: str
) -> None:
    mine, other = scene.clinic_id, scene["XT"].clinic_id
    for clinic_id in (mine, other):
        for number in range(LENGTH // TOLD):
            written(clinic_id, f"{clinic_id.hex[-4:]}{number}")
    assert verified(app, mine)[1] == "as it was written"
    place = WAYS[what](mine, other, told)
    assert verified(app, mine) == (2, f"TAMPERED at {place}: {what}")
