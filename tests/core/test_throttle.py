"""Throttling: whoever tries often waits, nobody is locked out, and all servers count alike."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.config import settings
from api.core import sign_ins as signing, throttle
from api.core.throttle import throttles
from api.errors import NotSignedIn, TooMany
from tests.builders import PASSWORD, Scene
from tests.core.signing import ANOTHER, asking, opened
from tests.racing import at_once

FREE = 5
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch, database: str) -> Iterator[Any]:
    """Five free tries, nothing counted yet, and a clock that moves when it is told to."""
    changed = replace(settings(), rate_sign_in=FREE)
    monkeypatch.setattr(throttle, "settings", lambda: changed)
    with db.transaction() as store:
        store.execute(throttles.delete())
    with time_machine.travel(clock.now(), tick=False) as moved:
        yield moved
    with db.transaction() as store:
        store.execute(throttles.delete())


def guess(email: str, where: str = HERE, **more: Any) -> int:
    """A wrong try: 0, or the seconds that are to be waited first."""
    try:
        with db.transaction():
            signing.sign_in(email, ANOTHER, where=where, **more)
    except TooMany as refusal:
        return refusal.retry_after
    except NotSignedIn:
        return 0
    raise AssertionError("a wrong password let somebody in")


def wait_after(tries: int) -> int:
    """What must be waited after so many wrong tries, told in another way than by the code."""
    return 0 if tries < FREE else [1, 2, 4, 8, 15, 30, 60, 120, 300][min(tries - FREE, 8)]


def test_each_wrong_try_that_is_not_free_doubles_the_wait(scene: Scene, still: Any) -> None:
    for tried in range(1, 17):
        assert guess(scene["CT"].email) == 0
        wait = wait_after(tried)
        if wait:
            assert guess(scene["CT"].email) == wait
            still.shift(timedelta(seconds=wait - 0.5))
            assert guess(scene["CT"].email) == 1
            still.shift(timedelta(seconds=0.5))


def test_tries_during_a_wait_prolong_it_for_nobody(scene: Scene, still: Any) -> None:
    for _ in range(FREE):
        guess(scene["CT"].email)
    assert [guess(scene["CT"].email) for _ in range(50)] == [1] * 50
    still.shift(timedelta(seconds=1))
    assert opened(scene["CT"].email, where=HERE)["user_id"] == scene["CT"].user_id


def test_nobody_is_locked_out_after_a_hundred_and_fifty_wrong_tries(
    scene: Scene, still: Any
) -> None:
    for _ in range(150):
        assert guess(scene["CT"].email) == 0
        still.shift(timedelta(seconds=300))
    assert opened(scene["CT"].email, where=HERE)["user_id"] == scene["CT"].user_id


def test_a_right_password_begins_anew_for_the_account(scene: Scene) -> None:
    for _ in range(3):
        assert [guess(scene["CT"].email) for _ in range(FREE - 1)] == [0] * (FREE - 1)
        opened(scene["CT"].email, where=HERE)


def test_an_hour_without_a_try_begins_anew(scene: Scene, still: Any) -> None:
    for _ in range(FREE):
        guess(scene["CT"].email)
    still.shift(timedelta(minutes=60))
    assert [guess(scene["CT"].email) for _ in range(FREE)] == [0] * FREE


def test_who_tries_from_one_address_does_not_keep_the_owner_out(scene: Scene) -> None:
    for _ in range(FREE):
        guess(scene["CT"].email)
    assert guess(scene["CT"].email) == 1
    assert opened(scene["CT"].email, where=THERE)["user_id"] == scene["CT"].user_id


def test_many_addresses_are_no_way_round(scene: Scene) -> None:
    tried = [guess(scene["CT"].email, f"198.51.100.{i}") for i in range(3 * FREE + 2)]
    assert tried == [0] * 3 * FREE + [1, 1]


def test_a_device_known_by_an_earlier_refresh_token_need_not_wait_with_the_others(
    scene: Scene,
) -> None:
    spent = opened(scene["CT"].email, where=THERE)["refresh_token"]
    for i in range(3 * FREE + 1):
        guess(scene["CT"].email, f"198.51.100.{i}")
    assert guess(scene["CT"].email, THERE) == 1
    for wrong in (opened(scene["CN"].email, where=THERE)["refresh_token"], "b" * 43):
        assert guess(scene["CT"].email, THERE, known_by=wrong) == 1
    mine = opened(scene["CT"].email, where=THERE, known_by=spent)
    assert mine["user_id"] == scene["CT"].user_id
    assert [guess(scene["CT"].email, known_by=spent) for _ in range(FREE + 1)] == [0] * FREE + [1]


def test_one_guess_at_each_of_many_accounts_is_no_way_round(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "is_password", lambda *_: False)
    tried = [guess(f"{i}@test.example") for i in range(10 * FREE + 1)]
    assert tried == [0] * 10 * FREE + [1]


def test_right_passwords_of_a_clinic_do_not_use_up_its_address(scene: Scene) -> None:
    for _ in range(4):
        for name in ("CT", "CN", "CA", "PR", "AY", "PS", "PO"):
            opened(scene[name].email, where=HERE)
    row = db.store().row(select(throttles.c.tries).where(throttles.c.kind == throttle.WHERE))
    assert row == {"tries": 0}


def test_a_flood_from_everywhere_slows_all_but_known_devices(
    scene: Scene, still: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = opened(scene["CT"].email, where=THERE)["refresh_token"]
    monkeypatch.setitem(throttle.TIMES, throttle.ALL, 2)
    monkeypatch.setattr(signing, "is_password", lambda password, _: password == PASSWORD)
    tried = [guess(f"{i}@test.example", f"203.0.113.{i}") for i in range(2 * FREE + 1)]
    assert tried == [0] * 2 * FREE + [1]
    assert opened(scene["CT"].email, where=THERE, known_by=spent)
    still.shift(timedelta(seconds=61))
    assert guess("somebody@test.example", "203.0.113.99") == 0


@pytest.mark.parametrize("spell", [str.upper, str.title, lambda email: f"  {email} "])
def test_another_spelling_is_no_way_round(scene: Scene, spell: Callable[[str], str]) -> None:
    email = scene["CT"].email
    assert [guess(email) for _ in range(FREE)] == [0] * FREE
    assert guess(spell(email)) == 1


def test_an_address_without_an_account_counts_the_same_by_the_same_statements(
    scene: Scene,
) -> None:
    seen = []
    for email in (scene["CT"].email, "nobody@test.example"):
        with asking() as statements:
            waits = [guess(email, f"{email}-here") for _ in range(FREE + 2)]
        seen.append((waits, statements))
    assert seen[0] == seen[1]


def test_the_counts_name_nobody(scene: Scene) -> None:
    guess(scene["CT"].email)
    told = str(db.store().rows(select(throttles)))
    assert scene["CT"].email not in told and HERE not in told and "@" not in told


def test_of_a_hundred_at_once_no_more_are_looked_at_than_are_free(
    app: Flask, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    monkeypatch.setattr(signing, "is_password", lambda *_: bool(looked.append(1)))
    email = scene["CT"].email
    answers: list[Any] = []
    for _ in range(5):
        runs = [lambda: signing.sign_in(email, ANOTHER, where=HERE)] * 20
        answers += at_once(app, runs)
    assert len(looked) == FREE
    assert sum(isinstance(each, TooMany) for each in answers) == 100 - FREE


PROGRAM = """
import sys
from api.cli import app
from api.core import throttle
from api.core.throttle import Purpose
from api.errors import TooMany
counted = 0
with app.app_context():
    for _ in range(20):
        try:
            throttle.count(Purpose.RESET, "raced@test.example", "192.0.2.9")
            counted += 1
        except TooMany:
            pass
print(counted)
"""


def test_several_processes_count_together(database: str) -> None:
    environment = {**os.environ, "RATE_SIGN_IN": "25", "DATABASE_URL": settings().url}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    counted = [int(racer.communicate(timeout=120)[0]) for racer in racers]
    # Beside the 25 that are free, one more for each wait of 1, 2, 4 ... seconds that went by.
    assert 25 <= sum(counted) <= 25 + 4, counted


def test_wishes_for_a_new_password_are_counted_and_never_forgiven(scene: Scene) -> None:
    from api.core import accounts

    for email in (scene["CT"].email, "nobody@test.example"):
        for _ in range(FREE):
            with db.transaction():
                accounts.ask_for_password_reset(email, HERE)
        with pytest.raises(TooMany) as caught:
            accounts.ask_for_password_reset(email, HERE)
        assert caught.value.retry_after == 1
    assert guess(scene["CT"].email) == 0


def test_tokens_of_mails_and_links_are_counted_by_their_address(scene: Scene) -> None:
    from api.core import accounts, invitations
    from api.errors import Invalid

    told = []
    for i in range(10 * FREE + 1):
        use = accounts.reset_password if i % 2 else invitations.accept_invitation
        try:
            use(f"token {i}", ANOTHER, HERE)
        except (Invalid, TooMany) as refusal:
            told.append(refusal.kind)
    assert told == ["invalid"] * 10 * FREE + ["too_many"]


def test_what_tells_nothing_any_more_is_forgotten(scene: Scene, still: Any) -> None:
    guess(scene["CT"].email)
    with db.transaction():
        assert not throttle.forget_due()
    still.shift(timedelta(hours=25))
    guess("new@test.example")
    with db.transaction():
        assert throttle.forget_due()
        assert not throttle.forget_due()
        left = {row["kind"] for row in db.store().rows(select(throttles.c.kind))}
    assert left == {"pair", "whose", "where", "all"}


def test_a_clock_that_ran_ahead_keeps_nobody_out(scene: Scene, still: Any) -> None:
    still.shift(timedelta(days=2))
    for _ in range(FREE):
        guess(scene["CT"].email)
    still.shift(timedelta(days=-2))
    assert guess(scene["CT"].email) == 0
