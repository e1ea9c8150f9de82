"""Letters: what goes to a real mail server, when it goes again, and what never goes."""

import os
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import time_machine
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from flask import Flask
from sqlalchemy import select

from api import clock, config, db
from api.core import accounts, clocks, invitations, mail
from api.errors import Unsafe
from api.outbox import letters, smtp
from api.worker import Worker
from tests.builders import Scene

HOST = "127.0.0.1"
USER, PASSWORD = "clinic", "a-password-of-mail"
TO = "somebody@test.example"
NOON = datetime(2031, 3, 1, 12, 0, tzinfo=UTC)


class Box:
    """What a mail server took, and how it answers."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], Message]] = []
        self.answers: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a mail, or answer as told."""
        if self.answers:
            return self.answers.pop(0)
        self.taken.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "mail.pem", folder / "mail.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private


def _may(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and data.login == USER.encode()
    return AuthResult(success=good and data.password == PASSWORD.encode(), handled=False)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server((HOST, 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[Box]:
    """A real mail server that asks for TLS and a password, and our settings for it."""
    monkeypatch.setattr(clocks, "DUE", [])  # letters alone, and no due work of other tests
    with db.transaction() as store:  # what other tests left on its way
        store.execute(letters.letters.delete())
    certificate, private = _certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, private)
    kept, port = Box(), free_port()
    server = Controller(
        kept,
        hostname=HOST,
        port=port,
        tls_context=context,
        require_starttls=True,
        authenticator=_may,
        auth_required=True,
        auth_require_tls=True,
    )
    server.start()
    changed = replace(
        config.settings(),
        smtp_host=HOST,
        smtp_port=port,
        smtp_user=USER,
        smtp_password=PASSWORD,
        smtp_ca=str(certificate),
        mail_from="Front desk <desk@clinic.example>",
        app_url="https://app.clinic.example/",
    )
    set_to(monkeypatch, changed)
    with db.transaction() as store:
        store.execute(letters.letters.delete())
    yield kept
    server.stop()


def set_to(monkeypatch: pytest.MonkeyPatch, changed: config.Settings) -> None:
    """Let everything that mails see these settings."""
    for module in (letters, smtp, mail):
        monkeypatch.setattr(module, "settings", lambda: changed)


def written(kind: str = "invitation", token: str | None = "a-token", to: str = TO) -> None:
    """A letter, kept."""
    with db.transaction():
        mail.send(to, kind, token)


def rows() -> list[db.Values]:
    """Every letter, oldest first."""
    with db.transaction() as store:
        return store.rows(select(letters.letters).order_by(letters.letters.c.id))


def work() -> None:
    """What the worker does when it is called once."""
    Worker().run(once=True)


def test_a_letter_goes_by_the_worker_over_tls_to_a_real_server(box: Box) -> None:
    written()
    assert box.taken == []
    work()
    ((to, message),) = box.taken
    assert to == [TO] and message["To"] == TO
    assert message["From"] == "Front desk <desk@clinic.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    text = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "https://app.clinic.example/invitation#a-token" in text
    (row,) = rows()
    assert (row["state"], row["address"], row["token"], row["tries"]) == ("sent", None, None, 1)
    assert message["Message-ID"] == f"<{row['id']}@clinic.example>"
    work()
    assert len(box.taken) == 1


def test_a_letter_of_a_transaction_that_was_undone_never_goes(box: Box) -> None:
    with pytest.raises(RuntimeError), db.transaction():
        mail.send(TO, "invitation", "a-token")
        raise RuntimeError
    work()
    assert box.taken == [] and rows() == []


def test_address_and_token_are_sealed_while_they_wait(box: Box) -> None:
    written()
    told = str(rows())
    assert TO not in told and "a-token" not in told


def test_a_letter_that_was_not_taken_goes_again_under_the_same_id(box: Box) -> None:
    box.answers = ["451 later"]
    written()
    work()
    (row,) = rows()
    assert (row["state"], row["failure"], row["tries"]) == ("waiting", "refused", 1)
    assert timedelta(seconds=0) < row["next_at"] - clock.now() < timedelta(seconds=6)
    with time_machine.travel(clock.now() + timedelta(seconds=10)):
        work()
    ((_, message),) = box.taken
    assert str(row["id"]) in message["Message-ID"]
    assert [row["state"] for row in rows()] == ["sent"]


def test_a_letter_that_will_never_be_taken_is_given_up(box: Box) -> None:
    box.answers = ["550 never"]
    written()
    work()
    (row,) = rows()
    assert (row["state"], row["failure"], row["token"]) == ("failed", "refused", None)


@pytest.mark.parametrize("to", ["a\r\nBcc: b@evil.example", "a@b.example\nX: y", ""])
def test_an_address_that_holds_a_header_goes_nowhere(box: Box, to: str) -> None:
    written(to=to)
    work()
    assert box.taken == []
    assert [(row["state"], row["failure"]) for row in rows()] == [("failed", "address")]


def test_retries_end_when_the_token_is_too_old(box: Box) -> None:
    box.answers = ["451 later"] * 50
    written("password_reset")
    start = clock.now()
    for minutes in range(0, 40, 2):
        with time_machine.travel(start + timedelta(minutes=minutes)):
            work()
    (row,) = rows()
    assert (row["state"], row["token"]) == ("failed", None)
    assert row["settled_at"] - row["created_at"] < timedelta(minutes=31)


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ({"smtp_ca": ""}, "tls"),
        ({"smtp_password": "wrong"}, "sign_in"),
        ({"smtp_port": 1}, "no_answer"),
    ],
)
def test_what_keeps_letters_back_is_told_in_a_word_and_loses_none(
    box: Box, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], failure: str
) -> None:
    set_to(monkeypatch, replace(letters.settings(), **change))
    written()
    work()
    assert box.taken == []
    assert [(row["state"], row["failure"]) for row in rows()] == [("waiting", failure)]


def test_a_server_that_never_answers_holds_nobody_for_long(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = socket.create_server((HOST, 0))
    monkeypatch.setattr(smtp, "TIMEOUT_S", 1)
    set_to(monkeypatch, replace(letters.settings(), smtp_port=silent.getsockname()[1]))
    written()
    work()
    silent.close()
    assert [(row["state"], row["failure"]) for row in rows()] == [("waiting", "no_answer")]


def test_no_transaction_stands_open_while_a_letter_goes(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    real = smtplib.SMTP.send_message

    def watched(self: Any, *args: Any, **more: Any) -> Any:
        seen.append(db.store().has_begun)
        with db.transaction() as store:
            store.rows(select(letters.letters))
        return real(self, *args, **more)

    monkeypatch.setattr(smtplib.SMTP, "send_message", watched)
    written()
    work()
    assert seen == [False] and len(box.taken) == 1


def test_a_worker_that_was_too_slow_changes_nothing_of_anothers(box: Box) -> None:
    written()
    with db.transaction() as store:
        first = letters.take(store)
    with time_machine.travel(clock.now() + timedelta(seconds=100)):
        with db.transaction() as store:
            second = letters.take(store)
        assert first is not None and second is not None and second.tries == 2
        with db.transaction() as store:
            letters.settle(store, first, smtp.Outcome("refused", is_final=True))
        with db.transaction() as store:
            letters.settle(store, second, smtp.Outcome())
    assert [row["state"] for row in rows()] == ["sent"]


def test_an_invitation_and_a_new_password_from_asking_to_signing_in(
    app: Flask, scene: Scene, box: Box
) -> None:
    anon = app.test_client()
    headers = {"Authorization": f"Bearer {scene['CA'].token}"}
    wanted = {"email": TO, "role": "analyst", "display_name": "New One"}
    asked = anon.post("/api/v1/invitations", json=wanted, headers=headers)
    assert asked.status_code == 201, asked.text
    work()
    answer = anon.post(
        "/api/v1/invitations/accept", json={"token": last_token(box), "password": "first-pine-31"}
    )
    assert answer.status_code == 201, answer.text
    assert anon.post("/api/v1/auth/password-reset", json={"email": TO}).status_code == 202
    work()
    new = {"token": last_token(box), "password": "second-pine-32"}
    assert anon.post("/api/v1/auth/password-reset/confirm", json=new).status_code == 204
    for password, status in (("first-pine-31", 401), ("second-pine-32", 200)):
        who = {"email": TO, "password": password}
        assert anon.post("/api/v1/auth/token", json=who).status_code == status


def last_token(box: Box) -> str:
    """The newest token in a mail, from behind the `#` of its link."""
    mails = [message.get_payload(decode=True).decode() for _, message in box.taken]  # type: ignore[union-attr]
    links = [line for text in mails for line in text.splitlines() if "#" in line]
    return str(links[-1].partition("#")[2])


def test_an_address_without_an_account_leaves_the_same_trace_and_gets_nothing(
    scene: Scene, box: Box
) -> None:
    for email in (scene["CT"].email, "nobody@test.example"):
        with db.transaction():
            accounts.ask_for_password_reset(email)
    assert [row["state"] for row in rows()] == ["waiting", "nobody"]
    assert {len(row["token"]) for row in rows()} == {len(rows()[0]["token"])}
    work()
    assert [to for to, _ in box.taken] == [[scene["CT"].email]]


def test_every_letter_there_is_has_words_and_none_speaks_of_a_clinic_or_a_treatment(
    box: Box,
) -> None:
    sent = set()
    for path in Path("api").rglob("*.py"):
        sent |= set(re.findall(r'mail\.send\(.*, "([a-z_]{5,})"', path.read_text()))
        told = re.findall(r'_tell\(.*"break_glass\.([a-z]+)"\)', path.read_text())
        sent |= {f"break_glass_{n}" for n in told}
        sent |= {f"user_{n}" for n in re.findall(r'_tell\(.*"user\.([a-z]+)"', path.read_text())}
    assert sent and sent == letters.kinds()
    for kind in sorted(sent):
        words = " ".join(letters.compose(kind, "t", NOON)).lower()
        assert "{" not in words
        told = ("clinic.", "clinic ", "ketamine", "therap", "patient", "treat", "freshtrail")
        assert not any(word in words.replace("app.clinic.example", "") for word in told), kind


def test_production_keeps_letters_until_a_mail_server_is_set(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, box: Box
) -> None:
    reachable = letters.settings()
    without = replace(reachable, mode="production", smtp_host="", data=tmp_path)
    set_to(monkeypatch, without)
    written()
    work()
    assert [row["state"] for row in rows()] == ["waiting"] and box.taken == []
    assert not (tmp_path / "mail.ndjson").exists()
    set_to(monkeypatch, reachable)
    work()
    assert len(box.taken) == 1


def test_what_nobody_needs_any_more_goes(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    set_to(monkeypatch, replace(letters.settings(), mode="production", smtp_host=""))
    written()
    with time_machine.travel(clock.now() + timedelta(hours=73)):
        work()
        mine = [r for r in rows() if r["kind"] == "invitation"]
        assert [(r["state"], r["failure"], r["token"]) for r in mine] == [("failed", "late", None)]
    with time_machine.travel(clock.now() + timedelta(days=91)):
        work()
        assert "invitation" not in {r["kind"] for r in rows()}


@pytest.mark.parametrize(
    "given",
    [
        {"SMTP_HOST": "mail.example"},
        {"SMTP_HOST": "mail.example", "MAIL_FROM": "desk"},
        {"SMTP_HOST": "mail.example", "MAIL_FROM": "a@b.example", "SMTP_TLS": "none"},
        {"SMTP_TLS": "maybe"},
        {"APP_URL": "app.example"},
    ],
)
def test_settings_that_would_send_nothing_or_send_it_in_the_clear_are_refused(
    given: dict[str, str],
) -> None:
    with pytest.raises(Unsafe):
        config.from_environment(given)


def test_the_password_of_the_mail_server_is_not_shown_with_the_settings() -> None:
    given = {"SMTP_HOST": "m.example", "MAIL_FROM": "a@b.example", "SMTP_PASSWORD": "hidden-one"}
    assert "hidden-one" not in repr(config.from_environment(given | dict(os.environ)))


def test_a_clinic_made_from_the_shell_writes_to_its_administrator(app: Flask, box: Box) -> None:
    with db.transaction():
        _, token = invitations.create_clinic("New Clinic", "UTC", TO)
    work()
    assert last_token(box) == token


@pytest.mark.parametrize("kind", ["new_device", "sign_in_ended"])
def test_the_time_that_a_letter_names_is_when_it_was_written_not_when_it_goes(
    box: Box, kind: str
) -> None:
    with time_machine.travel(NOON, tick=False), db.transaction():
        mail.send(TO, kind)
    with time_machine.travel(NOON + timedelta(minutes=7)):
        work()
    ((_, message),) = box.taken
    text = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "2031-03-01 12:00 UTC" in text
