"""EHR clients: registered by keys that are public, rotated, revoked, and of one clinic alone."""

from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import select

from api import db
from api.core import client_keys, clients
from api.core.clients import ehr_clients
from api.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn
from api.outbox.events import outbox_events
from api.paging import Page
from tests import builders
from tests.builders import Scene
from tests.keyrings import ec_key, rsa_key
from tests.racing import at_once


def asked(**more: Any) -> dict[str, Any]:
    return {
        "name": "Valley EHR",
        "scopes": ["system/Patient.rs", "system/Observation.crs"],
        "external_system": "https://ehr.valley.example/patients",
        "jwks": {"keys": [ec_key(), rsa_key()]},
    } | more


def register(scene: Scene, **more: Any) -> db.Values:
    with db.transaction():
        return clients.register_client(scene["CA"].actor, asked(**more))


def events_of(scene: Scene) -> list[str]:
    mine = outbox_events.c.clinic_id == scene.clinic_id
    with db.transaction() as store:
        return [
            row["name"]
            for row in store.rows(select(outbox_events).where(mine).order_by(outbox_events.c.id))
        ]


# --- keys


def test_keys_for_rs384_and_es384_are_kept_with_nothing_beside_what_checks_a_signature() -> None:
    kept = client_keys.checked({"keys": [ec_key(x5t="abc", key_ops=["verify"]), rsa_key()]})
    assert kept == {"keys": [ec_key(), rsa_key()]}


@pytest.mark.parametrize(
    ("key", "part"),
    [
        (ec_key(d="AAAA"), "d"),
        (rsa_key(p="AAAA"), "p"),
        ({"kty": "oct", "kid": "1", "k": "AAAA"}, "k"),
        ({"kty": "OKP", "kid": "1", "crv": "Ed25519", "x": "AAAA"}, "kty"),
        ({"kty": ["EC"], "kid": "1"}, "kty"),
        (ec_key(kid=None), "kid"),
        (ec_key(kid=7), "kid"),
        (ec_key(alg="ES256"), "alg"),
        (ec_key(alg=["ES384"]), "alg"),
        (rsa_key(alg="none"), "alg"),
        (rsa_key(use="enc"), "use"),
        (ec_key(crv="P-256"), "crv"),
        (ec_key(x=ec_key()["y"]), "x"),
        (ec_key(x="AAAA"), "x"),
        (ec_key(x="a b"), "x"),
        (rsa_key(bits=1024), "n"),
        (rsa_key(n="*"), "n"),
        (rsa_key(n=5), "n"),
        (rsa_key(e="Ag"), "e"),
    ],
)
def test_a_key_that_is_secret_weak_or_of_another_kind_is_refused(key: Any, part: str) -> None:
    with pytest.raises(Invalid) as refusal:
        client_keys.checked({"keys": [rsa_key("first"), key]})
    assert [at for at, _ in refusal.value.errors] == [f"/jwks/keys/1/{part}"]


@pytest.mark.parametrize("jwks", [{}, {"keys": []}, {"keys": {}}, {"keys": [1]}])
def test_what_is_no_set_of_keys_is_refused(jwks: Any) -> None:
    with pytest.raises(Invalid):
        client_keys.checked(jwks)


def test_no_two_keys_of_a_kind_have_one_name() -> None:
    with pytest.raises(Invalid):
        client_keys.checked({"keys": [ec_key("same"), ec_key("same")]})
    assert len(client_keys.checked({"keys": [ec_key("same"), rsa_key("same")]})["keys"]) == 2


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["kty", "kid", "alg", "use", "n", "e", "crv", "x", "y", "d"]),
        st.one_of(st.text(max_size=8), st.integers(), st.none(), st.sampled_from(["RSA", "EC"])),
    )
)
def test_whatever_is_sent_as_a_key_is_taken_whole_or_refused(key: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        client_keys.checked({"keys": [key]})


# --- a client's life


def test_a_client_is_registered_and_found_by_its_id_alone(scene: Scene) -> None:
    made = register(scene)
    assert made["client_id"] == made["id"] and made["state"] == "active"
    assert made["scopes"] == ["system/Observation.crs", "system/Patient.rs"]
    with db.transaction():
        row = clients.active_client(made["id"])
    assert row is not None and row["clinic_id"] == scene.clinic_id
    assert row["scopes"] == "system/Observation.crs system/Patient.rs"
    assert row["jwks"] == {"keys": [ec_key(), rsa_key()]} and row["jwks_uri"] is None
    assert events_of(scene) == ["client.registered"]


def test_keys_are_given_here_or_at_an_address_outside_and_not_both(scene: Scene) -> None:
    at = "https://ehr.valley.example/jwks.json"
    assert register(scene, jwks=None, jwks_uri=at)["jwks_uri"] == at
    other = {"external_system": "urn:oid:1.2.3"}
    for wrong in ({"jwks_uri": at}, {"jwks": None}, {"jwks": None, "jwks_uri": "http://x.example"}):
        with pytest.raises(Invalid):
            register(scene, **other, **wrong)
    for inside in ("https://localhost/k", "https://10.0.0.1/k", "https://x.example:8443/k"):
        with pytest.raises(Invalid):
            register(scene, **other, jwks=None, jwks_uri=inside)


@pytest.mark.parametrize(
    "scope",
    [
        "system/Observation.rs",
        "system/*.cruds",
        "system/*.read",
        "system/Patient.*",
        "system/Observation.rs?category=http://terminology.hl7.org/CodeSystem/x|survey",
    ],
)
def test_scopes_of_a_system_are_granted(scene: Scene, scope: str) -> None:
    assert register(scene, scopes=[scope, scope])["scopes"] == [scope]


@pytest.mark.parametrize(
    "scope",
    ["patient/*.rs", "user/Patient.r", "system/Patient", "system/Patient.", "system/patient.r"]
    + ["system/Patient.sr", "system/Patient.rs system/Goal.r", "openid", "", "system/Patient.r?"],
)
def test_other_scopes_are_refused(scene: Scene, scope: str) -> None:
    with pytest.raises(Invalid) as refusal:
        register(scene, scopes=["system/Goal.r", scope])
    assert [at for at, _ in refusal.value.errors] == ["/scopes/1"]


@pytest.mark.parametrize("system", ["valley", "https://", "urn:a|b", "https://a b", "ftp://x.y"])
def test_a_system_of_identifiers_is_a_uri(scene: Scene, system: str) -> None:
    with pytest.raises(Invalid):
        register(scene, external_system=system)


def test_no_two_clients_in_use_have_one_system_also_when_they_come_at_once(
    app: Flask, scene: Scene
) -> None:
    tries = [lambda: clients.register_client(scene["CA"].actor, asked()) for _ in range(3)]
    answers = at_once(app, tries)
    assert sorted(isinstance(answer, Conflict) for answer in answers) == [False, True, True]
    elsewhere = clients.register_client(scene["XA"].actor, asked())
    assert elsewhere["state"] == "active"


def test_new_keys_replace_the_old_ones_however_they_are_given(scene: Scene) -> None:
    made = register(scene)
    at = "https://ehr.valley.example/jwks.json"
    with db.transaction():
        moved = clients.change_client(scene["CA"].actor, made["id"], 1, {"jwks_uri": at})
    assert (moved["jwks"], moved["jwks_uri"], moved["version"]) == (None, at, 2)
    keys = {"keys": [ec_key("e2")]}
    with db.transaction():
        back = clients.change_client(scene["CA"].actor, made["id"], 2, {"jwks": keys})
        with pytest.raises(Invalid):
            clients.change_client(scene["CA"].actor, made["id"], 3, {"jwks": None})
    assert (back["jwks"], back["jwks_uri"]) == (keys, None)


def test_a_revoked_client_is_found_no_more_for_good_and_its_system_is_free(scene: Scene) -> None:
    made = register(scene)
    with db.transaction():
        gone = clients.revoke_client(scene["CA"].actor, made["id"])
        assert gone["state"] == "revoked" and gone["revoked_at"] is not None
        assert clients.active_client(made["id"]) is None
        for again in (
            lambda: clients.revoke_client(scene["CA"].actor, made["id"]),
            lambda: clients.change_client(scene["CA"].actor, made["id"], None, {"name": "X"}),
        ):
            with pytest.raises(Conflict):
                again()
    assert register(scene)["id"] != made["id"]
    with db.transaction():
        listed = clients.list_clients(scene["CA"].actor, Page(), "active")
    assert [row["state"] for row in listed.items] == ["active"]
    assert events_of(scene) == ["client.registered", "client.revoked", "client.registered"]


def test_only_an_administrator_who_has_just_signed_in_registers(scene: Scene) -> None:
    for name in ("PS", "CT", "PR", "AY"):
        with pytest.raises(NotAllowed):
            clients.register_client(scene[name].actor, asked())
    with db.transaction():
        builders.let_sign_in_age(scene["CA"])
    with pytest.raises(NotSignedIn):
        clients.register_client(scene["CA"].actor, asked())


def test_a_client_of_another_clinic_is_not_there(scene: Scene) -> None:
    made = register(scene)
    for again in (
        lambda: clients.read_client(scene["XA"].actor, made["id"]),
        lambda: clients.revoke_client(scene["XA"].actor, made["id"]),
    ):
        with pytest.raises(NotFound):
            again()
        db.leave_store()
    with db.transaction() as store:
        mine = ehr_clients.c.id == made["id"]
        assert store.row(select(ehr_clients.c.disabled_at).where(mine)) == {"disabled_at": None}
