"""The rules of every v1 request: what is read, and what can not be."""

import json
from typing import Any

import pytest
from flask import Flask

from tests.v1.conftest import NEW, is_problem

CHUNKED = {
    "headers": {"Transfer-Encoding": "chunked"},
    "environ_overrides": {"wsgi.input_terminated": True},
}


@pytest.fixture
def send(app: Flask, scene: Any) -> Any:
    """Send a raw body as the care team's clinician."""

    def raw(data: bytes, content_type: str = "application/json", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {scene['CT'].token}", **more.pop("headers", {})}
        return app.test_client().post(
            "/api/v1/patients", data=data, content_type=content_type, headers=headers, **more
        )

    return raw


@pytest.mark.parametrize(
    "media",
    ["", "text/plain", "application/xml", "multipart/form-data", "application/merge-patch+json"],
)
def test_another_media_type_is_refused(send: Any, media: str) -> None:
    assert is_problem(send(b"{}", media), 415)


def test_a_compressed_body_is_refused(send: Any) -> None:
    assert is_problem(send(b"{}", headers={"Content-Encoding": "gzip"}), 415)


def test_a_merge_patch_is_read_on_patch(app: Flask, scene: Any, chart: str) -> None:
    headers = {"Authorization": f"Bearer {scene['CT'].token}", "If-Match": '"1"'}
    answer = app.test_client().patch(
        f"/api/v1{chart}",
        data=b'{"pronouns": "they"}',
        content_type="application/merge-patch+json; charset=utf-8",
        headers=headers,
    )
    assert answer.status_code == 200 and answer.json["pronouns"] == "they"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b'{"a": 1, "a": 2}',
        b'{"birth_on": NaN}',
        b'{"birth_on": Infinity}',
        b'{"birth_on": 1e999}',
        b'{"birth_on": 9007199254740993}',
        b'{"birth_on": ' + b"9" * 5000 + b"}",
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"legal_name":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"a": [' + b"1," * 20_000 + b"1]}",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b"\x80",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_one_plain_json_object_can_not_be_read(send: Any, body: bytes) -> None:
    assert is_problem(send(body), 400)


@pytest.mark.parametrize("name", [b"\\ud800", b"a\\udc00b", b"a\\u0000", b"", b"/~"])
def test_a_name_that_is_none_is_pointed_out_and_no_fault_of_ours(
    app: Flask, send: Any, name: bytes
) -> None:
    body = b'{"' + name + b'": 1}'
    for answer in (
        send(body),
        send(b'{"legal_name": ' + body + b', "birth_on": "1990-01-31"}'),
        app.test_client().post("/api/v1/auth/token", data=body, content_type="application/json"),
    ):
        assert is_problem(answer, 422)


def test_a_very_long_name_is_pointed_out_briefly(send: Any) -> None:
    answer = send(b'{"' + b"n" * 100_000 + b'": 1}')
    assert is_problem(answer, 422) and len(answer.data) < 2000


@pytest.mark.parametrize(
    "given",
    [
        *(b"\\u0000", b"\\ud800", b"a\\u0007b", b"", b"x" * 201, b"\\udc00\\ud800"),
        *(b"   ", b"\\u00a0", b"\\u200b", b"a\\nb", b"a\\tb", b"a\\u0085b", b"a\\u009fb"),
        *(b"a\\u202eb", b"a\\u2066b", b"a\\u2028b"),
    ],
)
def test_text_that_can_not_be_stored_is_refused(send: Any, given: bytes) -> None:
    name = b'{"given": "' + given + b'", "family": "Example"}'
    answer = send(b'{"legal_name": ' + name + b', "birth_on": "1990-01-31"}')
    assert is_problem(answer, 422)
    assert [e["pointer"] for e in answer.json["errors"]] == ["/legal_name/given"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("birth_on", "31.1.1990"),
        ("birth_on", "1990-02-30"),
        ("birth_on", "1990-W01-1"),
        ("birth_on", 5),
        ("birth_on", None),
        ("status", "ACTIVE"),
        ("status", True),
        ("id", "0190b6a2-0000-7000-8000-000000000001"),
        ("clinic_id", "0190b6a2-0000-7000-8000-000000000002"),
        ("version", 1),
        ("created_at", "2026-01-01T00:00:00Z"),
        ("legal_name", "Ada"),
        ("external_ids", [{}] * 10_001),
        ("naïve", 1),
    ],
)
def test_a_wrong_value_or_an_unknown_field_is_pointed_out(
    call: Any, field: str, value: Any
) -> None:
    answer = call("CT").post("/patients", NEW | {field: value})
    if field == "external_ids":
        assert is_problem(answer, 400)
        return
    assert is_problem(answer, 422)
    assert [e["pointer"].split("/")[1] for e in answer.json["errors"]] == [field]


def test_an_oversize_body_is_refused_with_and_without_its_length_told(send: Any) -> None:
    big = b'{"legal_name": "' + b"x" * 300_000 + b'"}'
    assert is_problem(send(big), 413)
    assert is_problem(send(big, **CHUNKED), 413)
    assert is_problem(send(b"{}", **CHUNKED), 422)


def test_a_key_is_bound_to_a_body_whose_length_was_not_told(send: Any) -> None:
    more = {**CHUNKED, "headers": {**CHUNKED["headers"], "Idempotency-Key": "chunked"}}
    assert send(json.dumps(NEW).encode(), **more).status_code == 201
    assert is_problem(send(json.dumps(NEW | {"pronouns": "x"}).encode(), **more), 422)


def test_the_token_is_asked_for_before_the_body_is_read(app: Flask) -> None:
    for body in (b"{", b"x" * 300_000):
        answer = app.test_client().post("/api/v1/patients", data=body, content_type="text/x")
        assert is_problem(answer, 401) and answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_role_is_judged_before_the_body_is_read(call: Any) -> None:
    assert is_problem(call("AY")("POST", "/patients", {"nonsense": 1}), 403)


# queries and paths


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "limit=0",
        "limit=101",
        "limit=1_0",
        "limit=%D9%A3",
        "limit=5.0",
        "limit=+5",
        "limit=1&limit=2",
        "status=Active",
        "q=a",
        "updated_since=yesterday",
        "updated_since=2026-01-01",
        "updated_since=0001-01-01T00:00:00%2B14:00",
        "external_id=x",
        "q=%00%00",
    ],
)
def test_an_unknown_or_wrong_query_is_refused(call: Any, query: str) -> None:
    answer = call("CT").get(f"/patients?{query}")
    assert is_problem(answer, 422) and answer.json["errors"]


def test_a_route_without_a_query_takes_none(call: Any, chart: str) -> None:
    assert is_problem(call("CT").get(f"{chart}?fields=all"), 422)
    assert is_problem(call("CT").post("/patients?dry_run=1", NEW), 422)


def test_another_spelling_of_an_id_is_no_such_path(call: Any, scene: Any, chart: str) -> None:
    plain = str(scene.patient["id"])
    assert call("CT").get(chart).status_code == 200
    for other in (
        plain.upper() if plain.upper() != plain else plain.replace("-", ""),
        f"{{{plain}}}",
        f"urn:uuid:{plain}",
        plain.replace("-", ""),
        f"{plain}/",
        f"/{plain}",
        f"{plain}%00",
        f"{plain}%20",
        f"%2e%2e/patients/{plain}",
        f"x/..;/{plain}",
        "1",
    ):
        assert is_problem(call("CT").get(f"/patients/{other}"), 404), other
    for other in ("/patients/", "//patients", "/Patients", "/patients%2f", "/nothing"):
        assert is_problem(call("CT").get(other), 404), other


def test_a_method_that_is_not_offered_is_named_so(call: Any, chart: str) -> None:
    for method in ("PUT", "DELETE", "TRACE", "PROPFIND"):
        answer = call("CT")(method, chart)
        assert is_problem(answer, 405), method
        assert "GET" in answer.headers["Allow"]
    override = {"x-http-method-override": "DELETE", "x-method-override": "DELETE"}
    assert call("CT").get(chart, **override).status_code == 200


def test_head_is_answered_as_get_is_without_a_body(call: Any, chart: str) -> None:
    for persona in ("CT", "CN", "AY", None):
        got, head = call(persona).get(chart), call(persona)("HEAD", chart)
        assert (head.status_code, head.data) == (got.status_code, b"")


def test_long_text_may_have_lines_but_is_not_blank(call: Any, chart: str) -> None:
    ct = call("CT")
    for text in ("\n \t", "\u3000", "a\x07b", "a\x9fb"):
        assert is_problem(ct.post(f"{chart}/insights", {"text": text}), 422), text
    for text in ("one\ntwo\r\n\tthree", "\u2067\u05e9\u05dc\u05d5\u05dd\u2069", " Zo\u00eb "):
        assert ct.post(f"{chart}/insights", {"text": text}).json["text"] == text
