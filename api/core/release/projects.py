"""Projects: for what purpose outcomes may be told, and to which analysts."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, insert, select, true

from api import clock
from api.access.policies import Actor, Grant, Reach, Role
from api.access.users import users
from api.audit import trail
from api.core import gate
from api.core.release import agreed
from api.core.release.deidentify import POLICY_VERSION
from api.core.release.tables import (
    CLOSED,
    DEIDENTIFIED,
    OPEN,
    research_keys,
    research_members,
    research_projects,
)
from api.db import Listing, Page, Values, found, match, page, store
from api.errors import Conflict, Invalid, NotFound

SHOWN = (
    *("id", "version", "created_at", "updated_at", "title", "purpose", "tier", "state"),
    "closed_at",
)


def list_projects(actor: Actor, asked: Page) -> Listing:
    """The projects of the analyst; to the privacy officer all of the clinic."""
    granted = gate.admit(actor, "research_project:read")
    mine = [research_projects.c.clinic_id == actor.clinic_id, bound(actor, granted)]
    listing = page(select(research_projects).where(*mine), research_projects, asked)
    listing.items = [show(row) for row in listing.items]
    return listing


def read_project(actor: Actor, project_id: UUID) -> Values:
    """One project with its analysts and agreements."""
    return show(find_project(actor, "research_project:read", project_id))


def open_project(actor: Actor, values: Values) -> Values:
    """A new project, for a purpose and for analysts of the clinic; its tier stands for good."""
    gate.admit(actor, "research_project:open")
    values.setdefault("tier", DEIDENTIFIED)
    analysts = _analysts(actor, values.pop("analyst_ids"))
    row = store().add(
        research_projects,
        {
            **values,
            "clinic_id": actor.clinic_id,
            "state": OPEN,
            "policy_version": POLICY_VERSION,
            "opened_by": actor.user_id,
        },
    )
    _bind(row, analysts)
    trail.about(research_projects.name, row["id"])
    trail.wrote([*values, "analyst_ids"])
    return show(row)


def change_project(actor: Actor, project_id: UUID, version: int | None, values: Values) -> Values:
    """Other analysts, or another title; a closed project opens no more."""
    row = find_project(actor, "research_project:change", project_id)
    match(row, version)
    if row["state"] == CLOSED:
        raise Conflict("This project is closed.", state=CLOSED, allowed=[])
    analysts = values.pop("analyst_ids", None)
    if analysts is not None:
        _bind(row, _analysts(actor, analysts))
        trail.wrote(["analyst_ids"])
    if values.get("state") == CLOSED:
        values["closed_at"] = clock.now()
    trail.wrote(values)
    return show(store().change(research_projects, row, values))


def find_project(actor: Actor, action: str, project_id: UUID, to_read: bool = False) -> Values:
    """A project in reach; absent and out of reach look alike.

    `to_read` of its releases it must be by an agreement, where its tier asks for one: raises
    `NotAllowed`.
    """
    granted = gate.admit(actor, action)
    trail.about(research_projects.name, project_id)
    if actor.extras.get("project_id", project_id) != project_id:
        raise NotFound("There is no such record.")
    p = research_projects.c
    mine = [p.clinic_id == actor.clinic_id, p.id == project_id, bound(actor, granted)]
    project = found(store().row(select(research_projects).where(*mine)))
    if to_read:
        agreed.refuse_unnamed(actor, project)
    return project


def bound(actor: Actor, granted: Grant) -> ColumnElement[bool]:
    """The SQL condition that a project is in reach: of the clinic, or naming the analyst."""
    if granted.reach != Reach.PROJECT:
        return true()
    m, p = research_members.c, research_projects.c
    return exists().where(
        m.clinic_id == p.clinic_id, m.project_id == p.id, m.analyst_id == actor.user_id
    )


def _analysts(actor: Actor, ids: list[UUID]) -> list[UUID]:
    u, wanted = users.c, list(dict.fromkeys(ids))
    there = select(u.id).where(
        u.clinic_id == actor.clinic_id,
        u.role == Role.ANALYST.value,
        u.id.in_(wanted),
        u.disabled_at.is_(None),
        u.deleted_at.is_(None),
    )
    known = {row["id"] for row in store().rows(there)}
    missing = [
        (f"/analyst_ids/{place}", "No analyst of this clinic.")
        for place, one in enumerate(ids)
        if one not in known
    ]
    if missing:
        raise Invalid(missing)
    return wanted


def _bind(project: Values, analysts: list[UUID]) -> None:
    """These analysts and no others; the keys of those who leave end."""
    m, k = research_members.c, research_keys.c
    keys: dict[str, Any] = {"clinic_id": project["clinic_id"], "project_id": project["id"]}
    mine = [m.clinic_id == keys["clinic_id"], m.project_id == keys["project_id"]]
    store().execute(research_members.delete().where(*mine))
    gone = [k.clinic_id == keys["clinic_id"], k.project_id == keys["project_id"]]
    ended = research_keys.update().where(
        *gone, k.deleted_at.is_(None), k.analyst_id.not_in(analysts)
    )
    store().execute(ended.values(deleted_at=clock.now(), version=k.version + 1))
    rows = [keys | {"analyst_id": one, "added_at": clock.now()} for one in analysts]
    if rows:
        store().execute(insert(research_members), rows)


def show(row: Values) -> Values:
    """A project as it is told: with its analysts and agreements."""
    m = research_members.c
    named = [m.clinic_id == row["clinic_id"], m.project_id == row["id"]]
    people = select(users.c.id, users.c.display_name).join(
        research_members,
        (m.clinic_id == users.c.clinic_id) & (m.analyst_id == users.c.id),
    )
    return {
        **{name: row[name] for name in SHOWN},
        "policy_version": row["policy_version"],
        "analysts": store().rows(people.where(*named).order_by(users.c.id)),
        "agreements": agreed.listed(row),
    }
