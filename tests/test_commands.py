"""The commands of the shell: keys, clinics, the schema, the document, and what serve refuses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from api import cli, config, db, demo, schema
from tests.conftest import empty_database


@pytest.fixture
def shell(application: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`shell(*words)` runs a command on an empty database, with a data folder of its own."""
    monkeypatch.setattr("os.execv", lambda program, words: None)
    with empty_database(tmp_path):

        def run(*words: str, **environment: str) -> Result:
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            forget()
            return application.test_cli_runner().invoke(args=words)

        yield run
    forget()


def forget() -> None:
    """What a process reads once is read again, as a new process would."""
    config.settings.cache_clear()


def test_migrate_brings_an_empty_database_to_the_newest_schema(shell: Any) -> None:
    told = shell("migrate")
    assert told.exit_code == 0 and told.output == f"The database stands at {schema.head()}.\n"
    assert schema.is_ready()


def test_migrate_goes_back_and_forward_again(shell: Any) -> None:
    shell("migrate")
    before = schema.numbers()[-2]
    assert shell("migrate", "--to", before).output == f"The database stands at {before}.\n"
    assert not schema.is_ready()
    assert shell("migrate").exit_code == 0 and schema.is_ready()


def test_a_server_of_before_goes_on_at_a_later_schema(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("migrate")
    monkeypatch.setattr(schema, "head", lambda: schema.numbers()[-2])
    assert schema.is_ready()


def test_keys_are_made_once_and_never_touched_again(shell: Any, tmp_path: Path) -> None:
    first = shell("keys", "make", FRESHTRAIL_DATA=str(tmp_path))
    made = {path: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    assert first.output == "Made: signing key, field key, checkpoint key.\n"
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)
    assert shell("keys", "make").output == "Every key is there already.\n"
    assert {path: path.read_bytes() for path in (tmp_path / "keys").iterdir()} == made


def test_a_real_clinic_gets_its_administrator_by_the_printed_invitation(
    shell: Any, application: Flask
) -> None:
    shell("migrate")
    words = ("--name", "Snow Clinic", "--time-zone", "America/Denver")
    told = shell("clinic", "create", *words, "--admin-email", "jo@clinic.example")
    token = told.output.splitlines()[-1]
    client = application.test_client()
    accepted = {"token": token, "password": "a path in new snow"}
    done = client.post("/api/v1/invitations/accept", json=accepted)
    assert done.status_code == 201, done.json
    body = {"email": "jo@clinic.example", "password": accepted["password"]}
    signed_in = client.post("/api/v1/auth/token", json=body).json
    bearer = {"Authorization": f"Bearer {signed_in['access_token']}"}  # type: ignore[index]
    me: Any = client.get("/api/v1/me", headers=bearer).json
    assert (me["kind"], me["clinic"]["name"]) == ("administrator", "Snow Clinic")
    again = client.post("/api/v1/invitations/accept", json=accepted)
    assert again.status_code == 422


def test_a_clinic_in_no_time_zone_is_refused(shell: Any) -> None:
    shell("migrate")
    words = ("--name", "X", "--time-zone", "Mars/Base", "--admin-email", "jo@clinic.example")
    told = shell("clinic", "create", *words)
    assert told.exit_code == 2 and "Not an IANA time zone." in told.output


def test_the_document_is_written_as_it_is_served(shell: Any, tmp_path: Path) -> None:
    told = shell("document", "write", "--to", str(tmp_path))
    assert told.exit_code == 0
    written = json.loads((tmp_path / "v1.json").read_text())
    assert written == json.loads((cli.DOCUMENTS / "v1.json").read_text())


def test_serve_refuses_without_keys(shell: Any, tmp_path: Path) -> None:
    shell("migrate")
    told = shell("serve", FRESHTRAIL_MODE="production", FRESHTRAIL_DATA=str(tmp_path / "none"))
    assert told.exit_code == 1 and "keys make" in told.output


def test_serve_refuses_an_old_schema(shell: Any) -> None:
    told = shell("serve", FRESHTRAIL_MODE="production")
    assert told.exit_code == 1 and "flask --app wsgi migrate" in told.output


def test_a_production_start_refuses_demo_accounts(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("migrate")
    with db.transaction():
        demo.people.load(lambda line: None)
    told = shell("serve", FRESHTRAIL_MODE="production")
    assert told.exit_code == 1 and "demo accounts" in told.output


def test_every_command_says_what_it_does(application: Flask) -> None:
    for words in (["migrate"], ["serve"], ["keys", "make"], ["clinic", "create"]):
        told = application.test_cli_runner().invoke(args=[*words, "--help"])
        assert told.exit_code == 0 and "Usage:" in told.output
