"""Time tells nobody whether an address has an account: measured in turns, judged by statistics."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher
from scipy.stats import ks_2samp

from api import config, db
from api.access import hashing, users as people
from api.core import accounts, invitations, mail, sign_ins as signing, throttle
from api.core.throttle import throttles
from api.errors import Invalid, NotSignedIn, TooMany
from tests.builders import Scene
from tests.core.signing import ANOTHER

ROUNDS = 25
LEAST_P = 0.01
ALIKE = 0.15
"""Share of the whole by which medians may differ: of some milliseconds, a fraction of one."""
TRIES = 3
"""Measurements of which one must find no difference: other work on the machine makes some."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> Iterator[None]:
    """A hash of some milliseconds instead of a hundred, so that all else weighs more beside it."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    nobody = hasher.hash("nobody has this password")
    monkeypatch.setattr(hashing, "_hasher", lambda: hasher)
    monkeypatch.setattr(hashing, "_nobody", lambda: nobody)
    mine = people.accounts.c.email_blind == people.blind_email(scene["CT"].email)
    with db.transaction() as store:
        hashed = hasher.hash("the password of CT")
        store.execute(people.accounts.update().where(mine).values(password_hash=hashed))
    yield


def seconds(run: Callable[[], Any]) -> float:
    """How long a run takes, whatever it is refused with."""
    start = time.perf_counter()
    try:
        with db.transaction():
            run()
    except (Invalid, NotSignedIn, TooMany):
        pass
    return time.perf_counter() - start


def differ(known: Callable[[int], Any], unknown: Callable[[int], Any]) -> bool:
    """Whether the two take different times, in every one of some measurements."""
    return all(_differ_once(known, unknown) for _ in range(TRIES))


def _differ_once(known: Callable[[int], Any], unknown: Callable[[int], Any]) -> bool:
    first: list[float] = []
    second: list[float] = []
    for turn in range(ROUNDS):
        for run, times in ((known, first), (unknown, second))[:: 1 if turn % 2 else -1]:
            times.append(seconds(lambda run=run, turn=turn: run(turn)))  # type: ignore[misc]
    medians = statistics.median(first), statistics.median(second)
    is_alike = abs(medians[0] - medians[1]) < ALIKE * max(medians)
    return not is_alike and bool(ks_2samp(first, second).pvalue < LEAST_P)


def test_a_guess_takes_as_long_for_nobody_as_for_somebody(scene: Scene) -> None:
    email = scene["CT"].email
    assert not differ(
        lambda n: signing.sign_in(email, ANOTHER, where=f"192.0.2.{n}"),
        lambda n: signing.sign_in("nobody@test.example", ANOTHER, where=f"192.0.2.{n}"),
    )


def test_so_it_does_for_who_has_to_wait(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = replace(config.settings(), rate_sign_in=1)
    monkeypatch.setattr(throttle, "settings", lambda: changed)
    email = scene["CT"].email
    try:
        assert not differ(
            lambda _: signing.sign_in(email, ANOTHER, where="192.0.2.1"),
            lambda _: signing.sign_in("nobody@test.example", ANOTHER, where="192.0.2.1"),
        )
    finally:
        with db.transaction() as store:
            store.execute(throttles.delete())


@pytest.mark.parametrize("mode", ["production", "test"])
def test_a_wish_for_a_new_password_takes_as_long_for_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, mode: str, tmp_path: Any
) -> None:
    changed = replace(config.settings(), mode=mode, data=tmp_path)
    monkeypatch.setattr(mail, "settings", lambda: changed)
    email = scene["CT"].email
    assert not differ(
        lambda n: accounts.ask_for_password_reset(email, f"192.0.2.{n}"),
        lambda n: accounts.ask_for_password_reset("nobody@test.example", f"192.0.2.{n}"),
    )


def test_tokens_that_nobody_has_take_alike_whatever_they_look_like(scene: Scene) -> None:
    assert not differ(
        lambda n: invitations.accept_invitation("b" * 43, ANOTHER, f"192.0.2.{n}"),
        lambda n: invitations.accept_invitation(f"token {n}", ANOTHER, f"192.0.2.{n}"),
    )
