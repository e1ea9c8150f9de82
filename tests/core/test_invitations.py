"""Invitations: who may ask whom in, as what, and how one token makes one user."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from api import clock, db
from api.access import users as people
from api.access.policies import Role
from api.access.users import accounts, clinics, users
from api.config import Settings, settings
from api.core import invitations, mail, sign_ins
from api.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, Stale
from api.paging import Page
from tests import builders
from tests.builders import PASSWORD, Scene
from tests.core.signing import refuses
from tests.racing import at_once

NEW = "a quiet walk at dusk"
RACERS, ROUNDS = 6, 3


def wish(**more: Any) -> db.Values:
    """Whom to ask in; a new address each time."""
    full = {
        "email": f"{db.new_id()}@clinic.example",
        "role": "clinician",
        "display_name": "New Colleague",
        "profession": "nurse",
        "privileges": ["discharge", "administer"],
    }
    return full | more


def invited(scene: Scene, by: str = "CA", **more: Any) -> db.Values:
    """An invitation, kept."""
    with db.transaction():
        return invitations.invite(scene[by].actor, wish(**more))


def accepted(token: str, password: str = NEW) -> db.Values:
    """An invitation taken up, kept."""
    with db.transaction():
        return invitations.accept_invitation(token, password)


def user(user_id: Any) -> db.Values:
    """A user as stored."""
    row = db.store().row(select(users).where(users.c.id == user_id))
    db.leave_store()
    assert row is not None
    return row


@pytest.mark.parametrize("name", ["PS", "CT", "PR", "AY"])
def test_only_an_administrator_asks_somebody_in(scene: Scene, name: str) -> None:
    told = refuses(lambda: invitations.invite(scene[name].actor, wish()), NotAllowed)
    assert told.detail == "Your role does not do this."
    assert invitations.list_invitations(scene["CA"].actor, Page()).items == []


def test_asking_in_and_taking_back_need_a_fresh_sign_in(scene: Scene) -> None:
    there = invited(scene)
    with db.transaction():
        builders.let_sign_in_age(scene["CA"])
    ca = scene["CA"].actor
    for run in (
        lambda: invitations.invite(ca, wish()),
        lambda: invitations.withdraw_invitation(ca, there["id"], 1),
    ):
        told = refuses(run, NotSignedIn)
        assert told.error == "insufficient_user_authentication"


def test_who_accepts_is_a_user_of_the_clinic_with_role_profession_and_privileges(
    scene: Scene,
) -> None:
    letter = wish()
    with db.transaction():
        token = invitations.invite(scene["CA"].actor, letter)["token"]
    told = accepted(token)
    row = user(told["id"])
    assert (row["role"], row["profession"], row["clinic_id"]) == (
        "clinician",
        "nurse",
        scene.clinic_id,
    )
    assert row["privileges"] == ["administer", "discharge"]
    with db.transaction():
        assert sign_ins.sign_in(letter["email"].upper(), NEW)["user_id"] == row["id"]


@pytest.mark.parametrize("role", ["administrator", "privacy_officer", "analyst"])
def test_every_staff_role_can_be_asked_in(scene: Scene, role: str) -> None:
    there = invited(scene, role=role, profession=None, privileges=[])
    assert accepted(there["token"])["kind"] == role


def test_a_patient_is_asked_in_for_their_own_chart(scene: Scene) -> None:
    with db.transaction():
        chart = builders.make_patient(scene.clinic_id)
    more = {"role": "patient", "profession": None, "privileges": []}
    told = accepted(invited(scene, patient_id=chart["id"], **more)["token"])
    assert user(told["id"])["patient_id"] == chart["id"]
    ca = scene["CA"].actor
    again = wish(patient_id=chart["id"], **more)
    refuses(lambda: invitations.invite(ca, again), Conflict)


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"role": "patient", "profession": None, "privileges": []}, "/patient_id"),
        ({"role": "analyst", "privileges": []}, "/profession"),
        ({"role": "administrator", "profession": None}, "/privileges"),
        ({"patient_id": "mine"}, "/patient_id"),
        (
            {"role": "patient", "profession": None, "privileges": [], "patient_id": "theirs"},
            "/patient_id",
        ),
        (
            {"role": "patient", "profession": None, "privileges": [], "patient_id": "nobody"},
            "/patient_id",
        ),
    ],
)
def test_role_and_the_rest_must_fit(scene: Scene, more: db.Values, pointer: str) -> None:
    ids = {
        "mine": scene.patient["id"],
        "theirs": scene["XP"].patient_id,
        "nobody": db.new_id(),
    }
    if "patient_id" in more:
        more = more | {"patient_id": ids[more["patient_id"]]}
    told = refuses(lambda: invitations.invite(scene["CA"].actor, wish(**more)), Invalid)
    assert [at for at, _ in told.errors] == [pointer]


def test_an_address_that_has_a_user_here_is_not_asked_in_again(scene: Scene) -> None:
    ca = scene["CA"]
    for email in (scene["CT"].email, scene["CT"].email.upper(), ca.email):
        refuses(lambda email=email: invitations.invite(ca.actor, wish(email=email)), Conflict)
    assert invited(scene, email=scene["XT"].email)["token"]


@pytest.mark.parametrize(("mode", "told"), [("production", False), ("demo", True), ("test", True)])
def test_the_answer_bears_the_token_in_demo_and_test_mode_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, mode: str, told: bool
) -> None:
    changed = Settings(mode=mode, data=settings().data)
    monkeypatch.setattr(invitations, "settings", lambda: changed)
    monkeypatch.setattr("api.core.mail.settings", lambda: changed)
    there = invited(scene)
    assert ("token" in there) == told
    assert "token" not in invitations.read_invitation(scene["CA"].actor, there["id"])


def test_a_token_is_good_once(scene: Scene) -> None:
    token = invited(scene)["token"]
    accepted(token)
    for bad in (token, "nobody has this", ""):
        told = refuses(lambda bad=bad: invitations.accept_invitation(bad, NEW), Invalid)
        assert [at for at, _ in told.errors] == ["/token"]


@pytest.mark.parametrize(("hours", "good"), [(71, True), (73, False)])
def test_an_invitation_is_good_for_seventy_two_hours(scene: Scene, hours: int, good: bool) -> None:
    token = invited(scene)["token"]
    with time_machine.travel(clock.now() + timedelta(hours=hours)):
        if good:
            assert accepted(token)["kind"] == Role.CLINICIAN
        else:
            told = refuses(lambda: invitations.accept_invitation(token, NEW), Invalid)
            assert [at for at, _ in told.errors] == ["/token"]


def test_a_password_that_will_not_do_does_not_spend_the_invitation(scene: Scene) -> None:
    token = invited(scene)["token"]
    told = refuses(lambda: invitations.accept_invitation(token, "password1234"), Invalid)
    assert [at for at, _ in told.errors] == ["/password"]
    assert accepted(token)["kind"] == Role.CLINICIAN


def test_an_address_with_an_account_comes_in_with_its_own_password(scene: Scene) -> None:
    token = invited(scene, email=scene["XT"].email)["token"]
    refuses(lambda: invitations.accept_invitation(token, NEW), NotSignedIn)
    told = accepted(token, PASSWORD)
    xt = user(scene["XT"].user_id)
    assert user(told["id"])["account_id"] == xt["account_id"]
    with db.transaction():
        ids = sign_ins.sign_in(scene["XT"].email, PASSWORD, scene.clinic_id)
    assert ids["user_id"] == told["id"]


def test_an_account_that_got_a_password_meanwhile_keeps_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = f"{db.new_id()}@clinic.example"
    with db.transaction() as store:
        account = people.make_account(store, db.new_id(), email, None)
    token = invited(scene, email=email)["token"]

    def others_first(_password: str) -> str:
        with db.transaction() as store:
            mine = accounts.update().where(accounts.c.id == account["id"])
            store.execute(mine.values(password_hash=builders.password_hash()))
        return builders.password_hash(NEW)

    monkeypatch.setattr(invitations, "hash_password", others_first)
    refuses(lambda: invitations.accept_invitation(token, NEW), Conflict)
    with db.transaction() as store:
        row = people.find_account(store, email)
    assert row is not None and row["password_hash"] == builders.password_hash()
    assert accepted(token, PASSWORD)["id"]


def test_two_invitations_of_one_address_make_one_user(scene: Scene) -> None:
    email = f"{db.new_id()}@clinic.example"
    token = invited(scene, email=email)["token"]
    with db.transaction():
        _, other = invitations._invite(scene.clinic_id, None, wish(email=email))
    first = accepted(token)
    refuses(lambda: invitations.accept_invitation(other, NEW), Conflict)
    account = user(first["id"])["account_id"]
    mine = select(func.count()).where(users.c.account_id == account)
    assert db.store().execute(mine).scalar() == 1
    db.leave_store()


def test_of_all_who_accept_at_once_one_comes_in(app: Flask, scene: Scene) -> None:
    for _ in range(ROUNDS):
        letter = wish()
        with db.transaction():
            token = invitations.invite(scene["CA"].actor, letter)["token"]
        runs = [lambda token=token: invitations.accept_invitation(token, NEW)] * RACERS
        answers = at_once(app, runs)
        assert sum(isinstance(answer, dict) for answer in answers) == 1
        refused = [answer for answer in answers if not isinstance(answer, dict)]
        assert all(isinstance(each, Invalid | Conflict | NotSignedIn) for each in refused)
        account = people.find_account(db.store(), letter["email"])
        assert account is not None
        mine = select(func.count()).where(users.c.account_id == account["id"])
        assert db.store().execute(mine).scalar() == 1
        db.leave_store()


def test_an_invitation_taken_back_is_good_no_more(scene: Scene) -> None:
    there = invited(scene)
    ca = scene["CA"].actor
    refuses(lambda: invitations.withdraw_invitation(ca, there["id"], 2), Stale)
    with db.transaction():
        invitations.withdraw_invitation(scene["CA"].actor, there["id"], 1)
    refuses(lambda: invitations.accept_invitation(there["token"], NEW), Invalid)
    refuses(lambda: invitations.read_invitation(scene["CA"].actor, there["id"]), NotFound)
    assert invitations.list_invitations(scene["CA"].actor, Page()).items == []


def test_an_invitation_that_was_accepted_is_not_taken_back(scene: Scene) -> None:
    there = invited(scene)
    accepted(there["token"])
    ca = scene["CA"].actor
    told = refuses(lambda: invitations.withdraw_invitation(ca, there["id"], None), Conflict)
    assert told.extras == {"state": "accepted", "allowed": []}


def test_another_clinic_sees_no_invitation_of_this_one(scene: Scene) -> None:
    there = invited(scene)
    xa = scene["XA"].actor
    refuses(lambda: invitations.read_invitation(xa, there["id"]), NotFound)
    refuses(lambda: invitations.withdraw_invitation(xa, there["id"], 1), NotFound)
    assert invitations.list_invitations(scene["XA"].actor, Page()).items == []
    assert [row["id"] for row in invitations.list_invitations(scene["CA"].actor, Page()).items] == [
        there["id"]
    ]


def test_a_new_clinic_has_an_invitation_for_its_first_administrator(app: Flask) -> None:
    email = f"{db.new_id()}@clinic.example"
    with db.transaction():
        clinic, token = invitations.create_clinic("Hillside", "Europe/Berlin", email)
    told = accepted(token)
    assert (told["kind"], told["clinic"]["id"]) == (Role.ADMINISTRATOR, clinic["id"])
    row = db.store().row(select(clinics).where(clinics.c.id == clinic["id"]))
    assert row and row["time_zone"] == "Europe/Berlin" and not row["is_demo"]


def test_a_clinic_is_not_made_in_a_zone_that_is_none(app: Flask) -> None:
    def made() -> int:
        with db.transaction() as store:
            return int(store.execute(select(func.count()).select_from(clinics)).scalar_one())

    before = made()
    told = refuses(
        lambda: invitations.create_clinic("Hillside", "Mars/Base", "a@b.example"), Invalid
    )
    assert told.errors == [("/time_zone", "Not an IANA time zone.")] and made() == before


def test_a_password_is_not_ones_own_address(scene: Scene) -> None:
    for password in ("{}", "{}!", "xX{}Xx"):
        told = invited(scene)
        tried = password.format(told["email"].upper())
        refused = refuses(lambda t=told, p=tried: accepted(t["token"], p), Invalid)
        assert [at for at, _ in refused.errors] == ["/password"]


def test_a_second_invitation_takes_the_first_back(scene: Scene) -> None:
    email = f"{db.new_id()}@clinic.example"
    first, other = invited(scene, email=email), invited(scene)
    second = invited(scene, email=email.upper())
    refuses(lambda: accepted(first["token"]), Invalid)
    assert accepted(second["token"])["kind"] == Role.CLINICIAN
    assert accepted(other["token"])["kind"] == Role.CLINICIAN


def test_each_privilege_is_kept_once(scene: Scene) -> None:
    told = invited(scene, privileges=["discharge", "administer", "discharge"])
    assert told["privileges"] == ["administer", "discharge"]
    assert user(accepted(told["token"])["id"])["privileges"] == ["administer", "discharge"]


def test_an_address_that_is_taken_is_pointed_at(scene: Scene) -> None:
    refused = refuses(lambda: invited(scene, email=scene["CT"].email), Conflict)
    assert [error["pointer"] for error in refused.extras["errors"]] == ["/email"]


def test_the_privacy_officers_are_told_of_colleagues_and_not_of_patients(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(mail, "send", lambda to, kind, *_: sent.append((to, kind)))
    officer = scene["PR"].email
    token = invited(scene, role="privacy_officer", profession=None, privileges=[])["token"]
    assert [each for each in sent if each[0] == officer] == [(officer, "staff_invited")]
    sent.clear()
    accepted(token)
    assert sent == [(officer, "staff_joined")]  # and not to the new one, who knows
    sent.clear()
    with db.transaction():
        chart = builders.make_patient(scene.clinic_id)
    more = {"role": "patient", "profession": None, "privileges": []}
    accepted(invited(scene, patient_id=chart["id"], **more)["token"])
    assert [kind for _, kind in sent] == ["invitation"]


def test_a_clinic_without_an_officer_asks_people_in_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(mail, "send", lambda _to, kind, *_: sent.append(kind))
    with db.transaction() as store:
        mine = users.update().where(users.c.id == scene["PR"].user_id)
        store.execute(mine.values(disabled_at=clock.now()))
    accepted(invited(scene)["token"])
    assert sent == ["invitation"]
