"""Sign-ins: opened by a password, kept by a refresh token, ended at once."""

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from api import clock, db
from api.access import hashing, users as people
from api.access.users import refresh_tokens, sign_ins, users
from api.config import settings
from api.core import gate, own_sign_ins, sign_ins as signing
from api.core.replay import digest
from api.errors import Conflict, Invalid, NotFound, NotSignedIn
from api.paging import Page
from tests import builders
from tests.builders import PASSWORD, Scene
from tests.core.signing import ANOTHER, asking, ended, in_two_clinics, opened, refreshed, refuses
from tests.racing import at_once

RACERS, ROUNDS = 8, 5


# --- signing in


def test_a_wrong_password_and_an_unknown_address_are_told_the_same(scene: Scene) -> None:
    told = [
        refuses(lambda who=who, word=word: signing.sign_in(who, word))
        for who, word in (
            (scene["CT"].email, ANOTHER),
            ("nobody@test.example", PASSWORD),
            ("", PASSWORD),
            (scene["CT"].email, ""),
        )
    ]
    assert len({(each.detail, each.error, str(each.extras)) for each in told}) == 1


def test_a_disabled_user_and_one_who_left_are_told_what_a_stranger_is(scene: Scene) -> None:
    stranger = refuses(lambda: signing.sign_in("nobody@test.example", PASSWORD))
    for name, column in (("CT", "disabled_at"), ("CN", "deleted_at")):
        with db.transaction() as store:
            mine = users.update().where(users.c.id == scene[name].user_id)
            store.execute(mine.values({column: clock.now()}))
        told = refuses(lambda name=name: signing.sign_in(scene[name].email, PASSWORD))
        assert (told.detail, told.extras) == (stranger.detail, stranger.extras)


def test_signing_in_does_the_same_work_whether_or_not_there_is_an_account(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes: list[str] = []
    real = hashing.is_password
    monkeypatch.setattr(signing, "is_password", lambda *args: hashes.append("one") or real(*args))
    asked = {}
    for email in (scene["CT"].email, "nobody@test.example"):
        with asking() as statements:
            refuses(lambda email=email: signing.sign_in(email, ANOTHER))
        asked[email] = statements
    first, second = asked.values()
    assert first == second and len(hashes) == 2


def test_a_guess_takes_as_long_for_nobody_as_for_somebody(scene: Scene) -> None:
    took: dict[str, list[float]] = {scene["CT"].email: [], "nobody@test.example": []}
    for _ in range(7):
        for email, times in took.items():
            start = time.perf_counter()
            refuses(lambda email=email: signing.sign_in(email, ANOTHER))
            times.append(time.perf_counter() - start)
    known, unknown = (statistics.median(times) for times in took.values())
    assert abs(known - unknown) < 0.5 * max(known, unknown)


@pytest.mark.parametrize("spell", [str.upper, str.title, lambda email: f"  {email} "])
def test_an_address_is_found_in_any_case(scene: Scene, spell: Callable[[str], str]) -> None:
    email = scene["CT"].email
    assert opened(spell(email))["user_id"] == scene["CT"].user_id


def test_who_belongs_to_several_clinics_chooses_one_after_the_right_password(scene: Scene) -> None:
    email = in_two_clinics(scene).email
    assert "memberships" not in refuses(lambda: signing.sign_in(email, ANOTHER)).extras
    asked = refuses(lambda: signing.sign_in(email, PASSWORD), Conflict).extras["memberships"]
    assert {(each["clinic_id"], each["kind"]) for each in asked} == {
        (scene.clinic_id, "clinician"),
        (scene["XT"].clinic_id, "administrator"),
    }
    chosen = opened(email, clinic_id=scene["XT"].clinic_id)
    assert chosen["clinic_id"] == scene["XT"].clinic_id


def test_a_clinic_that_one_does_not_belong_to_is_a_wrong_pair(scene: Scene) -> None:
    stranger = refuses(lambda: signing.sign_in("nobody@test.example", PASSWORD))
    elsewhere = scene["XT"].clinic_id
    told = refuses(lambda: signing.sign_in(scene["CT"].email, PASSWORD, elsewhere))
    assert told.detail == stranger.detail and told.extras == {}


def test_a_password_reset_while_the_old_one_is_checked_lets_nobody_in(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = hashing.is_password

    def reset_meanwhile(*args: Any) -> bool:
        good = real(*args)
        with db.transaction() as store:
            account = people.find_account(store, scene["CT"].email)
            assert account is not None
            signing.end_all(account["id"])
        return good

    monkeypatch.setattr(signing, "is_password", reset_meanwhile)
    late = opened(scene["CT"].email)
    refuses(lambda: signing.refresh(late["refresh_token"]))


# --- refreshing


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_sign_in(scene: Scene) -> None:
    first = opened(scene["CT"].email)
    second = refreshed(first["refresh_token"])
    assert second["sign_in_id"] == first["sign_in_id"]
    third = refreshed(second["refresh_token"])
    refuses(lambda: signing.refresh(first["refresh_token"]))
    refuses(lambda: signing.refresh(third["refresh_token"]))
    assert ended(first)


def test_a_lost_answer_is_given_again_under_the_same_key_while_it_is_unused(scene: Scene) -> None:
    first = opened(scene["CT"].email)
    second = refreshed(first["refresh_token"], "k")
    again = refreshed(first["refresh_token"], "k")
    assert again["refresh_token"] == second["refresh_token"]
    assert (second["replayed"], again["replayed"]) == (False, True)
    refreshed(again["refresh_token"])
    refuses(lambda: signing.refresh(first["refresh_token"], "k"))
    assert ended(first)


@pytest.mark.parametrize("key", [None, "another"])
def test_without_the_same_key_the_second_use_ends_the_sign_in(
    scene: Scene, key: str | None
) -> None:
    first = opened(scene["CT"].email)
    second = refreshed(first["refresh_token"], "k")
    refuses(lambda: signing.refresh(first["refresh_token"], key))
    refuses(lambda: signing.refresh(second["refresh_token"]))
    assert ended(first)


def test_a_first_use_without_a_key_is_never_given_again(scene: Scene) -> None:
    first = opened(scene["CT"].email)
    refreshed(first["refresh_token"])
    refuses(lambda: signing.refresh(first["refresh_token"], "k"))
    assert ended(first)


@pytest.mark.parametrize(("minutes", "forgiven"), [(9, True), (11, False)])
def test_a_lost_answer_is_forgiven_for_ten_minutes(
    scene: Scene, minutes: int, forgiven: bool
) -> None:
    first = opened(scene["CT"].email)
    second = refreshed(first["refresh_token"], "k")
    with time_machine.travel(clock.now() + timedelta(minutes=minutes), tick=False):
        if forgiven:
            again = refreshed(first["refresh_token"], "k")
            assert again["refresh_token"] == second["refresh_token"]
        else:
            refuses(lambda: signing.refresh(first["refresh_token"], "k"))
    assert ended(first) != forgiven


def test_a_key_is_not_used_for_two_refreshes(scene: Scene) -> None:
    first = opened(scene["CT"].email)
    second = refreshed(first["refresh_token"], "k")
    refuses(lambda: signing.refresh(second["refresh_token"], "k"), Invalid)
    assert refreshed(second["refresh_token"], "other")["replayed"] is False


def test_refreshing_does_not_move_the_absolute_end(scene: Scene) -> None:
    first = opened(scene["CT"].email)
    with time_machine.travel(clock.now() + timedelta(hours=settings().sign_in_hours, seconds=1)):
        refuses(lambda: signing.refresh(first["refresh_token"]))
        assert not ended(first)


@pytest.mark.parametrize("column", ["disabled_at", "deleted_at"])
def test_who_was_disabled_gets_no_fresh_token(scene: Scene, column: str) -> None:
    first = opened(scene["CT"].email)
    with db.transaction() as store:
        mine = users.update().where(users.c.id == scene["CT"].user_id)
        store.execute(mine.values({column: clock.now()}))
    told = refuses(lambda: signing.refresh(first["refresh_token"]))
    assert told.kind == "not_signed_in"


def test_only_digests_of_refresh_tokens_are_stored(scene: Scene) -> None:
    first = opened(scene["CT"].email)
    second = refreshed(first["refresh_token"], "k")
    rows = db.store().rows(select(refresh_tokens))
    told = str(rows)
    for token in (first["refresh_token"], second["refresh_token"]):
        assert token not in told and digest(token) in told


def test_of_two_who_refresh_at_once_one_wins_and_the_sign_in_ends(app: Flask, scene: Scene) -> None:
    for _ in range(ROUNDS):
        first = opened(scene["CT"].email)
        token = first["refresh_token"]
        answers = at_once(app, [lambda token=token: signing.refresh(token)] * RACERS)
        won = [answer for answer in answers if isinstance(answer, dict)]
        lost = [answer for answer in answers if isinstance(answer, NotSignedIn)]
        assert (len(won), len(lost)) == (1, RACERS - 1)
        assert ended(first)
        refuses(lambda won=won: signing.refresh(won[0]["refresh_token"]))


def test_all_who_refresh_at_once_under_one_key_get_the_one_successor(
    app: Flask, scene: Scene
) -> None:
    for _ in range(ROUNDS):
        first = opened(scene["CT"].email)
        token = first["refresh_token"]
        answers = at_once(app, [lambda token=token: signing.refresh(token, "k")] * RACERS)
        assert len({answer["refresh_token"] for answer in answers}) == 1
        assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * (RACERS - 1)
        mine = select(func.count()).where(refresh_tokens.c.sign_in_id == first["sign_in_id"])
        assert db.store().execute(mine).scalar() == 2
        db.leave_store()


# --- ending


def test_revoking_ends_the_sign_in_and_an_unknown_token_tells_nothing(scene: Scene) -> None:
    first = opened(scene["CT"].email)
    second = refreshed(first["refresh_token"])
    with db.transaction():
        assert signing.revoke("nobody has this") is None
        assert signing.revoke(first["refresh_token"]) is None
    refuses(lambda: signing.refresh(second["refresh_token"]))


def test_nobody_ends_the_sign_in_of_another(scene: Scene) -> None:
    for name in ("CN", "CA", "XT", "PS"):
        other = scene[name].sign_in_id
        refuses(lambda other=other: own_sign_ins.end_sign_in(scene["CT"].actor, other), NotFound)
        with db.transaction():
            assert gate.identify(scene[name].actor)


def test_an_ended_sign_in_leaves_the_list_and_leaves_a_tombstone(scene: Scene) -> None:
    since = clock.now() - timedelta(seconds=5)
    other = opened(scene["CT"].email)
    with db.transaction():
        own_sign_ins.end_sign_in(scene["CT"].actor, other["sign_in_id"])
    standing = own_sign_ins.list_sign_ins(scene["CT"].actor, Page())
    assert [(row["id"], row["current"]) for row in standing.items] == [
        (scene["CT"].sign_in_id, True)
    ]
    changes = own_sign_ins.list_sign_ins(scene["CT"].actor, Page(since=since))
    assert [gone["id"] for gone in changes.tombstones or []] == [other["sign_in_id"]]
    db.leave_store()
    refuses(lambda: own_sign_ins.end_sign_in(scene["CT"].actor, other["sign_in_id"]), NotFound)


def test_stepping_up_makes_the_sign_in_fresh_and_moves_no_end(scene: Scene) -> None:
    with db.transaction():
        builders.let_sign_in_age(scene["CA"])
    refuses(lambda: gate.admit(scene["CA"].actor, "user:invite"))
    before = db.store().row(select(sign_ins).where(sign_ins.c.id == scene["CA"].sign_in_id))
    db.leave_store()
    for wrong in (ANOTHER, "", None):
        told = refuses(lambda wrong=wrong: own_sign_ins.step_up(scene["CA"].actor, wrong))
        assert told.error == "insufficient_user_authentication"
    with db.transaction():
        own_sign_ins.step_up(scene["CA"].actor, PASSWORD)
        assert gate.admit(scene["CA"].actor, "user:invite")
    after = db.store().row(select(sign_ins).where(sign_ins.c.id == scene["CA"].sign_in_id))
    assert before and after and after["ends_at"] == before["ends_at"]
