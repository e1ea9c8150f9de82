"""Every route is locked: by a row of the policy table, by a token, by the right to pass."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from api import db
from api.access import client_tokens
from api.access.policies import TABLE, Role
from api.v1.resource import Blueprint
from tests.builders import make_person

CORE = Path(__file__).parents[2] / "api" / "core"
OPEN_PAGES = {
    "/": "leads to the pages below",
    "/docs": "the document, to read",
    "/docs/<name>": "its parts",
    "/docs/start.js": "its parts",
    "/api/v1/openapi.json": "the document itself",
    "/research/v1/openapi.json": "the document of that door",
    "/livez": "whether the process runs",
    "/readyz": "whether it may be sent requests",
    "/.well-known/jwks.json": "public keys",
    "/.well-known/security.txt": "whom to tell",
    "/metrics": "loopback alone",
}
OPEN_OFFERS = {
    "sign_in": "asks for the password",
    "refresh": "asks for the refresh token",
    "revoke": "asks for the refresh token",
    "ask_for_password_reset": "answers the same to everybody",
    "reset_password": "asks for the token of the mail",
    "accept_invitation": "asks for the token of the mail",
    "open_check_in_link": "asks for the token of the link",
    "answer_check_in_link": "asks for the token of the link",
    "open_attestation_link": "asks for the token of the link",
    "attest": "asks for the token of the link",
    "begin_enrolment": "asks for the token of the half of a sign-in",
    "finish_enrolment": "asks for the token of the half of a sign-in",
}
"""What is open to everybody, and why that is right."""


def rules(app: Flask) -> list[tuple[str, Any, Any]]:
    """Every (method, rule, offer) of the application; the offer of a plain page is None."""
    offers = app.extensions["offers"]
    return [
        (method, rule, offers.get(rule.endpoint))
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith("/fhir/")  # tests/fhir/test_who_may.py
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def address(rule: Any) -> str:
    """The rule's path, with an id that belongs to nothing wherever one is asked for."""
    return re.sub(r"<[^>]+>", str(uuid4()), re.sub(r"<int[^>]+>", "1", rule.rule))


def test_every_route_has_an_offer_with_a_row_of_the_policy_table(application: Flask) -> None:
    for method, rule, offer in rules(application):
        if offer is None:
            plain = re.sub(r"<.*:(\w+)>", r"<\1>", rule.rule)
            assert plain in OPEN_PAGES, f"{method} {rule.rule} has no lock"
        elif offer.action is None:
            assert rule.endpoint.split(".")[-1] in OPEN_OFFERS, f"{method} {rule.rule} is open"
        else:
            assert offer.action in TABLE and offer.method == method, rule.rule


def test_every_action_of_the_policy_table_opens_something(application: Flask) -> None:
    used = {offer.action for offer in application.extensions["offers"].values()}
    rooms = [*CORE.rglob("*.py"), *(CORE.parent / "fhir").glob("*.py")]
    asked_within = "".join(path.read_text() for path in rooms)
    assert [a for a in TABLE if a not in used and f'"{a}"' not in asked_within] == []


def test_an_action_without_a_row_does_not_even_register() -> None:
    blueprint = Blueprint("letters", "Letters.")
    with pytest.raises(KeyError):
        blueprint.offer("GET", "/letters", "letter:read")(lambda actor: {})


def test_without_a_token_nothing_is_read_not_even_a_broken_body(app: Flask) -> None:
    client, same = app.test_client(), {"X-Request-ID": "same"}
    said = set()
    for method, rule, offer in rules(app):
        if offer is None or offer.action is None:
            continue
        answer = client.open(
            address(rule), method=method, data=b"{broken", content_type="text/x", headers=same
        )
        assert answer.status_code == 401, (method, rule.rule, answer.text)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        said.add(answer.data)
    assert len(said) == 1


def test_a_token_that_is_not_ours_opens_nothing(app: Flask, scene: Any) -> None:
    token = scene["CT"].token
    head, body, seal = token.split(".")
    bad = [
        "Bearer ",
        "Bearer x",
        f"Basic {token}",
        f"Bearer {token}, Bearer {token}",
        f"Bearer {head}.{body}.",
        f"Bearer {head}.{body}.{seal[::-1]}",
        f"Bearer {token}é".encode("latin-1").decode("latin-1"),
        f"Bearer eyJhbGciOiJub25lIn0.{body}.",
    ]
    for value in bad:
        answer = app.test_client().get("/api/v1/patients", headers={"Authorization": value})
        assert answer.status_code == 401, value
        assert "error=" in answer.headers["WWW-Authenticate"], value


def test_a_system_client_acts_at_its_own_door_alone(app: Flask, scene: Any) -> None:
    good = client_tokens.issue(uuid4(), scene.clinic_id, "system/Patient.rs")
    head, body, seal = good.split(".")
    said = set()
    for method, rule, offer in rules(app):
        if offer is None or offer.action is None:
            continue
        for token, status in ((good, 403), (f"{head}.{body}.{seal[::-1]}", 401)):
            answer = app.test_client().open(
                address(rule),
                method=method,
                data=b"{broken",
                headers={"Authorization": f"Bearer {token}", "X-Request-ID": "same"},
            )
            assert answer.status_code == status, (method, rule.rule, answer.text)
            said.add(answer.data)
    assert len(said) == 2


def test_whoever_has_no_right_gets_nowhere_before_their_body_is_read(
    app: Flask, scene: Any
) -> None:
    with db.transaction():
        nobody = make_person(scene.clinic_id, Role.SYSTEM, display_name="A program")
    headers = {"Authorization": f"Bearer {nobody.token}"}
    for method, rule, offer in rules(app):
        if offer is None or offer.action is None or Role.SYSTEM in TABLE[offer.action]:
            continue
        answer = app.test_client().open(
            address(rule), method=method, data=b"{broken", headers=headers
        )
        expected = (403, 404) if not offer.early else (403,)
        assert answer.status_code in expected, (method, rule.rule, answer.text)
