"""What the entries of a chart have in common: author, patient, parents, and who may change them."""

from collections.abc import Iterable
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, bindparam, select

from api.access.policies import Actor
from api.audit import trail
from api.core.gate import shown_to
from api.core.holds import keep_held
from api.core.integration import sharing
from api.core.integration.reading import reading
from api.core.integration.tables import ME
from api.core.patients import display_name, patients
from api.core.treatment.sessions import sessions
from api.core.treatment.windows import doses_told
from api.db import Listing, Page, Values, found, new_id, page, store
from api.errors import Invalid, NotAllowed
from api.outbox import events

EVENTS = {
    "insights": "insight.noted",
    "goals": "goal.created",
    "practices": "practice.created",
    "steps": "step.logged",
    "moments": "moment.noticed",
}
"""The event of a new entry, by its table."""
WORDS = ("text", "in_words_of")
"""What is said in an entry, and whose words that is."""
HIDDEN = (
    "clinic_id",
    "patient_id",
    "author_id",
    "author_kind",
    "chosen_sharing",
    "unshared_at",
    "deleted_at",
)


def add(
    author: Actor, table: Table, patient: Values, values: Values, parent: Values | None = None
) -> Values:
    """A new entry of the patient's chart, with its author and its sharing."""
    keys = {"clinic_id": patient["clinic_id"], "patient_id": patient["id"]}
    by = {"author_id": author.user_id, "author_kind": author.rights.role.value}
    shared = sharing.of_new(author, patient, values, parent)
    entry = {"id": new_id()} | values | keys | by | shared
    return store().add(table, entry, also=_events(table, entry))


def _events(table: Table, entry: Values) -> list[tuple[Table, Values]]:
    """What others are told of a new entry: nothing of one that the patient keeps for themself."""
    name = EVENTS.get(table.name)
    if name is None or entry["shared_with"] == ME:
        return []
    subject = {"patient_id": entry["patient_id"], f"{name.split('.')[0]}_id": entry["id"]}
    return [events.row(entry["clinic_id"], name, subject)]


def change(
    author: Actor, table: Table, row: Values, values: Values, parent: Values | None = None
) -> Values:
    """The entry changed, and what hangs on it made private or shared along with it.

    Nothing asked for changes nothing: the version stays.
    """
    if not values:
        return row
    shared = sharing.of_changed(author, row, values, parent)
    keep_held(table, row, values)
    after = store().change(table, row, values | shared)
    sharing.spread(table, row, after)
    return after


def refuse_unless_own(author: Actor, row: Values) -> None:
    """Raise unless the author may change the entry: the patient each, staff what staff wrote."""
    if not author.rights.is_patient and row["author_kind"] == "patient":
        raise NotAllowed("These are the patient's own words; only they change them.")


def refuse_other_words(author: Actor, row: Values, changed: Iterable[str] = WORDS) -> None:
    """Raise when a patient changes or removes the text that a clinician wrote, or whose it is."""
    theirs = author.rights.is_patient and row["author_kind"] != "patient"
    if theirs and not set(WORDS).isdisjoint(changed):
        raise NotAllowed("These are a clinician's words; only clinicians change them.")


def patient_of(row: Values) -> Values:
    """The patient whose chart holds the entry, with the instants of their doses."""
    whose = {"of_clinic": row["clinic_id"], "of_patient": row["patient_id"]}
    return found(store().row(_patient(), **whose))


@cache
def _patient() -> Select[Any]:
    """What `patient_of` asks, made once: of whom comes with the question."""
    p = patients.c
    columns = (
        *(p.clinic_id, p.id, p.legal_given, p.legal_family, p.preferred_name),
        *(p.status, p.locale, p.time_zone, p.default_sharing, p.sex_at_birth, p.birth_on),
        doses_told(p.clinic_id, p.id).label("doses"),
    )
    mine = [p.clinic_id == bindparam("of_clinic"), p.id == bindparam("of_patient")]
    return select(*columns).where(*mine)


def steady(reader: Actor, table: Table, record_id: UUID) -> Values:
    """A parent as it is now, which nobody changes before this transaction ends.

    Between being found and being held it may have become `me`: then it is not there for others.
    """
    one = [table.c.clinic_id == reader.clinic_id, table.c.id == record_id]
    statement = select(table).where(*one, shown_to(reader, table), table.c.deleted_at.is_(None))
    return found(store().row(statement.with_for_update(read=True), opens=table))


def named(
    reader: Actor, table: Table, patient: Values, pointer: str, record_id: UUID | None
) -> Values | None:
    """The entry of the same patient that a body names, held; `Invalid` at `pointer` without one."""
    if record_id is None:
        return None
    there = [table.c.clinic_id == patient["clinic_id"], table.c.patient_id == patient["id"]]
    statement = select(table).where(
        *there, table.c.id == record_id, table.c.deleted_at.is_(None), shown_to(reader, table)
    )
    row = store().row(statement.with_for_update(read=True), opens=table)
    if row is None:
        raise Invalid([(pointer, "No such record of this patient.")])
    trail.names(table.name, [record_id])
    return row


def refuse_other_session(patient: Values, session_id: UUID | None) -> None:
    """Raise `Invalid` unless the session named is one of this patient, or none is."""
    if session_id is None:
        return
    s = sessions.c
    mine = [s.clinic_id == patient["clinic_id"], s.patient_id == patient["id"]]
    statement = select(s.id).where(*mine, s.id == session_id, s.deleted_at.is_(None))
    if store().row(statement) is None:
        raise Invalid([("/session_id", "No session of this patient.")])


def pointed_at(
    reader: Actor, table: Table, ids: Iterable[UUID | None], *columns: str
) -> dict[UUID, Values]:
    """Those of the entries named that the reader may see, by id, with `columns`; one query."""
    wanted = {each for each in ids if each is not None}
    if not wanted:
        return {}
    shown = [table.c[name] for name in ("clinic_id", "id", *columns)]
    statement = select(*shown).where(
        table.c.clinic_id == reader.clinic_id,
        table.c.id.in_(wanted),
        table.c.deleted_at.is_(None),
        shown_to(reader, table),
    )
    there = {row["id"]: row for row in store().rows(statement, opens=table)}
    trail.names(table.name, there)
    return there


def listed(
    reader: Actor,
    table: Table,
    asked: Page,
    within: Values,
    order: str | None = None,
    **equal: Any,
) -> Listing:
    """One page of the entries `within` a chart or parent, narrowed to the values that are given.

    The newest come first. What became `me` is a tombstone in every narrowed list, for what it
    is now is not for others to ask.
    """
    seen = sharing.as_seen_by(reader, table)
    statement = select(seen).where(seen.c.clinic_id == reader.clinic_id)
    statement = statement.where(*(seen.c[name] == value for name, value in within.items()))
    for name, value in equal.items():
        if value is not None:
            alike = seen.c[name] == value
            private = seen.c.shared_with == ME
            statement = statement.where(alike if reader.rights.is_patient else alike | private)
    keys = [seen.c[order]] if order else []
    return page(statement, seen, asked, keys, newest_first=True, opens=table)


def show(patient: Values, row: Values) -> Values:
    """What the doors show of any entry."""
    shown = {key: value for key, value in row.items() if key not in HIDDEN}
    shown["patient"] = {"id": patient["id"], "display_name": display_name(patient)}
    shown["created_by"] = row["author_kind"]
    return shown


def with_reading(writer: Actor, patient: Values, shown: Values) -> Values:
    """The answer to what a patient wrote: it says who reads it and by when."""
    if not writer.rights.is_patient:
        return shown
    said = reading(shown["shared_with"], patient["status"], patient["locale"])
    return shown | {"reading": said}
