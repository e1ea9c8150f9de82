"""The research door over HTTP: a release from asking to reading, and attacks on the door itself."""

import csv
import io
import json
import timeit
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask

from api import clock, db
from api.access.policies import Role
from api.core.release import cube_picture, shelf
from api.core.release.tables import research_keys
from tests import builders
from tests.conftest import Caller
from tests.research import naive
from tests.research.clinic import Clinic, answer, let_the_worker_run, make_clinic, open_project

DOOR = "/research/v1/projects"


@pytest.fixture(scope="module")
def made(application: Flask) -> Clinic:
    with application.app_context():
        there = make_clinic(120, seed=21)
        for who in there.patients[1:6]:
            answer(there, who, 7, 12, "isi")  # which nobody else does
        return there


@pytest.fixture
def analyst(app: Flask, made: Clinic) -> Caller:
    return Caller(app.test_client(), made.analyst.token)


@pytest.fixture(scope="module")
def released(application: Flask, made: Clinic) -> str:
    """The address of a release that was asked for over HTTP and made by the worker."""
    with application.app_context():
        caller = Caller(application.test_client(), made.analyst.token)
        asked = caller.post(f"{DOOR}/{made.project_id}/releases")
        assert asked.status_code == 202 and asked.json["state"] == "waiting", asked.text
        at = asked.headers["Location"]
        assert at == f"{DOOR}/{made.project_id}/releases/1"
        assert caller.get(at).json["state"] == "waiting"
        assert caller.get(f"{DOOR}/{made.project_id}/releases/2").status_code == 404
        again = caller.post(f"{DOOR}/{made.project_id}/releases")
        assert again.status_code == 409 and again.json["state"] == "running"
        let_the_worker_run()
        assert caller.get(at).json["state"] == "ready"
        listed = caller.get(f"{DOOR}/{made.project_id}/releases").json["items"]
        assert [(r["number"], r["state"], r["progress_percent"]) for r in listed] == [
            (1, "ready", 100)
        ]
    return f"{DOOR}/{made.project_id}/releases/1"


def test_an_analyst_pulls_a_release(analyst: Caller, released: str) -> None:
    manifest = analyst.get(f"{released}/manifest").json
    assert manifest["k"] >= 11 and manifest["l"] >= 2 and manifest["tier"] == "B"
    assert {one["name"].partition(".")[2] for one in manifest["files"]} >= {
        "csv.gz",
        "ndjson",
        "parquet",
    }
    for one in manifest["files"]:
        answer = analyst.get(f"{released}/files/{one['name']}")
        assert answer.status_code == 200 and len(answer.data) == one["bytes"]
        assert answer.headers["ETag"] == f'"{one["sha256"]}"'
    book = analyst.get(f"{released}/codebook")
    assert book.mimetype == "text/markdown" and "# Code book of release 1" in book.text


@pytest.fixture(scope="module")
def plain(made: Clinic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A naive export of the same clinic."""
    return naive.export(made, tmp_path_factory.mktemp("naive"))


def test_24_headers_tell_of_the_release_alone(analyst: Caller, released: str, plain: Path) -> None:
    told = naive.served(plain).test_client().get("/export")
    assert told.headers["X-Total-Count"] == "120"  # how many there are, whom it hides too
    written = parsedate_to_datetime(told.headers["Last-Modified"]).timestamp()
    assert abs(written - plain.stat().st_mtime) < 1  # the second at which somebody made it
    assert str(int(plain.stat().st_mtime)) in told.headers["ETag"]
    told.close()
    answer = analyst.get(f"{released}/files/scores.parquet")
    assert answer.headers["Last-Modified"].endswith("00:00:00 GMT")
    assert "X-Total-Count" not in answer.headers
    assert answer.headers["Content-Disposition"] == "attachment; filename=scores.parquet"
    part = analyst.get(f"{released}/files/scores.parquet", Range="bytes=0-3")
    assert (part.status_code, part.data) == (206, b"PAR1")
    beyond = analyst.get(f"{released}/files/scores.parquet", Range="bytes=999999999-")
    assert beyond.status_code == 200
    same = analyst.get(
        f"{released}/files/scores.parquet", **{"If-None-Match": answer.headers["ETag"]}
    )
    assert (same.status_code, same.data) == (304, b"")
    head = analyst("HEAD", f"{released}/files/scores.parquet")
    assert head.headers["Content-Length"] == str(len(answer.data)) and head.data == b""


def test_26_what_is_not_there_and_what_is_not_theirs_look_alike(
    analyst: Caller, app: Flask, made: Clinic, released: str, plain: Path
) -> None:
    assert naive.answer(plain, "VT") != naive.answer(plain, "AK")  # somebody lives in Vermont
    cubes = [f"{DOOR}/{made.project_id}/cube?cut={cut}" for cut in ("by_VT", "by_AK")]
    hidden, absent = (analyst.get(path, **{"X-Request-ID": "same"}) for path in cubes)
    assert hidden.status_code == absent.status_code == 422 and hidden.data == absent.data
    with db.transaction():
        stranger = builders.make_person(made.clinic_id, Role.ANALYST)
        far = builders.make_person(builders.make_clinic(), Role.PRIVACY_OFFICER)
    same = {"X-Request-ID": "same"}
    nowhere = analyst.get(f"{DOOR}/{uuid4()}/releases/1/manifest", **same)
    assert nowhere.status_code == 404
    for who in (stranger, far):
        caller = Caller(app.test_client(), who.token)
        assert caller.get(f"{released}/manifest", **same).data == nowhere.data
        assert caller.get(f"{DOOR}").json["items"] == []
    outside = analyst.get(f"{released}/files/..%2F..%2Ffreshtrail.sqlite")
    assert outside.status_code == 404
    for path in ("/files/patients.csv", "/files/..", "/files/scores.csv"):
        assert analyst.get(f"{released}{path}", **same).data == nowhere.data
    assert analyst.get(f"{DOOR}/{made.project_id}/releases/2/manifest", **same).data == nowhere.data


def took(caller: Caller, path: str) -> float:
    """The least seconds of many answers; what else the machine does only adds to it."""
    return min(timeit.repeat(lambda: caller.get(path), number=1, repeat=25))


def test_25_a_hidden_group_and_none_are_answered_alike(
    analyst: Caller, made: Clinic, released: str, plain: Path
) -> None:
    hidden_of, absent_of = (naive.answer(plain, state) for state in ("VT", "AK"))
    assert len(hidden_of[1]) != len(absent_of[1])  # the length of the body says which it was
    cube = f"{DOOR}/{made.project_id}"
    hidden_at, absent_at = (
        f"{cube}/cube.svg?cut=course&instrument={one}" for one in ("isi", "wsas")
    )
    hidden, day = analyst.get(hidden_at), analyst.get(f"{cube}/cube?cut=course").json["released_on"]
    nobody = cube_picture.draw(cube_picture.Drawn("isi", "course", 1, day, []))
    assert "No group is large enough" in hidden.text
    assert hidden.text == nobody and len(hidden.data) == int(hidden.headers["Content-Length"])
    assert "isi" not in {
        row["instrument"] for row in analyst.get(f"{cube}/cube?cut=course").json["rows"]
    }
    assert took(analyst, hidden_at) == pytest.approx(took(analyst, absent_at), rel=1, abs=0.01)
    assert analyst.get(f"{cube}/cube?cut=by_therapist").status_code == 422
    assert analyst.get(f"{cube}/cube?cut=course&state=VT").status_code == 422


def test_the_cube_is_json_csv_and_a_picture(analyst: Caller, made: Clinic, released: str) -> None:
    path = f"{DOOR}/{made.project_id}/cube?cut=course"
    told = analyst.get(path).json
    rows = list(csv.DictReader(io.StringIO(analyst.get(path, Accept="text/csv").text)))
    assert [row["n"] for row in rows] == [str(row["n"]) for row in told["rows"]]
    assert all(row["n"] % 5 == 0 and row["n"] >= 10 for row in told["rows"])
    assert all(row["ci95_low"] <= row["mean"] <= row["ci95_high"] for row in told["rows"])
    from xml.etree import ElementTree

    picture = analyst.get(f"{DOOR}/{made.project_id}/cube.svg?cut=by_practice")
    assert picture.mimetype == "image/svg+xml" and ElementTree.fromstring(picture.text) is not None


def test_36_a_key_reads_its_project_and_nothing_else_until_it_is_revoked(
    analyst: Caller, app: Flask, made: Clinic, released: str
) -> None:
    keys = f"{DOOR}/{made.project_id}/keys"
    key = analyst.post(keys, {"name": "Laptop"}).json
    assert "key" not in analyst.get(keys).json["items"][0]
    caller = Caller(app.test_client(), key["key"])
    assert caller.get(f"{released}/files/scores.parquet").status_code == 200
    assert caller.get(f"{released}/manifest").status_code == 200
    with db.transaction():
        other = open_project(made)
    assert caller.get(f"{DOOR}/{other}/releases").status_code == 404
    for path in ("/me", "/patients", f"{DOOR}/{made.project_id}", keys):
        assert caller.get(path).status_code == 401, path
    assert caller.post(f"{DOOR}/{made.project_id}/releases").status_code == 401
    assert analyst.delete(f"{keys}/{key['id']}", key["version"]).status_code == 204
    assert caller.get(f"{released}/files/scores.parquet").status_code == 401


def test_a_key_ends_after_90_days_and_with_its_analyst(
    analyst: Caller, app: Flask, made: Clinic, released: str
) -> None:
    keys = f"{DOOR}/{made.project_id}/keys"
    old, mine = (analyst.post(keys, {"name": name}).json for name in ("Old", "Mine"))
    with db.transaction() as store:
        late = research_keys.update().where(research_keys.c.name == "Old")
        store.execute(late.values(expires_at=clock.now()))
        colleague = builders.make_person(made.clinic_id, Role.ANALYST)
    assert Caller(app.test_client(), old["key"]).get(f"{released}/manifest").status_code == 401
    caller = Caller(app.test_client(), mine["key"])
    assert caller.get(f"{released}/manifest").status_code == 200
    officer = Caller(app.test_client(), made.officer.token)
    project = officer.get(f"{DOOR}/{made.project_id}").json
    for analysts in ([str(colleague.user_id)], [str(made.analyst.user_id)]):
        body = {"analyst_ids": analysts}
        changed = officer.patch(f"{DOOR}/{made.project_id}", body, project["version"])
        assert changed.status_code == 200, changed.text
        project = changed.json
        assert caller.get(f"{released}/manifest").status_code == 401  # nor when they come back


def test_a_project_is_opened_for_analysts_of_the_clinic_alone(app: Flask, made: Clinic) -> None:
    officer = Caller(app.test_client(), made.officer.token)
    body = {"title": "T", "purpose": "P", "analyst_ids": [str(made.officer.user_id)]}
    refused = officer.post(DOOR, body)
    assert refused.status_code == 422
    assert refused.json["errors"][0]["pointer"] == "/analyst_ids/0"
    body["analyst_ids"] = [str(made.analyst.user_id)]
    opened = officer.post(DOOR, body)
    assert opened.status_code == 201 and opened.json["state"] == "open"
    path = f"{DOOR}/{opened.json['id']}"
    signed = officer.post(f"{path}/agreements", {"recipient": "U", "signed_on": "2026-01-01"})
    assert signed.json["agreements"][0]["recipient"] == "U"
    closed = officer.patch(path, {"state": "closed"}, signed.json["version"])
    assert closed.json["state"] == "closed"
    analyst = Caller(app.test_client(), made.analyst.token)
    assert analyst.post(f"{path}/releases").status_code == 409


def test_every_release_leaves_an_audit_event_with_who_is_in_it(made: Clinic, released: str) -> None:
    from sqlalchemy import select

    from api.audit.trail import audit_event_patients, audit_events
    from api.core.release.tables import research_releases

    with db.transaction() as store:
        mine = audit_events.c.clinic_id == made.clinic_id
        [event] = store.rows(
            select(audit_events).where(mine, audit_events.c.action == "research_release:publish")
        )
        touched = select(audit_event_patients).where(audit_event_patients.c.event_id == event["id"])
        count = len(store.rows(touched))
        asked = select(research_releases).where(research_releases.c.id == event["record_id"])
        one = db.found(store.row(asked))
    assert event["purpose"] == "research" and event["actor_id"] == made.analyst.user_id
    words, manifest = event["field_names"].split(), one["manifest"]
    as_json = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = sha256(as_json.encode()).hexdigest()  # of all hashes, counts and the purpose
    assert {
        f"project:{made.project_id}",
        f"manifest:{digest}",
        f"files:{len(manifest['files'])}",
    } <= set(words)
    assert {f"subjects:{manifest['subjects']}", manifest["policy_version"]} <= set(words)
    assert all(len(each["sha256"]) == 64 for each in manifest["files"]) and manifest["purpose"]
    assert 50 <= count <= len(made.patients)


def test_files_that_this_machine_lacks_are_made_again(
    analyst: Caller, made: Clinic, released: str
) -> None:
    from sqlalchemy import select

    from api.core.release.tables import research_releases

    with db.transaction() as store:
        mine = research_releases.c.project_id == made.project_id
        row = db.found(store.row(select(research_releases).where(mine)))
    before = analyst.get(f"{released}/files/subjects.ndjson").data
    shelf.remove(row)
    assert analyst.get(f"{released}/files/subjects.ndjson").data == before
    assert json.loads(before.splitlines()[0])["subject_id"]


def test_research_imports_of_the_core_only_release() -> None:
    import ast
    from pathlib import Path

    import api.research

    for path in Path(api.research.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("api.core"):
                names = {alias.name for alias in node.names}
                assert node.module == "api.core" and names == {"release"}, path.name
