"""The journal over v1: the patient's own pages, for themself alone unless they share one."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.integration import journals
from api.core.integration.tables import MOOD
from api.paging import Listing, Values
from api.v1.entries import EntrySchema, sharing
from api.v1.forms import Ask, Day, Whole, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("journal", "The patient's own pages.")
ONE = "/journal/<id:journal_id>"
OF_PATIENT = "/patients/<id:patient_id>/journal"
MOOD_IS = {"description": "0 lowest to 10 highest, as the patient puts it."}
WRITTEN_ON = {"description": "The patient's calendar day, default today; not ahead."}


class PageFields(Ask):
    """What may be written of a page; it has a text, a mood, or both."""

    text = Words(20_000, allow_none=True)
    mood = Whole(*MOOD, allow_none=True, metadata=MOOD_IS)
    written_on = Day(metadata=WRITTEN_ON)
    shared_with = sharing()


class NewJournalSchema(PageFields):
    """A page as it is written; `me` unless `shared_with` says otherwise."""


class ChangedJournalSchema(PageFields):
    """A merge patch of a page: absent = unchanged, null = cleared."""


class JournalSchema(EntrySchema):
    """A page of the journal, word by word."""

    text = shown(ma.fields.String, nullable=True)
    mood = shown(ma.fields.Integer, nullable=True, metadata=MOOD_IS)
    written_on = shown(Day)


@blp.offer("GET", OF_PATIENT, "journal:read", answer=JournalSchema, paged=True)
def list_journal(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's journal, the latest day first.

    The care team sees the pages that the patient shares.
    """
    return journals.list_journal(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "journal:write",
    body=NewJournalSchema,
    answer=JournalSchema,
    location="/api/v1/journal/{id}",
    example={"text": "The light was different today.", "mood": 6},
)
def write_journal(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Write a page of the journal.

    It is for the patient alone (`me`) unless `shared_with` says otherwise.
    """
    return journals.write_journal(actor, patient_id, values)


@blp.offer("GET", ONE, "journal:read", answer=JournalSchema)
def read_journal(actor: Actor, journal_id: Any) -> Values:
    """Read a page of the journal."""
    return journals.read_journal(actor, journal_id)


@blp.offer(
    "PATCH",
    ONE,
    "journal:write",
    body=ChangedJournalSchema,
    answer=JournalSchema,
    example={"shared_with": "care_team"},
)
def change_journal(actor: Actor, journal_id: Any, version: int | None, values: Values) -> Values:
    """Change a page of the journal or with whom it is shared."""
    return journals.change_journal(actor, journal_id, version, values)


@blp.offer("DELETE", ONE, "journal:write", status=204)
def remove_journal(actor: Actor, journal_id: Any, version: int | None) -> None:
    """Remove a page of the journal."""
    return journals.remove_journal(actor, journal_id, version)
