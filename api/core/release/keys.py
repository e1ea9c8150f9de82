"""Keys of a project: they read its releases from DuckDB, polars, pandas or R, and nothing else."""

from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final
from uuid import UUID

from sqlalchemy import and_, select

from api import clock
from api.access.policies import Actor, Rights, Role
from api.access.users import clinics, users
from api.audit import trail
from api.core.release.projects import find_project
from api.core.release.tables import LIMITED, research_keys, research_members
from api.db import Listing, Page, Values, found, match, page, store, within
from api.errors import Conflict, NotSignedIn

PREFIX: Final = "ftr_"
"""How every key begins."""
LASTS: Final = timedelta(days=90)
DOOR: Final = "research_key"
LONGEST: Final = 100
SHOWN = ("id", "version", "created_at", "updated_at", "name", "expires_at")


def list_keys(actor: Actor, project_id: UUID, asked: Page) -> Listing:
    """The analyst's own keys of a project; what a key says is told once, when it is made."""
    find_project(actor, "research_key:read", project_id)
    k = research_keys.c
    mine = [k.clinic_id == actor.clinic_id, k.project_id == project_id]
    statement = select(research_keys).where(*mine, k.analyst_id == actor.user_id)
    listing = page(statement, research_keys, asked)
    listing.items = [{name: row[name] for name in SHOWN} for row in listing.items]
    return listing


def make_key(actor: Actor, project_id: UUID, values: Values) -> Values:
    """A new key; `key` is told in this answer and never again."""
    project = find_project(actor, "research_key:make", project_id)
    if project["tier"] == LIMITED:
        raise Conflict("A limited data set is opened by no key.", state="limited", allowed=[])
    key = PREFIX + token_urlsafe(32)
    kept = {"hash": _digest(key), "expires_at": clock.now() + LASTS, "name": values["name"]}
    owner = {"clinic_id": actor.clinic_id, "project_id": project_id, "analyst_id": actor.user_id}
    row = store().add(research_keys, owner | kept)
    trail.about(research_keys.name, row["id"])
    trail.wrote(["name"])
    return {name: row[name] for name in SHOWN} | {"key": key}


def revoke_key(actor: Actor, project_id: UUID, key_id: UUID, version: int | None) -> None:
    """The key opens nothing any more, from now on."""
    find_project(actor, "research_key:read", project_id)
    k = research_keys.c
    mine = [k.clinic_id == actor.clinic_id, k.project_id == project_id, k.id == key_id]
    own = [k.analyst_id == actor.user_id, k.deleted_at.is_(None)]
    row = found(store().row(select(research_keys).where(*mine, *own)))
    match(row, version)
    trail.about(research_keys.name, key_id)
    store().remove(research_keys, row)


def holder_of(header: str, request_id: str, address: str | None) -> Actor | None:
    """Who comes with a key in `Authorization: Bearer`, or None for another kind of token.

    They have the rights of the analyst whose key it is, in its project alone. Raises `NotSignedIn`
    for one that has ended: revoked, run out, or its analyst no longer of the project.
    """
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key.startswith(PREFIX):
        return None
    row = _found(_digest(key)) if len(key) <= LONGEST and key.isascii() else None
    if row is None:
        raise NotSignedIn("The key is not valid.")
    actor = Actor(row["key_id"], row["user_id"], row["clinic_id"], DOOR, request_id, address)
    actor.extras["project_id"] = row["project_id"]
    actor.known = Rights(
        user_id=row["user_id"],
        clinic_id=row["clinic_id"],
        role=Role.ANALYST,
        display_name=row["display_name"],
        patient_id=None,
        privileges=frozenset(),
        zone=row["time_zone"],
        auth_time=row["created_at"],
        suspended=row["suspended_at"] is not None,
    )
    return actor


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def _found(digest: str) -> Values | None:
    """Who stands behind a key: by its digest alone the clinic is found, and in it the rest."""
    with within(token_hash=digest):
        key = store().row(select(research_keys.c.clinic_id).where(research_keys.c.hash == digest))
    if key is None:
        return None
    store().stand_in(key["clinic_id"])
    return store().row(_standing(digest))


def _standing(digest: str):  # type: ignore[no-untyped-def]
    k, m, u = research_keys.c, research_members.c, users.c
    of = and_(
        m.clinic_id == k.clinic_id, m.project_id == k.project_id, m.analyst_id == k.analyst_id
    )
    columns = (
        k.id.label("key_id"),
        *(k[name] for name in ("clinic_id", "project_id", "created_at")),
        u.id.label("user_id"),
        u.display_name,
        clinics.c.time_zone,
        clinics.c.suspended_at,
    )
    return (
        select(*columns)
        .join(research_members, of)
        .join(users, and_(u.clinic_id == k.clinic_id, u.id == k.analyst_id))
        .join(clinics, clinics.c.id == k.clinic_id)
        .where(
            k.hash == digest,
            k.expires_at > clock.now(),
            k.deleted_at.is_(None),
            u.role == Role.ANALYST.value,
            u.disabled_at.is_(None),
            u.deleted_at.is_(None),
        )
    )
