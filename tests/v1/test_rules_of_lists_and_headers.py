"""The rules of every list, of headers, and of sign-ins that end."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import app as application_module, clock, config, db
from api.access.users import sign_ins, users
from api.core.patients import patients
from api.v1.forms import parse_instant, show_instant
from tests.conftest import Caller
from tests.v1.conftest import NEW, is_problem


def test_a_cursor_that_was_not_made_here_for_this_list_is_refused(
    call: Any, scene: Any, chart: str
) -> None:
    for _ in range(3):
        call("CA").post("/patients", NEW)
        call("XA").post("/patients", NEW)
    cursor = call("CA").get("/patients?limit=1").json["next_cursor"]
    elsewhere = call("XA").get("/patients?limit=1").json["next_cursor"]
    assert call("CA").get(f"/patients?limit=1&cursor={cursor}").status_code == 200
    cut = cursor.split(".")
    for forged in (
        elsewhere,
        cursor[:-2],
        cursor[:-1] + ("A" if cursor[-1] != "A" else "B"),
        ".".join([cut[0], cut[2], cut[1]]),
        "abc",
        "v1." + cursor,
        "%00",
        "é",
    ):
        answer = call("CA").get(f"/patients?cursor={forged}")
        assert answer.status_code in (400, 422), forged
        assert answer.status_code == 400 or forged == "%00", forged
    assert is_problem(call("CA").get(f"{chart}/care-team?cursor={cursor}"), 400)
    assert is_problem(call("CA").get(f"/patients?cursor={cursor}&q=twin"), 422)
    assert is_problem(call("CA").get("/patients?cursor=" + "x" * 5000), 422)


def test_the_next_page_is_linked_and_keeps_its_filters(call: Any) -> None:
    for i in range(3):
        name = {"given": "Link", "family": f"Page{i}"}
        call("CA").post("/patients", NEW | {"legal_name": name})
    first = call("CA").get("/patients?q=link&limit=2")
    link = first.headers["Link"]
    assert link.endswith('; rel="next"') and "q=" not in link and "limit=2" in link
    rest = call("CA").get(link[1 : link.index(">")].removeprefix("/api/v1"))
    names = [p["legal_name"]["family"] for p in first.json["items"] + rest.json["items"]]
    assert names == ["Page0", "Page1", "Page2"]
    assert rest.json["next_cursor"] is None and "Link" not in rest.headers


def test_changes_since_a_time_come_with_tombstones_and_the_next_time(call: Any, scene: Any) -> None:
    since = (clock.now() - timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    gone = call("CA").post("/patients", NEW).json
    kept = call("CA").post("/patients", NEW).json
    call("CA").patch(f"/patients/{kept['id']}", {"pronouns": "it"}, 1)
    with db.transaction() as store:
        row = store.row(
            select(patients)
            .where(patients.c.version == 1)
            .where(patients.c.clinic_id == scene.clinic_id, patients.c.legal_given == "Dot")
        )
        assert row is not None and str(row["id"]) == gone["id"]
        store.remove(patients, row)
    page = call("CA").get(f"/patients?updated_since={since}").json
    assert [t["id"] for t in page["tombstones"]] == [gone["id"]]
    assert page["tombstones"][0]["deleted_at"].endswith("Z")
    changed = [(p["id"], p["version"]) for p in page["items"]]
    assert (kept["id"], 2) in changed and gone["id"] not in dict(changed)
    assert page["synced_to"].endswith("Z") and page["next_cursor"] is None
    seen, cursor = [], f"updated_since={since}&limit=1"
    while cursor:
        part = call("CA").get(f"/patients?{cursor}").json
        seen += [row["id"] for row in part["items"] + part["tombstones"]]
        assert ("synced_to" in part) == (part["next_cursor"] is None)
        cursor = part["next_cursor"] and f"cursor={part['next_cursor']}&limit=1"
    assert sorted(seen) == sorted([*dict(changed), gone["id"]])
    assert is_problem(call("CA").get(f"/patients/{gone['id']}"), 404)


@pytest.mark.parametrize("since", ["1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"])
def test_changes_may_be_asked_for_since_before_there_were_any(
    call: Any, chart: str, since: str
) -> None:
    mine = call("CT").get("/patients").json["items"]
    assert mine == call("CT").get(f"/patients?updated_since={since}").json["items"]
    for path in ("/sessions", f"{chart}/check-ins", "/alerts"):
        assert call("CT").get(f"{path}?updated_since={since}").status_code == 200, path


@pytest.mark.parametrize("who", ["CA", "CT"])
def test_an_address_with_nul_is_none(call: Any, who: str) -> None:
    for method, path in (
        ("PUT", "/instruments/%00/text"),
        ("GET", "/instruments/phq-9%00"),
        ("GET", "/instruments/a%00b/versions"),
        ("GET", "/patients%00"),
    ):
        body = {"items": {}} if method == "PUT" else None
        assert is_problem(call(who)(method, path, body), 404), path


def test_the_request_id_is_echoed_or_made(call: Any, chart: str) -> None:
    for good in ("abc-123", "A" * 64):
        assert call("CT").get(chart, **{"X-Request-ID": good}).headers["X-Request-ID"] == good
    made = set()
    for bad in ("", "A" * 65, "with space", "é", "<script>"):
        answer = call("CT").get(chart, **{"X-Request-ID": bad})
        assert answer.headers["X-Request-ID"] != bad
        made.add(answer.headers["X-Request-ID"])
    assert len(made) == 5


def test_every_answer_carries_the_headers_that_protect_it(call: Any, chart: str) -> None:
    for answer in (
        call("CT").get(chart),
        call("CN").get(chart),
        call(None).get(chart),
        call("CT").get("/nothing"),
        call("CT").post("/patients", {}),
    ):
        headers = answer.headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in headers
        assert "Set-Cookie" not in headers and "Server" not in headers
        assert "Access-Control-Allow-Origin" not in headers
    limits = call("CT").get(chart).headers
    assert limits["RateLimit-Policy"].startswith('"principal";q=')
    assert limits["RateLimit"].startswith('"principal";r=')


@pytest.fixture
def with_origin(database: str, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application built anew with one allowed browser origin."""
    monkeypatch.setenv("CORS_ORIGINS", "https://front.example")
    config.settings.cache_clear()
    yield application_module.build().test_client()
    monkeypatch.undo()
    config.settings.cache_clear()


def test_an_allowed_origin_may_call_and_read_the_headers(with_origin: Any, scene: Any) -> None:
    asked = {
        "Origin": "https://front.example",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, if-match, idempotency-key, content-type",
    }
    path = f"/api/v1/patients/{scene.patient['id']}"
    preflight = with_origin.options(path, headers=asked)
    assert preflight.status_code in (200, 204)
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://front.example"
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
    assert all(name in allowed for name in ("authorization", "if-match", "idempotency-key"))
    token = {"Authorization": f"Bearer {scene['CT'].token}", "Origin": "https://front.example"}
    exposed = with_origin.get(path, headers=token).headers["Access-Control-Expose-Headers"]
    for name in (
        "ETag",
        "Link",
        "Location",
        "Retry-After",
        "RateLimit",
        "RateLimit-Policy",
        "Idempotent-Replayed",
        "WWW-Authenticate",
        "Deprecation",
        "Sunset",
        "Content-Disposition",
        "X-Request-ID",
    ):
        assert name in exposed, name
    refused = with_origin.get(path, headers={"Origin": "https://front.example"})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://front.example"


@pytest.mark.parametrize(
    "origin",
    [
        "https://front.example.evil.example",
        "http://front.example",
        "null",
        "https://FRONT.example.",
        "https://evil.example",
        "https://front.example:444",
    ],
)
def test_another_origin_is_told_nothing(with_origin: Any, scene: Any, origin: str) -> None:
    path = f"/api/v1/patients/{scene.patient['id']}"
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    for answer in (with_origin.options(path, headers=asked), with_origin.get(path, headers=asked)):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_sign_in_that_ended_opens_nothing_from_the_next_request_on(
    app: Flask, scene: Any, chart: str
) -> None:
    ct = Caller(app.test_client(), scene["CT"].token)
    assert ct.get(chart).status_code == 200
    undone = (
        (sign_ins, sign_ins.c.id == scene["CT"].sign_in_id, "revoked_at", None),
        (users, users.c.id == scene["CT"].user_id, "disabled_at", None),
        (users, users.c.id == scene["CT"].user_id, "security_version", 1),
    )
    for table, where, column, back in undone:
        for value, status in ((clock.now() if back is None else 2, 401), (back, 200)):
            with db.transaction() as store:
                store.execute(table.update().where(where).values(**{column: value}))
            assert ct.get(chart).status_code == status, column


def test_a_role_that_was_changed_counts_with_the_old_token(
    app: Flask, scene: Any, chart: str
) -> None:
    cn = Caller(app.test_client(), scene["CN"].token)
    assert cn.get(chart).status_code == 404
    with db.transaction() as store:
        mine = users.c.id == scene["CN"].user_id
        store.execute(users.update().where(mine).values(role="analyst", profession=None))
    assert cn.get(chart).status_code == 403


def test_what_is_synced_to_never_lies_before_what_was_asked(call: Any) -> None:
    since = clock.now()
    page = call("CT").get(f"/patients?updated_since={show_instant(since)}").json
    assert parse_instant(page["synced_to"]) == since


def test_an_unknown_parameter_is_refused_in_the_same_words_everywhere(
    call: Any, chart: str
) -> None:
    for path in ("/patients", "/me", chart, "/vocabularies", f"{chart}/care-team"):
        answer = call("CT").get(f"{path}?nonsense=1")
        said = {"pointer": "/nonsense", "detail": "This parameter is not known here."}
        assert is_problem(answer, 422) and answer.json["errors"] == [said], path


def test_an_instant_finer_than_a_microsecond_is_cut(call: Any) -> None:
    fine = "2026-01-01T00:00:00.123456789Z"
    assert call("CT").get(f"/patients?updated_since={fine}").status_code == 200
    assert parse_instant(fine) == parse_instant("2026-01-01T00:00:00.123456Z")
