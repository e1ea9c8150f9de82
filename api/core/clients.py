"""EHR clients: programs of other systems, what they may ask for, and with which keys they sign."""

import re
from typing import Any, Final
from uuid import UUID

from sqlalchemy import JSON, Column, Index, String, Text, UniqueConstraint, Uuid, select

from api import clock
from api.access.policies import Actor
from api.access.users import clinics
from api.audit import trail
from api.core import gate
from api.core.client_keys import checked
from api.db import (
    Instant,
    Listing,
    Page,
    Values,
    found,
    match,
    of,
    page,
    store,
    tenant_table,
    within,
)
from api.errors import Conflict, Invalid
from api.outbox import egress, events

ACTIVE, REVOKED = STATES = ("active", "revoked")
MAX_SCOPES, MAX_SCOPE = 100, 200
MAX_NAME, MAX_URL, MAX_SYSTEM = 200, 500, 200
SCOPE: Final = re.compile(
    r"system/(\*|[A-Z][A-Za-z]{1,60})\.((?=[cruds])c?r?u?d?s?|read|write|\*)"
    r"(\?[A-Za-z0-9_:.|/=&%+-]{1,120})?",
    re.ASCII,
)
"""A scope of SMART App Launch 2.2 for a system, or one of version 1."""
SYSTEM: Final = re.compile(r"(https?://|urn:)[\x21-\x7b\x7d\x7e]+", re.ASCII)
"""The URI of a system of identifiers; `|` separates it from the value elsewhere."""
HIDDEN: Final = ("clinic_id", "deleted_at", "disabled_at", "scopes", "registered_by")

ehr_clients = tenant_table(
    "ehr_clients",
    Column("name", String(MAX_NAME), nullable=False),
    Column("jwks", JSON(none_as_null=True)),
    Column("jwks_uri", String(MAX_URL)),
    Column("scopes", Text, nullable=False),
    Column("external_system", String(MAX_SYSTEM), nullable=False),
    Column("registered_by", Uuid),
    Column("disabled_at", Instant),
    of("users", "registered_by"),
    UniqueConstraint("id"),
    patient=False,
)
"""`id` is the `client_id`, unique over all clinics; `scopes` are those granted, one space between;
`external_system` is the system of the identifiers by which the client knows patients. Exactly one
of `jwks` and `jwks_uri` is given."""
IN_USE = ehr_clients.c.disabled_at.is_(None)
Index(
    "uq_ehr_clients_system",
    *ehr_clients.c["clinic_id", "external_system"],
    unique=True,
    sqlite_where=IN_USE,
    postgresql_where=IN_USE,
)


def active_client(client_id: UUID) -> Values | None:
    """The client of this id in whichever clinic, unless it was revoked; asks nobody.

    For sign-in by an assertion, before anybody is known, and for each request after it.
    """
    with within(client_id=client_id):
        return store().row(select(ehr_clients).where(ehr_clients.c.id == client_id, IN_USE))


def list_clients(actor: Actor, asked: Page, state: str | None = None) -> Listing:
    """The clinic's EHR clients, in the order in which they were registered."""
    gate.admit(actor, "client:read")
    statement = select(ehr_clients).where(ehr_clients.c.clinic_id == actor.clinic_id)
    if state is not None:
        statement = statement.where(IN_USE if state == ACTIVE else ~IN_USE)
    listing = page(statement, ehr_clients, asked)
    listing.items = [_show(row) for row in listing.items]
    return listing


def read_client(actor: Actor, client_id: UUID) -> Values:
    """One EHR client."""
    gate.admit(actor, "client:read")
    return _show(_find(actor, client_id))


def register_client(actor: Actor, values: Values) -> Values:
    """A new EHR client; its `client_id` is answered, and its keys check its assertions."""
    gate.admit(actor, "client:manage")
    full: Values = {"jwks": None, "jwks_uri": None} | _columns(values)
    _one_of_keys(full)
    _refuse_taken(actor, full["external_system"])
    by = {"clinic_id": actor.clinic_id, "registered_by": actor.user_id}
    row = store().add(ehr_clients, full | by)
    trail.about("client", row["id"])
    trail.wrote(values)
    _tell(row, "client.registered")
    return _show(row)


def change_client(actor: Actor, client_id: UUID, version: int | None, values: Values) -> Values:
    """Other keys (a rotation), other scopes or another name; the next assertion meets them."""
    gate.admit(actor, "client:manage")
    row = _find(actor, client_id, hold=True)
    match(row, version)
    _refuse_revoked(row)
    given = _columns(values)
    if given.get("jwks") is not None or given.get("jwks_uri") is not None:
        given = {"jwks": None, "jwks_uri": None} | given
    _one_of_keys(row | given)
    trail.wrote(values)
    return _show(store().change(ehr_clients, row, given) if given else row)


def revoke_client(actor: Actor, client_id: UUID) -> Values:
    """The client is refused from its next request on, for good; its system may be given anew."""
    gate.admit(actor, "client:manage")
    row = _find(actor, client_id, hold=True)
    _refuse_revoked(row)
    trail.wrote(["disabled_at"])
    after = store().change(ehr_clients, row, {"disabled_at": clock.now()})
    _tell(after, "client.revoked")
    return _show(after)


def _tell(row: Values, name: str) -> None:
    events.append(store(), row["clinic_id"], name, {"client_id": row["id"]})


def _find(actor: Actor, client_id: UUID, hold: bool = False) -> Values:
    trail.about("client", client_id)
    one = select(ehr_clients).where(
        ehr_clients.c.clinic_id == actor.clinic_id, ehr_clients.c.id == client_id
    )
    return found(store().row(one.with_for_update() if hold else one))


def _refuse_revoked(row: Values) -> None:
    if row["disabled_at"] is not None:
        raise Conflict("The client was revoked; register it anew.", state=REVOKED, allowed=[])


def _columns(values: Values) -> Values:
    """The values as the columns keep them; raises `Invalid` for keys and scopes that can't be."""
    given = dict(values)
    for name, most in (("name", MAX_NAME), ("external_system", MAX_SYSTEM)):
        if len(given.get(name, "")) > most:
            raise Invalid([(f"/{name}", f"At most {most} characters.")])
    if "scopes" in given:
        given["scopes"] = " ".join(_scopes(given["scopes"]))
    if given.get("jwks") is not None:
        given["jwks"] = checked(given["jwks"])
    if given.get("jwks_uri") is not None:
        _check_url(given["jwks_uri"])
    if "external_system" in given and not SYSTEM.fullmatch(given["external_system"]):
        raise Invalid([("/external_system", "The URI of a system of identifiers, without `|`.")])
    return given


def _scopes(scopes: list[str]) -> list[str]:
    bad = [n for n, scope in enumerate(scopes) if not SCOPE.fullmatch(scope)]
    if bad:
        said = "Not a scope of a system, such as system/Observation.rs."
        raise Invalid([(f"/scopes/{number}", said) for number in bad])
    return sorted(set(scopes))


def _check_url(url: str) -> None:
    try:
        egress.read_url(url)
    except egress.NotSent:
        detail = "An https:// address of a host outside, on port 443, without a password."
        raise Invalid([("/jwks_uri", detail)]) from None


def _one_of_keys(full: Values) -> None:
    if (full["jwks"] is None) == (full["jwks_uri"] is None):
        raise Invalid([("/jwks", "Send either `jwks` or `jwks_uri`.")])


def _refuse_taken(actor: Actor, system: str) -> None:
    """Raise unless the system is free, also when two register for it at once.

    The clinic's row is held: whoever comes second waits, and then sees the first.
    """
    clinic = select(clinics.c.id).where(clinics.c.id == actor.clinic_id)
    store().execute(clinic.with_for_update(key_share=True))
    c = ehr_clients.c
    taken = select(c.id).where(c.clinic_id == actor.clinic_id, c.external_system == system, IN_USE)
    if store().row(taken) is not None:
        detail = "Another client in use has this system of identifiers."
        at = [{"pointer": "/external_system", "detail": detail}]
        raise Conflict(detail, allowed=[], errors=at)


def _show(row: Values) -> Values:
    shown: dict[str, Any] = {name: value for name, value in row.items() if name not in HIDDEN}
    return shown | {
        "client_id": row["id"],
        "scopes": row["scopes"].split(),
        "state": ACTIVE if row["disabled_at"] is None else REVOKED,
        "revoked_at": row["disabled_at"],
    }
