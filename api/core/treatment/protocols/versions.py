"""Versions: read by everybody, drafted and approved by those who direct the clinic's medicine."""

import re
from typing import Any
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor, Privilege, Role
from api.access.users import clinics, users
from api.audit import trail
from api.core import gate
from api.core.treatment.protocols import finding, showing
from api.core.treatment.protocols.definition import APPROVED, DRAFT, protocol_from
from api.core.treatment.protocols.shipped import shipped_as_data
from api.core.treatment.protocols.table import protocol_versions
from api.db import SYNC_MARGIN, Listing, Page, Values, found, store
from api.errors import Conflict, Invalid, NotFound


def list_protocols(actor: Actor, asked: Page, locale: str | None = None) -> Listing:
    """Every protocol, by key, each in the version that is in force."""
    gate.admit(actor, "protocol:read")
    rows = finding.versions_of(actor.clinic_id)
    known = finding.in_force(rows, clock.now())
    after = asked.after[0] if asked.after else ""
    keys = sorted(key for key in known if key > after)
    more = len(keys) > asked.limit
    shown = [showing.show(known[key], rows, locale) for key in keys[: asked.limit]]
    shown = [showing.named(actor.clinic_id, one) for one in shown]
    listing = Listing(shown, (shown[-1]["key"],) if more else None)
    if asked.since is not None:
        listing.tombstones = []
        listing.synced_to = None if more else clock.now() - SYNC_MARGIN
    return listing


def read_protocol(actor: Actor, protocol_key: str, locale: str | None = None) -> Values:
    """One protocol in the version that is in force, with the list of all its versions."""
    gate.admit(actor, "protocol:read")
    rows = finding.versions_of(actor.clinic_id, _key(protocol_key))
    one = finding.in_force(rows, clock.now()).get(protocol_key)
    return found(None if one is None else _named(actor, showing.show(one, rows, locale)))


def read_protocol_version(actor: Actor, protocol_key: str, number: str) -> Values:
    """One version of a protocol, drafts among them."""
    gate.admit(actor, "protocol_version:read")
    one = finding.version_of(actor.clinic_id, *_named_by(protocol_key, number))
    rows = finding.versions_of(actor.clinic_id, protocol_key)
    return found(None if one is None else _named(actor, showing.show(one, rows)))


def draft_protocol_version(actor: Actor, protocol_key: str, values: Values) -> Values:
    """A draft that differs from the version before in what is given; nothing obeys it yet.

    `based_on` begins a protocol of the clinic's own, under a key that was not there: it is the key
    of the one that it begins as.
    """
    gate.admit(actor, "protocol_version:draft")
    _hold_clinic(actor.clinic_id)
    rows = finding.versions_of(actor.clinic_id, _key(protocol_key))
    shipped = shipped_as_data().get(protocol_key)
    first = 0 if shipped is None else shipped["version"]
    number = max([first, *(row["number"] for row in rows)]) + 1
    told = dict(values)
    before = _before(actor.clinic_id, protocol_key, rows, told)
    definition = _whole(before, told) | {"key": protocol_key}
    _check(definition, number)
    row = store().add(
        protocol_versions,
        {
            "clinic_id": actor.clinic_id,
            "key": protocol_key,
            "number": number,
            "state": DRAFT,
            "definition": definition,
            "drafted_by": actor.user_id,
        },
    )
    trail.about("protocol_version", row["id"])
    trail.wrote(values)
    return _named(actor, showing.show(finding.made(row), [*rows, row]))


def approve_protocol_version(actor: Actor, protocol_key: str, number: str) -> Values:
    """The draft is in force from now on, or from its day; sessions that have begun keep theirs."""
    gate.admit(actor, "protocol_version:approve")
    v, (key, version) = protocol_versions.c, _named_by(protocol_key, number)
    mine = (v.clinic_id == actor.clinic_id, v.key == key, v.number == version)
    row = found(store().row(select(protocol_versions).where(*mine).with_for_update()))
    trail.about("protocol_version", row["id"])
    if row["state"] != DRAFT:
        raise Conflict("It is approved already.", state=row["state"], allowed=[])
    if row["drafted_by"] == actor.user_id and _directors(actor.clinic_id) > 1:
        raise Conflict("Somebody else approves a draft.", state=DRAFT, allowed=[], own_draft=True)
    trail.wrote(["state"])
    changes = {"state": APPROVED, "approved_by": actor.user_id, "approved_at": clock.now()}
    store().change(protocol_versions, row, changes)
    rows = finding.versions_of(actor.clinic_id, protocol_key)
    return _named(actor, showing.show(finding.made({**row, **changes}), rows))


def _named_by(key: str, number: str) -> tuple[str, int]:
    """Key and version as an address names them; `NotFound` for what can't be either."""
    given = re.fullmatch(r"[1-9]\d{0,5}", number, re.ASCII)
    if given is None:
        raise NotFound("There is no such record.")
    return _key(key), int(number)


def _key(given: str) -> str:
    """A key as an address names it; `NotFound` for what can't be one."""
    if re.fullmatch(r"[a-z][a-z0-9_]{0,59}", given, re.ASCII) is None:
        raise NotFound("There is no such record.")
    return given


def _named(reader: Actor, shown: Values) -> Values:
    return showing.named(reader.clinic_id, shown)


def _hold_clinic(clinic_id: UUID) -> None:
    """One draft at a time, so that numbers follow each other."""
    store().row(select(clinics.c.id).where(clinics.c.id == clinic_id).with_for_update())


def _before(clinic_id: UUID, key: str, rows: list[Values], told: Values) -> Values:
    """The definition that a draft builds on; takes `based_on` out of what was told."""
    based_on = told.pop("based_on", None)
    there = _newest(rows, shipped_as_data().get(key))
    if there is not None:
        if based_on is not None:
            raise Invalid([("/based_on", "This key is there: its versions follow each other.")])
        return there
    if based_on is None:
        raise NotFound("There is no such record.")
    if "title" not in told:
        raise Invalid([("/title", "A protocol of one's own has a title of its own.")])
    base = _newest(finding.versions_of(clinic_id, based_on), shipped_as_data().get(based_on))
    if base is None:
        raise Invalid([("/based_on", "There is no such protocol.")])
    return base


def _newest(rows: list[Values], shipped: dict[str, Any] | None) -> Values | None:
    """The definition that was approved last, else the shipped one, else the first draft."""
    approved = [row["definition"] for row in rows if row["state"] == APPROVED]
    drafts = [row["definition"] for row in rows]
    return approved[-1] if approved else shipped or (drafts[0] if drafts else None)


def _whole(before: Values, values: Values) -> Values:
    """The definition before with what is given in its place, as JSON."""
    dates = {"effective_from": None, "effective_until": None}
    whole = {**before, **dates, **values}
    for name in dates:
        if whole[name] is not None:
            whole[name] = str(whole[name])
    if "review_on" in values:
        whole["review_on"] = str(values["review_on"])
    return {name: value for name, value in whole.items() if name not in ("version", "state")}


def _check(definition: Values, number: int) -> None:
    begins, ends = definition["effective_from"], definition["effective_until"]
    if begins is not None and ends is not None and ends < begins:
        raise Invalid([("/effective_until", "This lies before it begins.")])
    try:
        protocol_from(definition, version=number, state=DRAFT)
    except ValueError as error:
        raise Invalid([("/", str(error))]) from None


def _directors(clinic_id: UUID) -> int:
    """How many clinicians of the clinic may direct."""
    u = users.c
    statement = select(u.privileges).where(
        u.clinic_id == clinic_id,
        u.role == Role.CLINICIAN.value,
        u.disabled_at.is_(None),
        u.deleted_at.is_(None),
    )
    return sum(Privilege.DIRECT in row["privileges"] for row in store().rows(statement))
