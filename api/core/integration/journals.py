"""The journal: the patient's own pages, for themself alone unless they share one."""

from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.holds import refuse_held
from api.core.integration import entries
from api.core.integration.tables import ME, journal
from api.core.patients import open_chart
from api.db import Listing, Page, Values, match, store
from api.errors import Invalid


def list_journal(actor: Actor, patient_id: UUID, asked: Page) -> Listing:
    """The patient's journal by the day it was written for, the latest first."""
    patient = open_chart(actor, "journal:read", patient_id)
    listing = entries.listed(actor, journal, asked, {"patient_id": patient_id}, "written_on")
    listing.items = [entries.show(patient, row) for row in listing.items]
    return listing


def write_journal(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A new page of the journal; `me` unless the patient shares it."""
    patient = open_chart(actor, "journal:write", patient_id)
    at_first = {"shared_with": ME, "written_on": clock.today(patient["time_zone"])}
    full = at_first | values
    _check(patient, full)
    row = entries.add(actor, journal, patient, full)
    trail.about(journal.name, row["id"])
    trail.wrote(values)
    return entries.with_reading(actor, patient, entries.show(patient, row))


def read_journal(actor: Actor, journal_id: UUID) -> Values:
    """One page of the journal."""
    row = gate.find_in_chart(actor, "journal:read", journal, journal_id)
    return entries.show(entries.patient_of(row), row)


def change_journal(actor: Actor, journal_id: UUID, version: int | None, values: Values) -> Values:
    """A page is changed, or shared otherwise."""
    row = gate.find_in_chart(actor, "journal:write", journal, journal_id)
    match(row, version)
    patient = entries.patient_of(row)
    _check(patient, row | values)
    trail.wrote(values)
    after = entries.change(actor, journal, row, values)
    return entries.with_reading(actor, patient, entries.show(patient, after))


def remove_journal(actor: Actor, journal_id: UUID, version: int | None) -> None:
    """The page goes."""
    row = gate.find_in_chart(actor, "journal:write", journal, journal_id)
    match(row, version)
    refuse_held(row["clinic_id"], row["patient_id"])
    store().remove(journal, row)


def _check(patient: Values, page: Values) -> None:
    if page.get("text") is None and page.get("mood") is None:
        raise Invalid([("/text", "A page has a text, a mood, or both.")])
    if page["written_on"] > clock.today(patient["time_zone"]):
        raise Invalid([("/written_on", "Not ahead of today where the patient lives.")])
