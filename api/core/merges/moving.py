"""Moving the records of one chart to another, and those that went along back again.

Every table that hangs on a patient takes part, in the order of their references, so that a record
made after the merge goes back with what it hangs on. What is not to be rewritten (the audit trail,
the feed of changes, codes of released research data) stays, and is found under both ids.
"""

from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, case, exists, literal, null, or_, select

from api import clock
from api.core.merges import last_word
from api.core.merges.table import patient_merge_moves, patient_merges
from api.db import Values, metadata, store, versions

STAYS: Final = frozenset(
    (
        *("audit_event_patients", "changes", "research_subjects", "bulk_patients"),
        *("patient_words", "patient_external_ids", "patient_systems", "patient_merges"),
        *("chart_keys", "chart_purges"),
    )
)
"""What is appended alone, is another door's copy, is made anew from the patient's own row, or is
found by its own id: notes that go along lie under the key under which they were written, and what
was proposed of one chart was not proposed of another."""
BY_RECORD: Final = ("record_versions", "ehr_identifiers", "ehr_identifier_words")
"""What names its record by an id alone, and goes where that goes."""
ONCE: Final = {"list_confirmations": ("list",), "client_patients": ("client_id",), "users": ()}
"""Of which a chart has one, by what: the other chart's own stays, and this one stays behind."""
TOLD: Final = (
    *("clinic_id", "id", "patient_id", "version", "updated_at", "deleted_at", "shared_with"),
)
"""What the feed must know of a record."""
ME: Final = {"shared_with": "me"}
OPEN: Final = "open"
"""Of erasure requests one is open at a time."""
AT_ONCE: Final = 500


@cache
def movable() -> tuple[Table, ...]:
    """The tables whose records go along, each after those that it refers to."""
    there = (t for t in metadata.sorted_tables if "patient_id" in t.c)
    return tuple(t for t in there if t.name not in STAYS and t.name not in BY_RECORD)


def gather(merge: Values) -> int:
    """Move everything of the merged chart to the one that stays; answers how much it was."""
    moved: list[UUID] = []
    for table in movable():
        mine = [*_of(table, merge["merged_id"], merge), *_not_there_already(table, merge)]
        _write_down(table, mine, merge)
        moved += _send(table, mine, merge["patient_id"], _gives_up(table, merge))
    _follow(merge["merged_id"], merge["patient_id"], merge, None)
    last_word.let_stand(merge)
    return len(moved)


def give_back(merge: Values) -> int:
    """Move what went along back, with what was made under it since; answers how much it was."""
    moved: list[UUID] = []
    for table in movable():
        theirs = [*_of(table, merge["patient_id"], merge), _went_along(table, merge)]
        moved += _send(table, theirs, merge["merged_id"], {})
    _take_up_again(merge)
    _follow(merge["patient_id"], merge["merged_id"], merge, moved)
    last_word.let_stand_again(merge)
    return len(moved)


def _of(table: Table, patient_id: UUID, merge: Values) -> list[ColumnElement[bool]]:
    return [table.c.clinic_id == merge["clinic_id"], table.c.patient_id == patient_id]


def _key(table: Table) -> Any:
    """By what a record that went along is known; None for one that goes with what it hangs on."""
    return table.c.client_id if table.name == "client_patients" else table.c.get("id")


def _not_there_already(table: Table, merge: Values) -> list[ColumnElement[bool]]:
    """What stays behind because the other chart has its own."""
    other = table.alias("other")
    there = [other.c.clinic_id == table.c.clinic_id, other.c.patient_id == merge["patient_id"]]
    if table.name in ONCE:
        same = (other.c[name] == table.c[name] for name in ONCE[table.name])
        return [~exists().where(*there, *same)]
    if table.name == "erasure_requests":
        both = and_(table.c.state == OPEN, other.c.state == OPEN)
        return [~exists().where(*there, both)]
    if table.name == "care_team":
        is_same = and_(other.c.clinician_id == table.c.clinician_id, other.c.ended_at.is_(None))
        return [or_(table.c.ended_at.is_not(None), ~exists().where(*there, is_same))]
    return []


def _is_twin(table: Table, merge: Values) -> ColumnElement[bool]:
    """Whether an imported answer lies in the other chart too: then it is no import there."""
    other = table.alias("other")
    same = [other.c[name] == table.c[name] for name in ("instrument", "answered_on")]
    same += [other.c.import_system == table.c.import_system]
    there = [other.c.clinic_id == table.c.clinic_id, other.c.patient_id == merge["patient_id"]]
    return exists().where(*there, *same)


def _gives_up(table: Table, merge: Values) -> Values:
    if table.name != "check_ins":
        return {}
    c = table.c.import_system
    return {"import_system": case((_is_twin(table, merge), null()), else_=c)}


def _write_down(table: Table, mine: list[Any], merge: Values) -> None:
    key = _key(table)
    if key is None:
        return
    twin = table.name == "check_ins"
    was = case((_is_twin(table, merge), table.c.import_system)) if twin else literal(None)
    names = ("clinic_id", "merge_id", "kind", "record_id", "was")
    row = select(table.c.clinic_id, literal(merge["id"]), literal(table.name), key, was).where(
        *mine
    )
    store().execute(patient_merge_moves.insert().from_select(names, row))


def _went_along(table: Table, merge: Values) -> ColumnElement[bool]:
    """Whether a record went along with the merge, or hangs on one that did and is back by now."""
    m, key, said = patient_merge_moves.c, _key(table), []
    if key is not None:
        those = [m.clinic_id == merge["clinic_id"], m.merge_id == merge["id"], m.kind == table.name]
        said.append(key.in_(select(m.record_id).where(*those)))
    for parent, column in _parents(table):
        p = parent.alias().c
        back = [p.clinic_id == table.c.clinic_id, p.id == table.c[column]]
        said.append(exists().where(*back, p.patient_id == merge["merged_id"]))
    return or_(*said)


def _parents(table: Table) -> list[tuple[Table, str]]:
    """What a table's records hang on that hangs on the patient, and by which column."""
    those = (key for key in table.foreign_key_constraints if len(key.column_keys) == 2)
    found = ((key.referred_table, key.column_keys[1]) for key in those)
    return [(t, c) for t, c in found if t in movable() and t is not table and t.name != "users"]


def _send(table: Table, those: list[Any], to: UUID, more: Values) -> list[UUID]:
    """Let records be of another chart; those that have versions go to their next."""
    if "version" not in table.c:
        store().execute(table.update().where(*those).values(patient_id=to, **more))
        return []
    versions.keep_all(store(), table, those, {"patient_id": to})
    next_one = {"version": table.c.version + 1, "updated_at": clock.now(), "patient_id": to} | more
    told = [table.c[name] for name in TOLD if name in table.c]
    changed = table.update().where(*those).values(**next_one).returning(*told)
    rows = store().execute(changed).mappings().all()
    store().tell(table, rows, ME if "shared_with" in table.c else None)
    return [row["id"] for row in rows]


def _take_up_again(merge: Values) -> None:
    """Imported answers that had to give up whence they came are imports again."""
    m, t = patient_merge_moves.c, metadata.tables["check_ins"]
    those = [m.clinic_id == merge["clinic_id"], m.merge_id == merge["id"], m.was.is_not(None)]
    was = select(m.was).where(*those, m.record_id == t.c.id).scalar_subquery()
    mine = _of(t, merge["merged_id"], merge)
    back = t.c.id.in_(select(m.record_id).where(*those))
    store().execute(t.update().where(*mine, back).values(import_system=was))


def _follow(source: UUID, to: UUID, merge: Values, ids: list[UUID] | None) -> None:
    """Former versions and other systems' numbers go where their records went; None: all of them."""
    for name in BY_RECORD:
        table = metadata.tables[name]
        mine = _of(table, source, merge)
        for start in range(0, 1 if ids is None else len(ids), AT_ONCE):
            some = [] if ids is None else [table.c.record_id.in_(ids[start : start + AT_ONCE])]
            store().execute(table.update().where(*mine, *some).values(patient_id=to))


def merges_into(clinic_id: UUID, patient_id: UUID) -> Any:
    """A select of the ids of the charts that went into this one, each with those that had gone
    into it before, and are part of it now."""
    m = patient_merges.c
    stands = [m.clinic_id == clinic_id, m.unmerged_at.is_(None)]
    direct = select(m.merged_id).where(*stands, m.patient_id == patient_id)
    there = direct.cte("merged", recursive=True)
    further = select(m.merged_id).where(*stands, m.patient_id == there.c.merged_id)
    return select(there.union(further).c.merged_id)
