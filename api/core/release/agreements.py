"""Agreements: a privacy officer records what was signed with who receives data, and ends it."""

from uuid import UUID

from sqlalchemy import insert, select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core.release import agreed, shelf
from api.core.release.projects import find_project, show
from api.core.release.tables import (
    LIMITED,
    READY,
    research_agreement_users,
    research_agreements,
    research_members,
    research_projects,
    research_releases,
)
from api.db import Values, found, store
from api.errors import Conflict, Invalid


def record_agreement(actor: Actor, project_id: UUID, values: Values) -> Values:
    """A data use agreement that was signed, by who received data under it.

    For a limited data set it names analysts of the project, uses, terms, the texts of the consent
    to research that cover it, and its last day.
    """
    row = find_project(actor, "research_project:change", project_id)
    _refuse_odd(row, values)
    keys = {"clinic_id": actor.clinic_id, "project_id": project_id, "recorded_by": actor.user_id}
    named = values.pop("analyst_ids", None) or []
    trail.wrote([*values, *(["analyst_ids"] if named else [])])
    made = store().add(research_agreements, keys | values)
    of = {"clinic_id": actor.clinic_id, "agreement_id": made["id"]}
    if named:
        rows = [of | {"analyst_id": one} for one in dict.fromkeys(named)]
        store().execute(insert(research_agreement_users), rows)
    return show(store().change(research_projects, row, {}))


def _refuse_odd(project: Values, values: Values) -> None:
    """Raises `Invalid` for an agreement that can't be, or that the project's tier asks more of."""
    bad = agreed.lacking(project, values)
    signed_on, expires_on = values["signed_on"], values.get("expires_on")
    if signed_on > clock.now().date():
        bad.append(("/signed_on", "Not signed yet."))
    if expires_on is not None and expires_on < signed_on:
        bad.append(("/expires_on", "Before it was signed."))
    m, asked = research_members.c, values.get("analyst_ids") or []
    mine = [m.clinic_id == project["clinic_id"], m.project_id == project["id"]]
    there = {row["analyst_id"] for row in store().rows(select(m.analyst_id).where(*mine))}
    bad += [
        (f"/analyst_ids/{place}", "No analyst of this project.")
        for place, one in enumerate(asked)
        if one not in there
    ]
    if bad:
        raise Invalid(bad)


def end_agreement(actor: Actor, project_id: UUID, agreement_id: UUID) -> Values:
    """The project, one of whose agreements lets nobody read any more, from now on.

    Where it was the last in force, the files of the project's limited data sets go.
    """
    row = find_project(actor, "research_project:change", project_id)
    a = research_agreements.c
    mine = [a.clinic_id == actor.clinic_id, a.project_id == project_id, a.id == agreement_id]
    agreement = found(store().row(select(research_agreements).where(*mine)))
    if agreement["ended_at"] is not None:
        raise Conflict("This agreement has ended.", state="ended", allowed=[])
    store().change(research_agreements, agreement, {"ended_at": clock.now()})
    trail.wrote(["ended_at", f"agreement:{agreement_id}"])
    if row["tier"] == LIMITED and not agreed.is_left(row):
        for release in _ready(row):
            shelf.remove(release)
    return show(store().change(research_projects, row, {}))


def _ready(project: Values) -> list[Values]:
    r = research_releases.c
    mine = [r.clinic_id == project["clinic_id"], r.project_id == project["id"], r.state == READY]
    return store().rows(select(r.id).where(*mine))
