"""Signing keys: next, current, retiring, and gone at once with every token they signed."""

import itertools
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

from api.access import client_tokens, keys, signing_files, tokens
from api.errors import NotSignedIn, Unsafe
from tests.builders import Scene


def states() -> dict[str, str]:
    """The state of each key."""
    return {key.kid: key.state for key in keys.signing_keys()}


def published() -> set[str]:
    """The keys that others are told of."""
    return {key["kid"] for key in keys.jwks()["keys"]}


def run(app: Flask, *words: str) -> Any:
    """A command of the group."""
    return app.test_cli_runner().invoke(args=["keys", *words])


def is_good(token: str) -> bool:
    """Whether an access token is taken."""
    try:
        tokens.read(f"Bearer {token}")
    except NotSignedIn:
        return False
    return True


def test_a_key_is_next_then_current_then_retiring_and_published_all_the_while(
    app: Flask, folder: Path
) -> None:
    (old,) = states()
    assert states() == {old: "current"}
    assert run(app, "add").exit_code == 0
    (new,) = set(states()) - {old}
    assert states() == {old: "current", new: "next"} and published() == {old, new}
    assert keys.signing_key()[0] == old
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=24, minutes=1)):
        assert states() == {old: "retiring", new: "current"} and published() == {old, new}
        assert keys.signing_key()[0] == new
        assert run(app, "retire", old).exit_code == 1
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=24, minutes=17)):
        assert run(app, "retire", old).exit_code == 0
        assert states() == {new: "current"} and published() == {new}


def test_tokens_of_a_retiring_key_are_good_until_they_end(
    app: Flask, folder: Path, scene: Scene
) -> None:
    token = scene["CT"].token
    new = keys.add_key(folder)
    keys.promote(new)
    assert set(states().values()) == {"retiring", "current"}
    assert is_good(token) and is_good(scene["CT"].token)


def test_a_revoked_key_takes_its_tokens_along_at_once_also_those_remembered_as_good(
    app: Flask, folder: Path, scene: Scene
) -> None:
    (old,) = states()
    token = scene["CT"].token
    of_client = client_tokens.issue(scene["CT"].user_id, scene.clinic_id, "system/Patient.r")
    headers = {"Authorization": f"Bearer {token}"}
    assert app.test_client().get("/api/v1/me", headers=headers).status_code == 200
    assert client_tokens.read(of_client)
    told = run(app, "revoke", old)
    assert told.exit_code == 0, told.output
    assert app.test_client().get("/api/v1/me", headers=headers).status_code == 401
    with pytest.raises(client_tokens.Refused):
        client_tokens.read(of_client)
    (new,) = states()
    assert new != old and new in told.output and states() == {new: "current"}
    assert is_good(scene["CT"].token)


def test_revoking_the_current_key_lets_the_next_one_sign(app: Flask, folder: Path) -> None:
    (old,) = states()
    new = keys.add_key(folder)
    assert keys.revoke(old) is None
    assert states() == {new: "current"}


def test_revoking_a_next_or_a_retiring_key_leaves_the_current_one(app: Flask, folder: Path) -> None:
    (old,) = states()
    new = keys.add_key(folder)
    assert keys.revoke(new) is None
    assert states() == {old: "current"}
    newer = keys.add_key(folder)
    keys.promote(newer)
    keys.revoke(old)
    assert states() == {newer: "current"}


PROGRAM = """
import sys, time
from api.cli import app
from api.access import tokens
from api.errors import NotSignedIn
token = sys.argv[1]
with app.app_context():
    tokens.read("Bearer " + token)
    print("good", flush=True)
    sys.stdin.readline()
    try:
        tokens.read("Bearer " + token)
        print("still good", flush=True)
    except NotSignedIn:
        print("refused", flush=True)
"""


def test_every_process_refuses_the_tokens_of_a_revoked_key_from_the_next_request_on(
    app: Flask, folder: Path, scene: Scene
) -> None:
    (old,) = states()
    environment = {**os.environ, "FRESHTRAIL_DATA": str(folder.parent)}
    told = [sys.executable, "-c", PROGRAM, scene["CT"].token]
    others = [
        subprocess.Popen(
            told, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for other in others:
        assert other.stdout is not None and other.stdout.readline() == "good\n"
    keys.revoke(old)
    for other in others:
        assert other.communicate("now\n", timeout=60)[0] == "refused\n"


def test_two_changes_right_after_each_other_are_both_seen(folder: Path) -> None:
    for _ in range(50):
        made = keys.add_key(folder)
        assert made in keys.private_keys()
        keys.find(made).path.unlink()
        assert made not in keys.private_keys()


def test_while_a_folder_is_young_a_change_is_seen_that_its_time_does_not_tell(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = keys.private_keys()
    changed = folder.stat().st_mtime_ns
    monkeypatch.setattr(time, "time_ns", lambda: changed + signing_files.SETTLED_NS)
    assert [*keys.private_keys()] == [old]
    new = keys.add_key(folder)
    os.utime(folder, ns=(changed, changed))
    monkeypatch.setattr(time, "time_ns", lambda: changed + signing_files.SETTLED_NS + 1)
    assert {*keys.private_keys()} == {old, new}


def test_a_folder_that_has_settled_is_not_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.count(folder.stat().st_mtime_ns + signing_files.SETTLED_NS + 1)
    monkeypatch.setattr(time, "time_ns", lambda: next(looks))
    there = keys.private_keys()
    monkeypatch.setattr(signing_files, "_open", lambda _path: pytest.fail("read again"))
    assert all(keys.private_keys() is there for _ in range(3))


def test_a_look_at_the_folder_costs_next_to_nothing(folder: Path) -> None:
    time.sleep(0.15)
    keys.private_keys()
    start = time.perf_counter()
    for _ in range(1000):
        keys.private_keys()
    assert time.perf_counter() - start < 0.1


def test_what_may_not_be_done_with_a_key_is_said(app: Flask, folder: Path) -> None:
    (old,) = states()
    for words, why in (
        (("promote", old), f"{old} is not next: it is current."),
        (("retire", old), f"{old} is current: only what is retiring is retired."),
        (("revoke", "nobody"), "There is no signing key nobody."),
        (("retire", "nobody"), "There is no signing key nobody."),
    ):
        told = run(app, *words)
        assert told.exit_code == 1 and "Traceback" not in told.output, words
        assert why in told.output
    assert run(app, "add").exit_code == 0
    told = run(app, "add")
    assert told.exit_code == 1 and "There is a next key already." in told.output
    (new,) = set(states()) - {old}
    with pytest.raises(Unsafe):
        keys.retire(new)
    keys.promote(new)
    told = run(app, "retire", old)
    assert f"{old} signed until a moment ago: wait a quarter of an hour." in told.output


def test_a_key_is_named_and_published_as_the_standards_say(folder: Path) -> None:
    (kid,) = states()
    (published,) = keys.jwks()["keys"]
    assert sorted(published) == ["alg", "crv", "kid", "kty", "use", "x", "y"]
    assert (published["kty"], published["crv"], published["kid"]) == ("EC", "P-256", kid)
    assert (published["use"], published["alg"]) == ("sig", "ES256")
    text = '{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.format(**published)
    assert kid == urlsafe_b64encode(sha256(text.encode()).digest()).decode()[:43]  # RFC 7638


def test_a_first_key_is_made_once_in_a_folder_for_its_owner_alone(tmp_path: Path) -> None:
    there = tmp_path / "deep" / "keys"
    before = os.umask(0)
    try:
        assert keys.make_keys(there) is True
    finally:
        os.umask(before)
    made = [*there.iterdir()]
    assert keys.make_keys(there) is False and [*there.iterdir()] == made
    assert there.stat().st_mode & 0o777 == 0o700 and made[0].stat().st_mode & 0o777 == 0o600


def test_a_key_begins_to_sign_to_the_second_and_is_asked_for_until_its_last_token_ended(
    folder: Path,
) -> None:
    (oldest,) = states()
    made = datetime(2040, 5, 1, 12, tzinfo=UTC)
    middle, newest = (keys.add_key(folder, made + timedelta(days=n)) for n in (0, 3))
    begins = made + keys.PUBLISHED_FIRST
    with time_machine.travel(begins - timedelta(seconds=1), tick=False):
        assert keys.signing_key()[0] == oldest
    with time_machine.travel(begins, tick=False):
        assert keys.signing_key()[0] == middle
    with time_machine.travel(made + timedelta(days=9), tick=False):
        since = {key.kid: key.retiring_since for key in keys.signing_keys()}
    assert since == {oldest: begins, middle: begins + timedelta(days=3), newest: None}
    last = begins + keys.LONGEST_TOKEN
    with time_machine.travel(last - timedelta(seconds=1), tick=False), pytest.raises(Unsafe):
        keys.retire(oldest)
    with time_machine.travel(last, tick=False):
        keys.retire(oldest)
        assert oldest not in states()


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
def test_where_the_server_stands_changes_no_time_of_a_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    (old,) = states()
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        kid = keys.add_key(folder, datetime(2026, 1, 1, 12, tzinfo=UTC))
        assert keys.find(kid).path.name == f"sign-20260101T120000Z-{kid}.pem"
        new = keys.add_key(folder)
        assert keys.age_of(keys.find(new)) < timedelta(minutes=1) and states()[new] == "next"
        keys.promote(new)
        assert states() == {old: "retiring", kid: "retiring", new: "current"}
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_file_whose_name_tells_no_time_is_a_key_of_long_ago(folder: Path) -> None:
    (kid,) = states()
    keys.find(kid).path.rename(folder / "sign-first.pem")
    assert states() == {kid: "current"}
    new = keys.add_key(folder)
    keys.promote(new)
    assert states() == {kid: "retiring", new: "current"}


NO_KEY = "^There is no signing key; `flask --app wsgi keys make` makes one.$"


@pytest.mark.parametrize(
    "other", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())]
)
def test_a_key_of_another_kind_is_passed_over_and_nobody_starts_with_it(
    folder: Path, other: Any
) -> None:
    (kid,) = states()
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "sign-other.pem").write_bytes(pem)
    assert states() == {kid: "current"}
    with pytest.raises(Unsafe, match="^sign-other.pem is not an elliptic-curve key of P-256.$"):
        keys.check()


def test_without_a_key_nothing_is_signed_and_nobody_starts(folder: Path) -> None:
    keys.check()
    (folder / "field-keys.json").write_text("{}")
    keys.find(*states()).path.unlink()
    for ask in (keys.check, keys.signing_key, keys.private_keys):
        with pytest.raises(Unsafe, match=NO_KEY):
            ask()
    for path in (folder / "field-keys.json", folder):
        path.unlink() if path.is_file() else path.rmdir()
        with pytest.raises(Unsafe, match=NO_KEY):
            keys.check()


def test_a_key_whose_name_begins_with_a_dash_is_promoted_retired_and_revoked_like_any(
    app: Flask, folder: Path
) -> None:
    (old,) = states()
    kid = keys.add_key(folder)
    while not kid.startswith("-"):
        keys.find(kid).path.unlink()
        kid = keys.add_key(folder)
    told = run(app, "promote", kid)
    assert told.exit_code == 0 and states() == {old: "retiring", kid: "current"}, told.output
    told = run(app, "retire", kid)
    assert told.exit_code == 1 and f"{kid} is current" in told.output, told.output
    told = run(app, "revoke", kid)
    assert told.exit_code == 0 and kid not in states(), told.output


def test_the_list_tells_names_states_and_times_and_no_key(app: Flask, folder: Path) -> None:
    (old,) = states()
    told = run(app, "list").output
    assert old in told and "current" in told and "PRIVATE" not in told


def test_a_timer_rotates_keys_by_itself(app: Flask, folder: Path) -> None:
    (old,) = states()
    now = datetime.now(UTC)
    assert "is next" in run(app, "rotate").output
    assert "Nothing is due" in run(app, "rotate").output
    (new,) = set(states()) - {old}
    with time_machine.travel(now + timedelta(days=2)):
        assert f"{old} is gone" in run(app, "rotate").output
        assert states() == {new: "current"}
        assert "Nothing is due" in run(app, "rotate").output
    with time_machine.travel(now + timedelta(days=91)):
        assert "is next" in run(app, "rotate").output


def test_every_file_of_a_key_is_for_its_owner_alone(folder: Path) -> None:
    keys.promote(keys.add_key(folder))
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
