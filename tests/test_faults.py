"""A few kills under writers, on both databases; `make faults` does hundreds."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from tests import faults

KILLS, SEED = 2, 7
KILLS_OF_EACH = 1
"""On PostgreSQL, where four things are killed, and each time the whole trail is looked at."""


def test_nothing_that_was_answered_is_lost_on_sqlite() -> None:
    told = list(faults.on_sqlite(KILLS, SEED))
    assert told[-2].endswith("0 lost, 0 twice") and not told[-2].startswith("0 ")
    assert sum("trail holds: " in one for one in told) == 3


def test_nothing_that_was_answered_is_lost_on_postgresql(postgres_url: str) -> None:
    told = list(faults.on_postgres(KILLS_OF_EACH, SEED))
    assert told[-2].endswith("0 lost, 0 twice") and not told[-2].startswith("0 ")
    assert sum("trail holds: " in one for one in told) == 5


def test_a_write_without_its_event_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    writers = faults.Writers(faults.Server(tmp_path, ""), "", "")
    monkeypatch.setattr(
        faults, "walk", lambda _: iter([{"text": "writer 1, moment 1", "id": str(UUID(int=1))}])
    )
    with create_engine(f"sqlite:///{tmp_path / 'freshtrail.sqlite'}").begin() as there:
        there.execute(text("CREATE TABLE audit_events (record_id, action, outcome)"))
        for number, outcome in ((1, "refused"), (2, "ok"), (None, "ok")):
            one = {"id": number and UUID(int=number).hex, "outcome": outcome}
            there.execute(
                text("INSERT INTO audit_events VALUES (:id, 'moment:notice', :outcome)"), one
            )
    with pytest.raises(faults.Lost, match="1 without their event"):
        faults.judge(writers)


def test_a_trail_that_does_not_verify_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for said in ("no event 3; exit 2", "a: 0 sealed, 0 checkpoints"):
        monkeypatch.setattr(faults, "VERIFY", ("sh", "-c", f"echo {said}"))
        with pytest.raises(faults.Lost, match=f"audit verify: .*{said[:6]}"):
            faults.Server(Path(), "").verify_trail()


def test_a_write_that_is_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    writers = faults.Writers(None, "", "")  # type: ignore[arg-type]
    writers.answered["writer 1, moment 1"] = "some id"
    monkeypatch.setattr(faults, "walk", lambda _: iter([]))
    with pytest.raises(faults.Lost, match="1 lost"):
        faults.judge(writers)


def test_a_write_that_was_done_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    writers = faults.Writers(None, "", "")  # type: ignore[arg-type]
    twice = [{"text": "writer 1, moment 1", "id": one} for one in ("a", "b")]
    monkeypatch.setattr(faults, "walk", lambda _: iter(twice))
    with pytest.raises(faults.Lost, match="1 twice"):
        faults.judge(writers)
