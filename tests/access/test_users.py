"""People who sign in: their passwords, their one account, and what they are in a clinic."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import HashingError, VerificationError
from flask import Flask
from sqlalchemy import select

from api import clock, db, vault
from api.access import hashing, users as people
from api.access.policies import Role
from api.access.users import accounts, clinics, users
from api.errors import Invalid, Unavailable
from tests import builders
from tests.builders import Scene
from tests.core.signing import asking

GOOD = "a quiet walk at dusk"
LONG = ("a quiet walk at dusk, " * 6)[:128]
TOO_LONG, TOO_SOON = "A password has 12 to 128 characters.", "among the first to be guessed"


def refused(password: str, why: str) -> None:
    with pytest.raises(Invalid) as refusal:
        hashing.hash_password(password)
    [(pointer, detail)] = refusal.value.errors
    assert pointer == "/password" and why in detail


# --- passwords


def test_a_password_has_twelve_to_128_characters_and_both_will_do() -> None:
    for password in (GOOD[:12], LONG):
        assert hashing.is_password(password, hashing.hash_password(password))
    for password in (GOOD[:11], LONG + "x", ""):
        refused(password, TOO_LONG)
    refused("adminadminadmin", TOO_SOON)


@pytest.mark.parametrize("make", [hashing.hash_password, hashing.hash_again, lambda _: None])
def test_every_hash_takes_the_work_that_the_owasp_sheet_asks_for(
    make: Callable[[str], str | None],
) -> None:
    made = extract_parameters(make(GOOD) or hashing._nobody())
    assert (made.type.name, made.version) == ("ID", 19)
    assert (made.memory_cost, made.time_cost, made.parallelism) == (47104, 1, 1)
    assert (made.salt_len, made.hash_len) == (16, 32)


def test_two_hashes_of_one_password_differ_and_only_it_opens_them() -> None:
    made = {hashing.hash_again(GOOD) for _ in range(2)}
    assert len(made) == 2
    for hashed in made:
        assert hashing.is_password(GOOD, hashed) is True
        assert hashing.is_password(GOOD + " ", hashed) is False


@pytest.mark.parametrize("hashed", [None, "", "x", "$2b$12$abcdefghijklmnop"])
def test_no_password_is_that_of_nobody_or_of_what_is_no_hash(hashed: str | None) -> None:
    for password in (GOOD, "", "x"):
        assert hashing.is_password(password, hashed) is False


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that were compared with, in turn."""
    seen: list[str] = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, hashed: str, password: bytes) -> bool:
        seen.append(hashed)
        return real(self, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    return seen


@pytest.mark.parametrize(
    "damage",
    [
        lambda hashed: hashed[:40],
        lambda hashed: hashed[:-4] + "!!!!",
        lambda hashed: hashed.replace("m=47104", "m=1"),
        lambda hashed: hashed.replace("t=1", "t=x"),
        lambda hashed: hashed.replace("$argon2id", "ä$argon2id"),
        lambda hashed: hashed.replace("$argon2id", "argon"),
        lambda hashed: "",
    ],
)
def test_a_damaged_hash_is_nobodys_password_and_tells_of_no_account(
    damage: Callable[[str], str], compared: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    damaged = damage(hashing.hash_password(GOOD))
    assert hashing.is_password(GOOD, damaged) is False
    assert hashing._nobody() in compared, "it takes as long as for nobody"
    assert "the hash of a password is damaged" in caplog.text


def test_a_hash_with_another_end_is_of_another_password() -> None:
    assert hashing.is_password(GOOD, hashing.hash_password(GOOD)[:-3]) is False


@pytest.mark.parametrize("password", ["\ud800", "x\udfff" * 20])
def test_what_has_no_encoding_is_nobodys_password(password: str) -> None:
    assert hashing.is_password(password, hashing.hash_password(GOOD)) is False
    assert hashing.is_password(password, None) is False


@pytest.mark.parametrize("password", [GOOD, GOOD + "x"])
def test_memory_that_lacks_for_a_moment_decides_nothing(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, real, failed = hashing.hash_password(GOOD), PasswordHasher.verify, []

    def verify(self: PasswordHasher, hashed: str, password: bytes) -> bool:
        if not failed:
            failed.append(hashed)
            raise VerificationError("Memory allocation error")
        return real(self, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    assert hashing.is_password(password, mine) is (password == GOOD)
    assert failed == [mine]


def test_without_memory_nothing_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(kind: type[Exception]) -> Any:
        def call(*_: Any) -> Any:
            raise kind("Memory allocation error")

        return call

    hashed = hashing.hash_password(GOOD)
    with monkeypatch.context() as short:
        short.setattr(PasswordHasher, "verify", fail(VerificationError))
        short.setattr(PasswordHasher, "hash", fail(HashingError))
        for call in (
            lambda: hashing.is_password(GOOD, hashed),
            lambda: hashing.is_password(GOOD, None),
            lambda: hashing.hash_password(GOOD),
            lambda: hashing.hash_again(GOOD),
        ):
            with pytest.raises(Unavailable):
                call()
    with hashing._turn(), hashing._turn():
        pass  # every turn was given back
    assert hashing.is_password(GOOD, hashed)


def test_for_nobody_a_password_is_hashed_as_for_somebody(compared: list[str]) -> None:
    mine = hashing.hash_password(GOOD)
    assert hashing.is_password(GOOD, mine) and not hashing.is_password(GOOD, None)
    first, second = map(extract_parameters, compared)
    assert compared[0] == mine and first == second


@pytest.mark.parametrize("less", [{"memory_cost": 47103}, {"parallelism": 2}, {"time_cost": 2}])
def test_a_hash_that_was_made_in_another_way_is_made_again(less: dict[str, int]) -> None:
    work = {"time_cost": 1, "memory_cost": 47104, "parallelism": 1} | less
    old = PasswordHasher(**work).hash("short")
    assert hashing.is_weak(old) and hashing.is_password("short", old)
    again = hashing.hash_again("short")  # whoever has a short one from before keeps it
    assert not hashing.is_weak(again) and hashing.is_password("short", again)


def test_two_hash_at_once_and_whoever_is_done_or_fails_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hashing, "MAX_WAIT_S", 0.01)
    for _ in range(4):
        with pytest.raises(RuntimeError), hashing._turn():
            raise RuntimeError
        with (
            hashing._turn(),
            hashing._turn(),
            pytest.raises(Unavailable, match="Too many sign-ins"),
        ):
            hashing.hash_again(GOOD)
    assert hashing.is_password(GOOD, hashing.hash_again(GOOD))


# --- accounts and users


def account(email: str, password_hash: str | None = None) -> db.Values:
    """An account, kept."""
    with db.transaction() as store:
        return people.make_account(store, db.new_id(), email, password_hash)


def test_an_account_is_found_by_its_address_in_any_case_and_with_spaces_around(app: Flask) -> None:
    name = db.new_id().hex
    made = account(f"  Jo.{name}@Clinic.example ", "hash")
    with db.transaction() as store:
        for email in (f"jo.{name}@clinic.example", f" JO.{name}@CLINIC.example\t"):
            found = people.find_account(store, email)
            assert found is not None and found["id"] == made["id"]
            assert people.blind_email(email) == made["email_blind"]
        assert people.find_account(store, f"jo{name}@clinic.example") is None
    assert found == made and found["password_hash"] == "hash"
    assert people.email_of(found) == f"Jo.{name}@Clinic.example"
    assert people.blind_email("a@b.c") == vault.blind("a@b.c", "accounts.email")


def test_an_address_lies_sealed_in_its_own_account_alone(app: Flask) -> None:
    one, two = (account(f"{db.new_id()}@clinic.example") for _ in range(2))
    assert "example" not in one["email"] and abs((clock.now() - one["created_at"]).seconds) < 60
    assert vault.unseal_json(one["email"], "accounts.email", one["id"]) == people.email_of(one)
    with pytest.raises(Unavailable):
        people.email_of(two | {"email": one["email"]})
    with db.transaction() as store:
        row = store.row(select(accounts).where(accounts.c.id == one["id"]))
    assert row == one and row["password_hash"] is None


def test_a_user_begins_with_no_privilege_and_no_preference(scene: Scene) -> None:
    here = scene.clinic_id
    first, second = (account(f"{db.new_id()}@clinic.example")["id"] for _ in range(2))
    with db.transaction() as store:
        made = people.make_user(store, here, first, Role.ANALYST, display_name="Jo")
        more: dict[str, Any] = {"privileges": ["direct"], "locale": "de-CH", "security_version": 7}
        other = people.make_user(store, here, second, Role.CLINICIAN, display_name="Mo", **more)
        rows = store.rows(select(users).where(users.c.account_id.in_([first, second])))
    stored = {row["id"]: row for row in rows}
    row = stored[made["id"]]
    assert (row["clinic_id"], row["account_id"], row["role"]) == (here, first, "analyst")
    assert (row["privileges"], row["preferences"], row["locale"]) == ([], {}, "en-US")
    assert (row["security_version"], row["display_name"], row["patient_id"]) == (1, "Jo", None)
    assert {name: stored[other["id"]][name] for name in more} == more


def test_people_are_named_in_their_own_clinic_alone(scene: Scene) -> None:
    ct, ca, xt = (scene[name].user_id for name in ("CT", "CA", "XT"))
    with db.within(scene.clinic_id), db.transaction():
        found = people.named(scene.clinic_id, [ct, None, ca, ct, xt, db.new_id()])
        assert people.named(scene.clinic_id, [xt]) == {}
    assert found.keys() == {ct, ca}
    for user_id, row in found.items():
        assert row.keys() == {"id", "display_name"} and row["id"] == user_id
        assert row["display_name"].endswith("Test")


@pytest.mark.parametrize("ids", [[], [None], [None, None]])
def test_to_name_nobody_asks_the_database_nothing(scene: Scene, ids: list[UUID | None]) -> None:
    with asking() as statements:
        assert people.named(scene.clinic_id, ids) == {}
    assert statements == []


# --- clinics


def test_every_clinic_is_gone_through_in_order(app: Flask) -> None:
    with db.transaction() as store:
        made = {builders.make_clinic() for _ in range(3)}
        there = people.clinics_there(store)
        known = {row["id"] for row in store.rows(select(clinics.c.id))}
    assert there == sorted(known) and made <= known


def test_by_a_sign_in_alone_its_clinic_is_meant_and_by_none_nothing_changes(scene: Scene) -> None:
    here, there = scene["CT"], scene["XT"]
    for person in (here, there, here):
        with db.transaction() as store:
            people.stand_in_clinic_of(store, person.sign_in_id)
            assert store.within.clinic_id == person.clinic_id
    with db.transaction() as store:
        before = store.within
        people.stand_in_clinic_of(store, db.new_id())
        assert store.within == before
