"""What a companion attests behind a one-use link: to take the patient home, or to be there.

The token is kept as its digest. Behind it nobody is signed in, no chart opens, and nothing is
told of the patient but that the clinic asks.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, String, Uuid, select

from api import clock
from api.access.policies import Actor
from api.access.users import clinics
from api.audit import trail
from api.core import gate, one_use
from api.core.one_use import GONE
from api.core.patients import patients
from api.core.replay import digest
from api.core.sign_ins import new_token
from api.core.treatment import signatures
from api.core.treatment.moves import FREEING
from api.core.treatment.sessions import sessions
from api.core.treatment.sessions.booking import lock_session
from api.core.words import words_for
from api.db import (
    Instant,
    Listing,
    Page,
    Sealed,
    Values,
    found,
    of,
    page,
    store,
    tenant_table,
    within,
)
from api.errors import Conflict, NotFound

KINDS: Final = ("escort", "chaperone")
LASTS: Final = timedelta(hours=72)
AGAIN: Final = timedelta(hours=24)
"""How long the same words sent again under the same key are answered as they were."""
ADDRESS = "/api/v1/attestation-links/{token}"

attestations = tenant_table(
    "attestations",
    Column("session_id", Uuid, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("made_by", Uuid, nullable=False),
    Column("attested_at", Instant),
    Column("attested", Sealed),
    Column("request_hash", String(64)),
    of("sessions", "session_id"),
    of("users", "made_by"),
    CheckConstraint(f"kind IN {KINDS}", name="kind"),
)
"""A link for one companion, and who attested with it: `{name, phone, relation}`.

`request_hash` is that of the key and the words it was used with."""
Index("uq_attestations_token", attestations.c.token_hash, unique=True)
Index("ix_attestations_session", *attestations.c["clinic_id", "session_id"])


def make_attestation_link(actor: Actor, session_id: UUID, values: Values) -> Values:
    """A link for one companion; its token is shown this once.

    A former one of this kind that was not used is good no more.
    """
    session = gate.find_in_chart(actor, "attestation:ask", sessions, session_id)
    session = lock_session(session)
    signatures.refuse_if_locked(session)
    if session["state"] in FREEING:
        raise Conflict("The session was called off.", state=session["state"], allowed=[])
    _end_former(session, values["kind"])
    token, now = new_token(), clock.now()
    keys = {name: session[name] for name in ("clinic_id", "patient_id")}
    more = {"token_hash": digest(token), "expires_at": now + LASTS, "made_by": actor.user_id}
    row = store().add(attestations, keys | {"session_id": session["id"], **values} | more)
    trail.about(attestations.name, row["id"])
    trail.wrote(values)
    return _show(row, now) | {"token": token, "address": ADDRESS.format(token=token)}


def list_attestations(actor: Actor, session_id: UUID, asked: Page) -> Listing:
    """The links made for companions of a session, and what was attested with each."""
    session = gate.find_in_chart(actor, "attestation:read", sessions, session_id)
    statement = select(attestations).where(*_of(session))
    listing = page(statement, attestations, asked, opens=attestations)
    now = clock.now()
    listing.items = [_show(row, now) for row in listing.items]
    return listing


def bearer_of(token: str, request_id: str, client_ip: str | None) -> Actor:
    """Who holds the token: an actor for this call, named by the link; no chart is in its reach.

    Raises `NotFound`, in the same words for a token that is unknown, over, or used long ago.
    """
    token_hash = digest(token)
    with within(token_hash=token_hash):
        row = store().row(select(attestations).where(attestations.c.token_hash == token_hash))
    if row is None or not _is_good(row, clock.now()):
        raise NotFound(GONE)
    return one_use.bearer(row, None, request_id, client_ip)


def open_attestation_link(bearer: Actor) -> Values:
    """What is to be attested, in words; it names the clinic and not the patient."""
    row: Values = bearer.extras["link"]
    if row["attested_at"] is not None:
        raise NotFound(GONE)
    _begin("attestation:open", row)
    return {"kind": row["kind"], "expires_at": row["expires_at"], "words": _words(row, row["kind"])}


def attest(bearer: Actor, values: Values, key: str | None) -> tuple[Values, bool]:
    """The companion says so, with their name; and whether it had been said before.

    The same words under the same `key` are answered again; anything else finds no link.
    """
    row = _held(bearer)
    asked = digest(key or "", repr(sorted(values.items())))
    if row["attested_at"] is not None:
        return _again(row, asked if key else None), True
    if not _is_good(row, clock.now()) or _is_over(row):
        raise NotFound(GONE)
    _begin("attestation:attest", row)
    trail.wrote(values)
    said = {"attested_at": clock.now(), "attested": values, "request_hash": asked}
    return _thanked(store().change(attestations, row, said)), False


def attested(clinic_id: UUID, session_id: UUID, kind: str) -> list[Values]:
    """What companions attested of a session, the first one first."""
    a = attestations.c
    mine = [a.clinic_id == clinic_id, a.session_id == session_id, a.kind == kind]
    statement = select(attestations).where(*mine, a.attested_at.is_not(None))
    return store().rows(statement.order_by(a.attested_at, a.id), opens=attestations)


def _is_over(row: Values) -> bool:
    """Whether the session was called off, or its record signed: it takes nothing more then."""
    session = lock_session({"clinic_id": row["clinic_id"], "id": row["session_id"]})
    return session["state"] in FREEING or signatures.is_signed(session)


def _begin(action: str, row: Values) -> None:
    trail.begin(action)
    trail.about(attestations.name, row["id"])
    trail.touches([row["patient_id"]])


def _of(session: Values) -> list[Any]:
    a = attestations.c
    return [a.clinic_id == session["clinic_id"], a.session_id == session["id"]]


def _end_former(session: Values, kind: str) -> None:
    a, now = attestations.c, clock.now()
    unused = (a.kind == kind, a.attested_at.is_(None), a.expires_at > now)
    statement = attestations.update().where(*_of(session), *unused)
    store().execute(statement.values(expires_at=now))


def _is_good(row: Values, now: datetime) -> bool:
    if row["deleted_at"] is not None:
        return False
    said: datetime | None = row["attested_at"]
    return bool(row["expires_at"] > now if said is None else said + AGAIN > now)


def _held(bearer: Actor) -> Values:
    """The link as it is now, kept from others until this transaction ends."""
    a, row = attestations.c, bearer.extras["link"]
    statement = select(attestations).where(a.clinic_id == row["clinic_id"], a.id == row["id"])
    return found(store().row(statement.with_for_update(), opens=attestations))


def _again(row: Values, asked: str | None) -> Values:
    if asked is None or asked != row["request_hash"]:
        raise NotFound(GONE)
    _begin("attestation:attest", row)
    return _thanked(row)


def _thanked(row: Values) -> Values:
    words = _words(row, "thanks")
    return {"id": row["id"], "kind": row["kind"], "attested_at": row["attested_at"], "words": words}


def _words(row: Values, name: str) -> str:
    p = patients.c
    mine = (p.clinic_id == row["clinic_id"], p.id == row["patient_id"])
    locale = found(store().row(select(p.locale).where(*mine)))["locale"]
    clinic = found(store().row(select(clinics.c.name).where(clinics.c.id == row["clinic_id"])))
    said: str = words_for(locale)["attestations"][name]
    return said.format(clinic=clinic["name"])


def _show(row: Values, now: datetime) -> Values:
    shown = {name: row[name] for name in ("id", "version", "created_at", "updated_at", "kind")}
    is_open = row["attested_at"] is None and row["expires_at"] > now
    return shown | {
        "session_id": row["session_id"],
        "expires_at": row["expires_at"],
        "attested_at": row["attested_at"],
        "attested": row["attested"],
        "open": is_open,
    }
