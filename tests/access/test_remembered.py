"""A token found good is remembered for a moment, and never beyond its end or that of its key."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from api.access import keys, remembered
from api.access.remembered import LONGEST_S, Remembered

NOW = 1_800_000_000.0


@pytest.fixture
def kids(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The keys that are there meanwhile."""
    there: dict[str, Any] = {"a": object()}
    monkeypatch.setattr(keys, "private_keys", lambda: there)
    yield there


def claims(**more: Any) -> dict[str, Any]:
    return {"kid": "a", "sub": "x", "exp": NOW + 600} | more


def known(memory: Remembered, token: str, after_s: float) -> Any:
    with time_machine.travel(NOW + after_s, tick=False):
        return memory.claims_of(token)


def keep(memory: Remembered, token: str, said: dict[str, Any]) -> None:
    with time_machine.travel(NOW, tick=False):
        memory.keep(token, said)


def test_it_is_known_for_a_minute_and_no_longer(kids: dict[str, Any]) -> None:
    memory = Remembered()
    keep(memory, "one", claims())
    assert known(memory, "one", 0) == known(memory, "one", LONGEST_S - 1) == claims()
    assert known(memory, "one", LONGEST_S) is None
    assert known(memory, "another", 0) is None


def test_it_is_forgotten_at_its_end(kids: dict[str, Any]) -> None:
    memory = Remembered()
    keep(memory, "one", claims(exp=NOW + 5))
    assert known(memory, "one", 4) == claims(exp=NOW + 5)
    assert known(memory, "one", 5) is None


def test_it_goes_with_its_key(kids: dict[str, Any]) -> None:
    memory = Remembered()
    keep(memory, "one", claims())
    kids.clear()
    assert known(memory, "one", 1) is None


def test_no_more_are_kept_than_there_is_room_for(
    kids: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "MOST", 3)
    memory = Remembered()
    for number in range(10):
        keep(memory, f"{number}", claims())
        assert len(memory) <= 3 and known(memory, f"{number}", 1) == claims()


def test_the_tokens_themselves_are_not_kept(kids: dict[str, Any]) -> None:
    memory = Remembered()
    keep(memory, "a.secret.token", claims())
    assert "secret" not in repr([*memory]) and all(len(digest) == 32 for digest in memory)
