"""A few kills under writers, on both databases; `make faults` does hundreds."""

import pytest

from tests import faults

KILLS, SEED = 2, 7


def test_nothing_that_was_answered_is_lost_on_sqlite() -> None:
    told = list(faults.on_sqlite(KILLS, SEED))
    assert told[-1].endswith("0 lost, 0 twice") and not told[-1].startswith("0 ")


def test_nothing_that_was_answered_is_lost_on_postgresql(postgres_url: str) -> None:
    told = list(faults.on_postgres(KILLS, SEED))
    assert told[-1].endswith("0 lost, 0 twice") and not told[-1].startswith("0 ")


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
