"""What the owner of an account is told: of a token that came twice, of a device that is new."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyotp
import pytest
import time_machine
from sqlalchemy import select

from api import clock, db
from api.audit.trail import audit_events
from api.core import accounts, invitations, mail, second_factors, sign_ins as signing
from api.core.known_devices import KNOWN_FOR
from api.core.throttle import throttles
from tests import builders
from tests.builders import PASSWORD, Scene
from tests.core.signing import ANOTHER, ended, in_two_clinics, opened, refreshed, refuses

HERE, THERE = "192.0.2.1", "192.0.2.2"
A_DAY = timedelta(days=1)
Sent = list[tuple[str, str]]


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Every letter that is sent: to whom, and of what kind."""
    sent: Sent = []
    monkeypatch.setattr(mail, "send", lambda to, kind, *_: sent.append((to, kind)))
    return sent


@pytest.fixture(autouse=True)
def still(database: str) -> Iterator[Any]:
    """Nothing counted yet, and a clock that moves when it is told to."""
    with db.transaction() as store:
        store.execute(throttles.delete())
    with time_machine.travel(clock.now(), tick=False) as moved:
        yield moved


def noted(clinic_id: Any, action: str) -> list[db.Values]:
    """The events of an action in a clinic's trail."""
    mine = (audit_events.c.clinic_id == clinic_id, audit_events.c.action == action)
    with db.within(clinic_id), db.transaction() as store:
        return store.rows(select(audit_events).where(*mine))


# --- a refresh token that comes twice


def test_a_reused_token_is_told_to_its_owner_and_to_the_trail_and_once(
    scene: Scene, letters: Sent
) -> None:
    first = opened(scene["CT"].email)
    refreshed(first["refresh_token"])
    letters.clear()
    token, by = first["refresh_token"], {"where": HERE, "request_id": "the-one"}
    for _ in range(3):
        refuses(lambda: signing.refresh(token, **by))
    assert letters == [(scene["CT"].email, "sign_in_ended")]
    [event] = noted(scene.clinic_id, "sign_in:reuse")
    assert event["record_id"] == event["sign_in_id"] == first["sign_in_id"]
    assert (event["actor_id"], event["role"]) == (scene["CT"].user_id, "clinician")
    assert (event["outcome"], event["client_ip"]) == ("refused", HERE)
    assert event["request_id"] == "the-one"


def test_a_sign_in_that_was_ended_already_tells_nothing_and_an_unknown_token_neither(
    scene: Scene, letters: Sent
) -> None:
    first = opened(scene["CT"].email)
    refreshed(first["refresh_token"])
    letters.clear()
    with db.transaction():
        signing.revoke(first["refresh_token"])
    for token in (first["refresh_token"], "nobody has this"):
        refuses(lambda token=token: signing.refresh(token))
    assert letters == [] and noted(scene.clinic_id, "sign_in:reuse") == []


def test_letter_event_and_end_are_kept_together_or_not_at_all(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(scene["CT"].email)
    refreshed(first["refresh_token"])

    def broken(*_: Any) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(mail, "send", broken)
    refuses(lambda: signing.refresh(first["refresh_token"]), RuntimeError)
    assert not ended(first) and noted(scene.clinic_id, "sign_in:reuse") == []


# --- a device that is new


def news(letters: Sent) -> list[str]:
    """Who was told of a new device."""
    return [to for to, kind in letters if kind == "new_device"]


def test_whoever_signed_in_before_is_told_of_a_device_that_is_not_known(
    scene: Scene, letters: Sent
) -> None:
    opened(scene["CT"].email)
    assert letters == [(scene["CT"].email, "new_device")]


def test_the_very_first_sign_in_of_an_account_is_no_news(scene: Scene, letters: Sent) -> None:
    who = {"email": "first@test.example", "role": "analyst", "display_name": "New One"}
    with db.transaction():
        token = invitations.invite(scene["CA"].actor, who)["token"]
    with db.transaction():
        invitations.accept_invitation(token, ANOTHER)
    opened(who["email"], ANOTHER)
    assert news(letters) == []
    opened(who["email"], ANOTHER)
    assert news(letters) == [who["email"]]


def test_a_first_sign_in_at_another_clinic_is_not_the_accounts_first(
    scene: Scene, letters: Sent
) -> None:
    person = in_two_clinics(scene)
    opened(person.email, clinic_id=scene["XT"].clinic_id)
    assert news(letters) == [person.email]


def test_a_wrong_password_tells_the_owner_nothing(scene: Scene, letters: Sent) -> None:
    refuses(lambda: signing.sign_in(scene["CT"].email, ANOTHER))
    assert letters == []


def test_a_known_device_is_no_news_until_it_was_not_seen_for_long(
    scene: Scene, letters: Sent, still: Any
) -> None:
    spent = opened(scene["CT"].email)["refresh_token"]
    letters.clear()
    still.shift(2 * A_DAY)
    opened(scene["CT"].email, known_by=spent)
    assert letters == []
    opened(scene["CT"].email, known_by=opened(scene["CN"].email)["refresh_token"])
    assert scene["CT"].email in news(letters)
    letters.clear()
    still.shift(KNOWN_FOR)
    opened(scene["CT"].email, known_by=spent)
    assert news(letters) == [scene["CT"].email]


def test_one_letter_a_day_for_where_it_comes_from_and_three_for_the_account(
    scene: Scene, letters: Sent, still: Any
) -> None:
    email = scene["CT"].email
    for where in (HERE, HERE, THERE, HERE, None, "192.0.2.4", "192.0.2.5"):
        opened(email, where=where)
    assert len(news(letters)) == 3
    opened(scene["CN"].email, where=HERE)
    assert news(letters)[3:] == [scene["CN"].email]
    letters.clear()
    still.shift(A_DAY - timedelta(seconds=1))
    opened(email, where=HERE)
    assert letters == []
    still.shift(timedelta(seconds=1))
    opened(email, where=HERE)
    opened(email, where=HERE)
    assert news(letters) == [email]


def test_a_sign_in_that_was_undone_was_not_told(scene: Scene, letters: Sent) -> None:
    with pytest.raises(RuntimeError), db.transaction():
        signing.sign_in(scene["CT"].email, PASSWORD)
        raise RuntimeError("the line broke")
    letters.clear()
    opened(scene["CT"].email)
    assert news(letters) == [scene["CT"].email]


@pytest.mark.parametrize("known", [True, False])
def test_the_second_step_knows_the_device_of_the_first(
    scene: Scene, letters: Sent, still: Any, known: bool
) -> None:
    ct = scene["CT"]
    spent = opened(ct.email)["refresh_token"]
    with db.transaction():
        totp = pyotp.TOTP(second_factors.make_totp(ct.actor)["secret"])
    with db.transaction():
        second_factors.confirm_totp(ct.actor, totp.at(clock.now()))
    letters.clear()
    still.shift(2 * A_DAY)
    by = {"known_by": spent} if known else {}
    asked = refuses(lambda: signing.sign_in(ct.email, PASSWORD, **by))
    assert letters == []
    with db.transaction():
        signing.finish_sign_in(asked.extras["mfa_token"], totp.at(clock.now()))
    assert news(letters) == ([] if known else [ct.email])


# --- a new password, in the trail


def test_a_new_password_stands_in_the_trail_of_every_clinic_of_the_account(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, tokens = in_two_clinics(scene), []
    monkeypatch.setattr(mail, "send", lambda _to, _kind, token: tokens.append(token))
    with db.transaction():
        accounts.ask_for_password_reset(person.email)
    with db.transaction():
        accounts.reset_password(tokens[0], ANOTHER, where=HERE, request_id="the-one")
    for clinic_id in (scene.clinic_id, scene["XT"].clinic_id):
        [event] = noted(clinic_id, "user:reset_password")
        assert (event["outcome"], event["type"]) == ("ok", "user")
        assert event["actor_id"] == event["record_id"]
        assert (event["client_ip"], event["request_id"]) == (HERE, "the-one")
    refuses(lambda: accounts.reset_password(tokens[0], PASSWORD), Exception)
    assert len(noted(scene.clinic_id, "user:reset_password")) == 1
    assert builders.PASSWORD not in str(noted(scene.clinic_id, "user:reset_password"))
