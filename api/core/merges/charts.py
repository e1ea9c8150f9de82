"""Two charts of one person made one, and divided again when they were two people after all.

The chart that is merged is gone from every list and read; all that hangs on it hangs on the other
one from then on. Nothing of either patient's own row is written over, so that it can be undone.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, or_, select

from api import clock
from api.access.policies import Actor
from api.access.users import invitations, named, users
from api.audit import trail
from api.core import gate
from api.core.clocks import DUE, WHERE, here
from api.core.holds import hold_too
from api.core.merges import moving
from api.core.merges.counting import counted
from api.core.merges.table import STANDS, patient_merges
from api.core.patients import named as patients_named, open_chart, patients
from api.core.patients.index import forget, index_external_ids, index_names
from api.core.treatment.notes import bring_home
from api.db import Listing, Page, Values, found, page, store
from api.errors import Conflict, Invalid
from api.outbox import events

FOLLOWED_FOR: Final = timedelta(minutes=10)
"""How long what was being written into a chart while it was merged is brought after it."""
STATES = MERGED, UNMERGED = ("merged", "unmerged")
HIDDEN: Final = ("clinic_id", "patient_id", "deleted_at", "merged_id")


def merge_patient(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """Merge this chart into another of the same person; answers the merge, with what went along.

    Raises `Invalid` when the other is itself or not there, `Conflict` when the chart that goes has
    a sign-in that is not disabled, and the other has one too, or when somebody is invited to it.
    """
    gone = open_chart(actor, "patient:merge", patient_id)
    into = values["into"]
    both = _held(actor, {patient_id, into})
    if into == patient_id or len(both) < 2:
        raise Invalid([("/into", "No other chart of this clinic.")])
    _refuse_two_sign_ins(actor, patient_id, into)
    _refuse_invited(actor, patient_id)
    keys = {"clinic_id": actor.clinic_id, "patient_id": into, "merged_id": patient_id}
    why = {"reason": values["reason"], "merged_by": actor.user_id}
    merge = store().add(patient_merges, keys | why)
    moving.gather(merge)
    _share_as_preferred(actor.clinic_id, into)
    store().change(patients, both[patient_id], {"deleted_at": clock.now(), "merged_into": into})
    forget(gone)
    _carry_numbers(both[into], add=gone["external_ids"] or [])
    return _done(actor, merge, "patient.merged", ["merged_into"])


def unmerge_patient(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """Divide a merged chart from the other one again; what went along, and hangs on it, returns.

    Raises `NotFound` unless the chart is merged, `Conflict` while the other is merged itself.
    """
    gate.admit(actor, "patient:merge")
    trail.about("patient", patient_id)
    m = patient_merges.c
    mine = (m.clinic_id == actor.clinic_id, m.merged_id == patient_id, STANDS)
    there = m.deleted_at.is_(None)  # else both charts were removed
    one = select(patient_merges).where(*mine, there).with_for_update()
    merge = found(store().row(one, opens=patient_merges))
    both = _held(actor, {patient_id, merge["patient_id"]}, gone_too=True)
    back, other = both[patient_id], both[merge["patient_id"]]
    if other["deleted_at"] is not None:
        raise Conflict("The other chart is merged itself; divide that first.", state=MERGED)
    moving.give_back(merge)
    bring_home(actor.clinic_id, patient_id)
    _share_as_preferred(actor.clinic_id, patient_id, merge["patient_id"])
    hold_too(actor.clinic_id, merge["patient_id"], patient_id, merge["created_at"])
    _carry_numbers(other, less=back["external_ids"] or [])
    back = store().change(patients, back, {"deleted_at": None, "merged_into": None})
    index_names(back)
    index_external_ids(back)
    undone = {"unmerged_at": clock.now(), "unmerged_by": actor.user_id}
    undone["unmerge_reason"] = values["reason"]
    merge = store().change(patient_merges, merge, undone)
    return _done(actor, merge, "patient.unmerged", ["merged_into"])


def list_patient_merges(
    actor: Actor, asked: Page, patient_id: UUID | None = None, state: str | None = None
) -> Listing:
    """Which charts were merged, the latest first; with `patient_id`, those of one chart."""
    gate.admit(actor, "patient_merge:read")
    m = patient_merges.c
    wanted = [m.clinic_id == actor.clinic_id]
    if patient_id is not None:
        wanted.append(or_(m.patient_id == patient_id, m.merged_id == patient_id))
    if state is not None:
        wanted.append(STANDS if state == MERGED else m.unmerged_at.is_not(None))
    statement = select(patient_merges).where(*wanted)
    listing = page(statement, patient_merges, asked, newest_first=True, opens=patient_merges)
    trail.touches(row[name] for row in listing.items for name in ("patient_id", "merged_id"))
    listing.items = _show(actor, listing.items)
    return listing


def follow_late() -> bool:
    """Bring after a chart what somebody was still writing into it as it was merged (worker)."""
    lately = select(patient_merges).where(here(patient_merges), *_lately())
    rows = store().rows(lately.order_by(patient_merges.c.id).with_for_update())
    return sum([moving.gather(row) for row in rows]) > 0


def _lately() -> list[Any]:
    return [STANDS, patient_merges.c.created_at > clock.now() - FOLLOWED_FOR]


def _clinics_lately() -> Select[Any]:
    return select(patient_merges.c.clinic_id).where(*_lately()).distinct()


DUE.append(follow_late)
WHERE[follow_late] = _clinics_lately


def _held(actor: Actor, ids: set[UUID], gone_too: bool = False) -> dict[UUID, Values]:
    """The patients' own rows, held until the end in one order, so that two at once can't cross."""
    p = patients.c
    there = [] if gone_too else [p.deleted_at.is_(None)]
    mine = select(patients).where(p.clinic_id == actor.clinic_id, p.id.in_(sorted(ids)), *there)
    rows = store().rows(mine.order_by(p.id).with_for_update(), opens=patients)
    return {row["id"]: row for row in rows}


def _refuse_two_sign_ins(actor: Actor, gone: UUID, into: UUID) -> None:
    """A chart has one sign-in: whoever could go on signing in must not be left without a chart."""
    u = users.c
    mine = [u.clinic_id == actor.clinic_id, u.patient_id.in_((gone, into))]
    there = {row["patient_id"]: row for row in store().rows(select(users).where(*mine))}
    if len(there) == 2 and there[gone]["disabled_at"] is there[gone]["deleted_at"] is None:
        detail = "Both have a sign-in; disable that of the chart that goes first."
        raise Conflict(detail, missing=["one_sign_in"])


def _refuse_invited(actor: Actor, gone: UUID) -> None:
    """Who was asked in to the chart that goes would come in to a chart that is not there."""
    i = invitations.c
    still = (i.accepted_at.is_(None), i.deleted_at.is_(None), i.expires_at > clock.now())
    mine = (i.clinic_id == actor.clinic_id, i.for_patient_id == gone)
    if store().row(select(i.id).where(*mine, *still).limit(1)) is not None:
        detail = "Somebody is invited to the chart that goes; take the invitation back first."
        raise Conflict(detail, missing=["no_open_invitation"])


def _share_as_preferred(clinic_id: UUID, *ids: UUID) -> None:
    """With whom new entries are shared is what the chart's own sign-in said, wherever that went."""
    u, p = users.c, patients.c
    asked = select(u.patient_id, u.preferences).where(
        u.clinic_id == clinic_id, u.patient_id.in_(ids)
    )
    said = {row["patient_id"]: row["preferences"] for row in store().rows(asked)}
    for one in ids:
        sharing = said.get(one, {}).get("default_sharing")
        mine = patients.update().where(p.clinic_id == clinic_id, p.id == one)
        store().execute(mine.values(default_sharing=sharing))


def _carry_numbers(row: Values, add: Sequence[Values] = (), less: Sequence[Values] = ()) -> None:
    """Other systems' numbers go along, so that the person is found by each of them."""
    before = row["external_ids"] or []
    after = [one for one in [*before, *(n for n in add if n not in before)] if one not in less]
    index_external_ids(store().change(patients, row, {"external_ids": after or None}))


def _done(actor: Actor, merge: Values, name: str, fields: list[str]) -> Values:
    subject = {"patient_id": merge["patient_id"], "merged_id": merge["merged_id"]}
    events.append(store(), actor.clinic_id, name, subject)
    trail.touches([merge["patient_id"], merge["merged_id"]])
    trail.wrote(fields)
    return _show(actor, [merge])[0]


def _show(reader: Actor, rows: list[Values]) -> list[Values]:
    """Merges with whom they name; three queries more, however many they are."""
    who = (row[name] for row in rows for name in ("merged_by", "unmerged_by"))
    names = named(reader.clinic_id, who)
    ids = (row[name] for row in rows for name in ("patient_id", "merged_id"))
    called = patients_named(reader.clinic_id, ids)
    moved: dict[UUID, Values] = {row["id"]: {} for row in rows}
    for count in counted(rows) if rows else ():
        moved[count["merge_id"]][count["kind"]] = count["count"]
    return [
        {key: value for key, value in row.items() if key not in HIDDEN}
        | {
            "patient": called[row["patient_id"]],
            "merged": called[row["merged_id"]],
            "state": MERGED if row["unmerged_at"] is None else UNMERGED,
            "merged_by": names.get(row["merged_by"]),
            "unmerged_by": names.get(row["unmerged_by"]),
            "moved": moved[row["id"]],
            "allowed": ["unmerge"] if row["unmerged_at"] is None else [],
        }
        for row in rows
    ]
