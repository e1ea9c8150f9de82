"""Whoever has the files of the database, or a dump, reads no word of a patient's: names alone."""

import os
import shutil
import subprocess
from base64 import b64encode, urlsafe_b64encode
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import make_url, select, text

from api import backups, config, db
from api.access.users import clinics_there
from api.core.chart_keys import chart_keys
from tests import builders, postgres, roles
from tests.conftest import Caller, empty_database

PLANTED: Final = {
    "note": "Quellwort the therapist wrote",
    "psychotherapy": "Firnwort for the author alone",
    "intention": "Harschwort of an intention",
    "journal": "Sulzwort in the evening",
    "address": "Gletscherweg 7173",
    "phone": "+13035557171",
    "email": "lawine.7174@patients.example",
    "record number": "MRN-717575",
    "answer": "Wechtwort as an answer",
}
CLEAR: Final = ("Nordhang", "1987-06-05")
"""A name and a birth date: they are searched and matched, and the README says so."""


def plant(app: Flask) -> tuple[builders.Scene, db.Values]:
    """Every kind of word is written, over HTTP; answers where, and whose they are."""
    with db.transaction():
        scene = builders.make_scene()
        row = builders.make_patient(
            scene.clinic_id,
            legal_family=CLEAR[0],
            birth_on=date.fromisoformat(CLEAR[1]),
            contact={"email": PLANTED["email"], "phone": PLANTED["phone"]},
            address={"line": PLANTED["address"]},
            external_ids=[{"system": "urn:mrn", "value": PLANTED["record number"]}],
        )
        builders.join_team(row, scene["CT"])
        person = builders.make_person(
            scene.clinic_id, builders.Role.PATIENT, patient_id=row["id"], email=PLANTED["email"]
        )
    ct, ps = (Caller(app.test_client(), one.token) for one in (scene["CT"], person))
    chart = f"/patients/{row['id']}"
    sent = [
        ct.post(f"{chart}/notes", {"kind": "progress", "text": PLANTED["note"]}),
        ct.post(f"{chart}/notes", {"kind": "psychotherapy", "text": PLANTED["psychotherapy"]}),
        ps.post(
            f"{chart}/goals",
            {"title": "A", "category": "boundaries", "intention": PLANTED["intention"]},
            **{"idempotency-key": uuid4().hex},
        ),
        ps.post(f"{chart}/journal", {"text": PLANTED["journal"]}),
        ps.post(f"{chart}/insights", {"text": PLANTED["answer"]}),
    ]
    assert [one.status_code for one in sent] == [201] * len(sent), [one.text for one in sent]
    return scene, row


def rows_of_keys() -> list[db.Values]:
    """The keys of charts as they lie in the database; there is one."""
    with db.transaction() as store:
        clinic_ids = clinics_there(store)
    rows: list[db.Values] = []
    for clinic_id in clinic_ids:
        mine = select(chart_keys).where(chart_keys.c.clinic_id == clinic_id)
        with db.within(clinic_id), db.transaction() as store:
            rows += store.rows(mine)
    return rows


def keys_of_charts() -> list[bytes]:
    """Every chart's key in the spellings in which it could lie somewhere."""
    found: list[bytes] = []
    for row in rows_of_keys():
        key = db.open_chart_key(row["key"], row["id"], row["clinic_id"])
        found += [
            key,
            key.hex().encode(),
            urlsafe_b64encode(key).rstrip(b"="),
            b64encode(key),
        ]
    return found


def in_files(folder: Path) -> bytes:
    """Everything that lies in the files of SQLite, the log of what is not merged yet included."""
    files = sorted(folder.glob("other.sqlite*"))
    assert len(files) > 1, "with its log"
    return b"".join(path.read_bytes() for path in files)


def dumped() -> bytes:
    """What the role for backups takes along, by pg_dump where there is one, else by COPY."""
    url = roles.as_role(config.settings().url, roles.BACKUP)
    parts = make_url(url)
    programs, _why = postgres.find_programs()
    tool = shutil.which("pg_dump", path=str(programs)) or shutil.which("pg_dump")
    if tool and os.access(tool, os.X_OK):
        words = [f"{key}={value}" for key, value in {**parts.query, "user": parts.username}.items()]
        told = subprocess.run(
            [tool, "--dbname", " ".join([*words, f"dbname={parts.database}"])], capture_output=True
        )
        if told.returncode == 0:
            return told.stdout
    return copied(url)


def copied(url: str) -> bytes:
    """Every row of every table, as COPY gives it."""
    engine, found = db.make_engine(url), []
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        for name in db.metadata.tables:
            with driver.cursor().copy(f"COPY {name} TO STDOUT") as rows:
                found += [bytes(row) for row in rows]
    engine.dispose()
    return b"".join(found)


@pytest.fixture
def stolen(application: Flask, database: str, tmp_path: Path) -> Any:
    """The files or the dump of a database in which every kind of word was written."""
    with empty_database(tmp_path):
        assert application.test_cli_runner().invoke(args=["migrate"]).exit_code == 0
        with application.app_context():
            plant(application)
        db.leave_store()
        yield in_files(tmp_path) if database == "sqlite" else dumped()


def test_no_word_of_a_patients_lies_in_the_files(stolen: bytes) -> None:
    for what, words in PLANTED.items():
        for part in (words, words.split()[0]):
            assert part.encode() not in stolen, what
    assert all(word.encode() in stolen for word in CLEAR), "the search did look at the right files"
    spelled = keys_of_charts()
    assert len(spelled) == 4 and not any(key in stolen for key in spelled)


def test_no_backup_holds_the_key_of_a_chart(
    stolen: bytes, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = rows_of_keys()
    sealed, nonce = row["key"].encode(), row["key"].split(".")[2].encode()
    assert sealed in stolen, "it lies in the database, sealed"
    programs, why = postgres.find_programs()
    if database == "postgres":
        if programs is None:
            pytest.fail(f"there is no pg_dump: {why}")
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    folder = backups.make(tmp_path / "shelf", lambda _: None)
    file = next(path for path in folder.iterdir() if path.name.startswith("database."))
    held = file.read_bytes()
    if database == "postgres":  # a dump is compressed
        held = subprocess.run(["pg_restore", "--file=-", file], capture_output=True).stdout
    assert CLEAR[0].encode() in held and sealed not in held and nonce not in held


def test_a_dump_as_the_application_is_refused_rather_than_partial(
    on_postgres_alone: None, application: Flask
) -> None:
    engine = db.make_engine(config.settings().url)
    with engine.connect() as connection, pytest.raises(Exception, match="row-level security"):
        connection.execute(text("SET row_security = off"))
        connection.execute(text("SELECT count(*) FROM patients"))
    engine.dispose()
