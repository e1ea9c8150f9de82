"""Releases: closed, numbered snapshots of a project, made by the worker and read for ever."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.config import settings
from api.core import gate
from api.core.release import cube, shelf
from api.core.release.cube_picture import Drawn, draw
from api.core.release.package import BOOK
from api.core.release.projects import find_project
from api.core.release.tables import (
    CLOSED,
    DEIDENTIFIED,
    LIMITED,
    READY,
    UNDER_WAY,
    WAITING,
    research_projects,
    research_releases,
)
from api.db import Instant, Listing, Page, Values, found, page, store
from api.errors import Conflict, NotFound

SHOWN = (
    *("id", "version", "created_at", "updated_at", "number", "tier", "state"),
    "progress_percent",
)
READ = "research_release:read"


def list_releases(actor: Actor, project_id: UUID, asked: Page) -> Listing:
    """The releases of a project, the oldest first; what was refused says by which rule."""
    find_project(actor, READ, project_id, to_read=True)
    r = research_releases.c
    mine = [r.clinic_id == actor.clinic_id, r.project_id == project_id]
    listing = page(select(research_releases).where(*mine), research_releases, asked)
    listing.items = [_show(row) for row in listing.items]
    return listing


def read_release(actor: Actor, project_id: UUID, number: int) -> Values:
    """A release, ready or not: how far it is."""
    find_project(actor, READ, project_id, to_read=True)
    r = research_releases.c
    mine = [r.clinic_id == actor.clinic_id, r.project_id == project_id]
    row = found(store().row(select(research_releases).where(*mine, r.number == number)))
    trail.about(research_releases.name, row["id"])
    return _show(row)


def request_release(actor: Actor, project_id: UUID) -> Values:
    """Ask for the next release; the worker makes it."""
    project = find_project(actor, "research_release:make", project_id, to_read=True)
    store().hold(research_projects, project)
    if project["state"] == CLOSED:
        raise Conflict("This project is closed.", state=CLOSED, allowed=[])
    _refuse_too_soon(project)
    r = research_releases.c
    mine = [r.clinic_id == actor.clinic_id, r.project_id == project_id]
    last = store().row(select(func.max(r.number).label("number")).where(*mine)) or {}
    row = store().add(
        research_releases,
        {
            "clinic_id": actor.clinic_id,
            "project_id": project_id,
            "number": (last["number"] or 0) + 1,
            "tier": project["tier"],
            "state": WAITING,
            "requested_by": actor.user_id,
            "progress_percent": 0,
            "refused_for": [],
            "collapsed": {},
        },
    )
    trail.about(research_releases.name, row["id"])
    return _show(row)


def _refuse_too_soon(project: Values) -> None:
    """One at a time, and as far apart as the settings say."""
    r = research_releases.c
    mine = [r.clinic_id == project["clinic_id"], r.project_id == project["id"]]
    running = store().row(select(r.number).where(*mine, r.state.in_(UNDER_WAY)))
    if running is not None:
        raise Conflict("A release is being made.", state="running", allowed=[])
    days = settings().spacing_days if project["tier"] == DEIDENTIFIED else 0
    if days == 0:
        return
    since = clock.now() - timedelta(days=days)
    near = select(func.max(r.frozen_at, type_=Instant()).label("at"))
    last = found(store().row(near.where(*mine, r.state == READY, r.frozen_at > since)))["at"]
    if last is not None:
        again = (last + timedelta(days=days)).date()
        detail = (
            f"Releases lie at least {days} days apart; the next may be asked for after {again}."
        )
        raise Conflict(detail, state="too_soon", allowed=[])


def read_manifest(actor: Actor, project_id: UUID, number: int) -> Values:
    """What a release is: its files with their hashes, its k and l, what was suppressed and why."""
    project = find_project(actor, READ, project_id, to_read=True)
    manifest: Values = _ready(project, number)["manifest"]
    return manifest


def open_file(actor: Actor, project_id: UUID, number: int, name: str) -> tuple[Path, str, Values]:
    """A file of a release, its SHA-256, and the release."""
    project = find_project(actor, "research_release:download", project_id, to_read=True)
    if project["tier"] == LIMITED:
        gate.admit(actor, "research_limited:download")
    release = _ready(project, number)
    path, digest = shelf.find(release, name)
    return path, digest, release


def open_codebook(actor: Actor, project_id: UUID, number: int) -> tuple[Path, str, Values]:
    """The code book of a release."""
    release = _ready(find_project(actor, READ, project_id, to_read=True), number)
    path, digest = shelf.find(release, BOOK)
    return path, digest, release


def read_cube(actor: Actor, project_id: UUID, cut: str) -> Values:
    """One cut of the cube of the newest release: rows by instrument, window and group."""
    release = _of_cube(find_project(actor, "research_cube:read", project_id))
    return {
        "cut": cut,
        "cube_version": release["cube"]["version"],
        "release": release["number"],
        "released_on": release["manifest"]["released_on"],
        "rows": cube.cells(release["cube"], cut),
    }


def draw_cube(actor: Actor, project_id: UUID, cut: str, instrument: str) -> str:
    """The means of one instrument by window, with their intervals, as a picture."""
    release = _of_cube(find_project(actor, "research_cube:read", project_id))
    rows = [row for row in cube.cells(release["cube"], cut) if row["instrument"] == instrument]
    return draw(Drawn(instrument, cut, release["number"], release["manifest"]["released_on"], rows))


def _newest(project: Values) -> Values:
    newest = _ready_of(project).order_by(research_releases.c.number.desc()).limit(1)
    return found(store().row(newest))


def _ready(project: Values, number: int) -> Values:
    row = found(store().row(_ready_of(project).where(research_releases.c.number == number)))
    trail.about(research_releases.name, row["id"])
    return row


def _ready_of(project: Values) -> Select[Any]:
    """The releases of a project that are ready."""
    r = research_releases.c
    mine = [r.clinic_id == project["clinic_id"], r.project_id == project["id"]]
    return select(research_releases).where(*mine, r.state == READY)


def _of_cube(project: Values) -> Values:
    """The newest release of which there is a cube; there is none of a limited data set."""
    if project["tier"] == LIMITED:
        raise NotFound("There is no such record.")
    return _newest(project)


def _show(row: Values) -> Values:
    shown = {name: row[name] for name in SHOWN}
    return shown | {
        "refused_for": row["refused_for"],
        "released_on": row["manifest"]["released_on"] if row["manifest"] else None,
    }
