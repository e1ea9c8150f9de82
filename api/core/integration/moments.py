"""Moments: "I handled that differently", noticed without being asked for, kept word by word."""

from datetime import date, timedelta
from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.holds import refuse_held
from api.core.integration import entries, replies, sharing
from api.core.integration.practices import name_of
from api.core.integration.tables import moments, practices
from api.core.integration.trail import local_day
from api.core.patients import open_chart
from api.core.treatment import windows
from api.db import Listing, Page, Values, match, store
from api.errors import Invalid

CLOCKS_DIFFER = timedelta(seconds=30)
"""How far a device's clock may run ahead of ours."""


def list_moments(
    actor: Actor,
    patient_id: UUID,
    asked: Page,
    practice_id: UUID | None = None,
    session_id: UUID | None = None,
) -> Listing:
    """The patient's moments, the newest first."""
    patient = open_chart(actor, "moment:read", patient_id)
    equal: Values = {"practice_id": practice_id, "session_id": session_id}
    listing = entries.listed(actor, moments, asked, {"patient_id": patient_id}, **equal)
    listing.items = _show(actor, patient, listing.items)
    return listing


def notice_moment(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A moment is written down; unless told otherwise, whoever writes noticed it just now."""
    patient = open_chart(actor, "moment:notice", patient_id)
    practice = _check(actor, patient, values, values.get("practice_id"))
    at_first = {"noticed_at": clock.now(), "noticed_by": actor.rights.role.value}
    row = entries.add(actor, moments, patient, at_first | values, practice)
    trail.about(moments.name, row["id"])
    trail.wrote(values)
    return entries.with_reading(actor, patient, _show(actor, patient, [row])[0])


def read_moment(actor: Actor, moment_id: UUID) -> Values:
    """One moment."""
    row = gate.find_in_chart(actor, "moment:read", moments, moment_id)
    return _show(actor, entries.patient_of(row), [row])[0]


def change_moment(actor: Actor, moment_id: UUID, version: int | None, values: Values) -> Values:
    """Change a moment, or hang it on another practice."""
    row = gate.find_in_chart(actor, "moment:update", moments, moment_id)
    entries.refuse_unless_own(actor, row)
    entries.refuse_other_words(actor, row, values)
    match(row, version)
    patient = entries.patient_of(row)
    practice_id = values.get("practice_id", row["practice_id"])
    practice = _check(actor, patient, values, practice_id)
    sharing.refuse_hiding(row, practice, "/practice_id")
    trail.wrote(values)
    after = entries.change(actor, moments, row, values, practice)
    return entries.with_reading(actor, patient, _show(actor, patient, [after])[0])


def remove_moment(actor: Actor, moment_id: UUID, version: int | None) -> None:
    """The moment goes, and is counted no more."""
    row = gate.find_in_chart(actor, "moment:update", moments, moment_id)
    entries.refuse_unless_own(actor, row)
    entries.refuse_other_words(actor, row)
    match(row, version)
    refuse_held(row["clinic_id"], row["patient_id"])
    store().remove(moments, row)


def _check(
    author: Actor, patient: Values, values: Values, practice_id: UUID | None
) -> Values | None:
    """The practice that the moment hangs on; raises `Invalid` for what can't be."""
    happened_on, noticed_at = values.get("happened_on"), values.get("noticed_at")
    if happened_on is not None and happened_on > clock.today(patient["time_zone"]):
        raise Invalid([("/happened_on", "Not ahead of today where the patient lives.")])
    if noticed_at is not None and noticed_at > clock.now() + CLOCKS_DIFFER:
        raise Invalid([("/noticed_at", "Lies in the future.")])
    entries.refuse_other_session(patient, values.get("session_id"))
    return entries.named(author, practices, patient, "/practice_id", practice_id)


def _show(reader: Actor, patient: Values, rows: list[Values]) -> list[Values]:
    """Moments as the doors show them, with the practice that each hangs on; three queries."""
    ids = [row["practice_id"] for row in rows]
    there = entries.pointed_at(reader, practices, ids, "title", "new_trail")
    days, answers = windows.windows_of(patient), replies.under(moments, rows)
    shown = []
    for row in rows:
        moment, practice = entries.show(patient, row), there.get(row["practice_id"])
        moment["practice"] = None if practice is None else name_of(practice)
        moment["in_words_of"] = row["in_words_of"] or row["author_kind"]
        moment["window_day"] = days.day(day_of(patient, row))
        moment["replies"] = answers[row["id"]]
        shown.append(moment)
    return shown


def day_of(patient: Values, row: Values) -> date:
    """The patient's own day of a moment: when it happened, else when it was noticed."""
    happened_on: date | None = row["happened_on"]
    return happened_on or local_day(row["noticed_at"], patient["time_zone"])
