"""One-use links: a form and nothing else, for whoever holds the token, once and for 72 hours.

The token is kept as its digest. Behind it nobody is signed in: the link acts for one call as the
patient who was sent it, may log the one check-in, and opens no chart.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Index, String, Uuid, select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate, one_use
from api.core.clinic import crisis_for
from api.core.integration.entries import patient_of
from api.core.one_use import GONE
from api.core.outcomes import checkins
from api.core.outcomes.checkins.refused import hear_refused_new
from api.core.outcomes.checkins.scored import known_instrument
from api.core.outcomes.checkins.showing import answered
from api.core.outcomes.instruments import showing
from api.core.patients import open_chart, patients
from api.core.replay import digest
from api.core.sign_ins import new_token
from api.core.words import words_for
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
from api.errors import Conflict, NotFound

LASTS: Final = timedelta(hours=72)
AGAIN: Final = timedelta(hours=24)
"""How long the same answers sent again under the same key are answered as they were."""
UNUSED, USED, EXPIRED, WITHDRAWN = STATES = ("unused", "used", "expired", "withdrawn")
"""What became of a link; one that a newer one took the place of is withdrawn too."""
SHOWN: Final = (
    *("id", "version", "created_at", "updated_at", "instrument"),
    *("expires_at", "used_at", "withdrawn_at", "check_in_id"),
)
ADDRESS = "/api/v1/check-in-links/{token}"

check_in_links = tenant_table(
    "check_in_links",
    Column("token_hash", String(64), nullable=False),
    Column("instrument", String(60), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("made_by", Uuid, nullable=False),
    Column("used_at", Instant),
    Column("check_in_id", Uuid),
    Column("request_hash", String(64)),
    Column("withdrawn_at", Instant),
    of("users", "made_by"),
    of("check_ins", "check_in_id"),
)
"""`request_hash` is that of the key and the answers it was used with."""
Index("uq_check_in_links_token", check_in_links.c.token_hash, unique=True)


def make_check_in_link(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A link for one check-in; its token is shown this once. The former, unused, is good no more.

    Raises `Conflict` while the instrument has no wording that a patient may be shown.
    """
    patient = open_chart(actor, "check_in_link:make", patient_id)
    key = _askable(patient["clinic_id"], values["instrument"])
    store().hold(patients, patient)
    _end_former(patient, key)
    token, now = new_token(), clock.now()
    row = store().add(
        check_in_links,
        {
            "clinic_id": patient["clinic_id"],
            "patient_id": patient["id"],
            "token_hash": digest(token),
            "instrument": key,
            "expires_at": now + LASTS,
            "made_by": actor.user_id,
        },
    )
    trail.about(check_in_links.name, row["id"])
    trail.wrote(values)
    shown = {name: row[name] for name in ("id", "version", "instrument", "expires_at")}
    return shown | {"token": token, "address": ADDRESS.format(token=token)}


def list_check_in_links(actor: Actor, patient_id: UUID, asked: Page) -> Listing:
    """The patient's links, the newest first, and what became of each; never a token."""
    patient = open_chart(actor, "check_in_link:read", patient_id)
    t = check_in_links.c
    mine = (t.clinic_id == patient["clinic_id"], t.patient_id == patient["id"])
    listing = page(select(check_in_links).where(*mine), check_in_links, asked, newest_first=True)
    listing.items = [_show(row) for row in listing.items]
    return listing


def withdraw_check_in_link(
    actor: Actor, patient_id: UUID, link_id: UUID, version: int | None
) -> None:
    """The link is good no more; `Conflict` for one that was used, or is over already."""
    patient = open_chart(actor, "check_in_link:make", patient_id)
    t = check_in_links.c
    one = select(check_in_links).where(
        t.clinic_id == patient["clinic_id"], t.patient_id == patient["id"], t.id == link_id
    )
    row = found(store().row(one.with_for_update()))
    trail.about(check_in_links.name, link_id)
    match(row, version)
    if _state(row) != UNUSED:
        raise Conflict("Only a link that can still be used is withdrawn.", state=_state(row))
    _withdraw(row)


def _withdraw(row: Values) -> None:
    now = clock.now()
    store().change(check_in_links, row, {"withdrawn_at": now, "expires_at": now})


def _state(row: Values) -> str:
    if row["used_at"] is not None:
        return USED
    if row["withdrawn_at"] is not None:
        return WITHDRAWN
    return UNUSED if row["expires_at"] > clock.now() else EXPIRED


def _show(row: Values) -> Values:
    shown: Values = {name: row[name] for name in SHOWN}
    return shown | {"state": _state(row)}


def bearer_of(token: str, request_id: str, client_ip: str | None) -> Actor:
    """Who holds the token: an actor for this call, named by the link and good for its form alone.

    Raises `NotFound`, in the same words for a token that is unknown, over, or used long ago.
    """
    row = _link(token)
    return one_use.bearer(row, row["patient_id"], request_id, client_ip)


def open_check_in_link(bearer: Actor) -> Values:
    """The form: the instrument, until when the link is good, and words; nothing of the chart."""
    row = _fresh(bearer)
    trail.begin("check_in_link:open")
    form = showing.read_instrument(bearer, row["instrument"])
    trail.about(check_in_links.name, row["id"])
    trail.touches([row["patient_id"]])
    locale = _locale(row)
    name, crisis = crisis_for(row["clinic_id"], locale)
    return {
        "crisis": crisis,
        "words": words_for(locale)["check_ins"]["link"].format(clinic=name),
        "expires_at": row["expires_at"],
        "instrument": form,
    }


def answer_check_in_link(bearer: Actor, values: Values, key: str | None) -> tuple[Values, bool]:
    """The check-in as a patient is answered, and whether it had been taken before.

    The same answers under the same `key` are answered again; anything else finds no link.
    """
    row = _held(bearer)
    if not _is_good(row, clock.now()):
        raise NotFound(GONE)
    asked = digest(key or "", repr(sorted(values.items())))
    if row["used_at"] is not None:
        return _again(bearer, row, asked if key else None), True
    whole = {"instrument": row["instrument"], "complete": True} | values
    logged = checkins.log_checkin(bearer, row["patient_id"], whole)
    used = {"used_at": clock.now(), "check_in_id": logged["id"], "request_hash": asked}
    store().change(check_in_links, row, used)
    return logged, False


def hear_refused_link(bearer: Actor, said: Values) -> Values | None:
    """Crisis resources, when answers that were refused hold a positive safety answer."""
    row = _fresh(bearer)
    return hear_refused_new(bearer, row["patient_id"], said | {"instrument": row["instrument"]})


def _askable(clinic_id: UUID, key: str) -> str:
    one = known_instrument(clinic_id, key)
    if one.is_text_missing:
        raise Conflict(
            "The wording of this instrument is not available here.",
            reason="instrument_text_missing",
            missing=["instrument_text"],
        )
    return one.key


def _end_former(patient: Values, key: str) -> None:
    t = check_in_links.c
    former = (t.clinic_id == patient["clinic_id"], t.patient_id == patient["id"])
    unused = (t.instrument == key, t.used_at.is_(None), t.expires_at > clock.now())
    held = select(check_in_links).where(*former, *unused).order_by(t.id)
    for row in store().rows(held.with_for_update()):
        _withdraw(row)


def _link(token: str) -> Values:
    """The link of a token while it is good, or was used a short while ago."""
    t, now, token_hash = check_in_links.c, clock.now(), digest(token)
    with within(token_hash=token_hash):
        row = store().row(select(check_in_links).where(t.token_hash == token_hash))
    if row is None or not _is_good(row, now):
        raise NotFound(GONE)
    return row


def _is_good(row: Values, now: datetime) -> bool:
    if row["deleted_at"] is not None:
        return False
    used: datetime | None = row["used_at"]
    return bool(row["expires_at"] > now if used is None else used + AGAIN > now)


def _fresh(bearer: Actor) -> Values:
    row: Values = bearer.extras["link"]
    if row["used_at"] is not None:
        raise NotFound(GONE)
    return row


def _held(bearer: Actor) -> Values:
    """The link as it is now, kept from others until this transaction ends."""
    t, row = check_in_links.c, bearer.extras["link"]
    statement = select(check_in_links).where(t.clinic_id == row["clinic_id"], t.id == row["id"])
    return found(store().row(statement.with_for_update()))


def _again(bearer: Actor, row: Values, asked: str | None) -> Values:
    if asked is None or asked != row["request_hash"]:
        raise NotFound(GONE)
    taken = gate.find_in_chart(bearer, "check_in:log", checkins.check_ins, row["check_in_id"])
    return answered(bearer, patient_of(taken), taken)


def _locale(row: Values) -> str:
    p = patients.c
    mine = (p.clinic_id == row["clinic_id"], p.id == row["patient_id"])
    known: Any = found(store().row(select(p.locale).where(*mine)))["locale"]
    return str(known)
