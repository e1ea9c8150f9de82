"""The gate: admits or turns away, narrows to what is in reach, and starts the trail.

Every question of a right is asked here and answered by the policy table. Ordinary routes ask in
the plain transaction of the request; a hot read (`Reading`) carries right, record and trail in
one statement, so that it costs one trip.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    Uuid,
    and_,
    bindparam,
    column,
    exists,
    false,
    literal,
    literal_column,
    or_,
    select,
    table as plain_table,
    true,
)

from api import clock
from api.access.policies import FHIR, Actor, Grant, Reach, Rights, Role, grant
from api.access.suspension import goes_on
from api.access.users import clinics, sign_ins, users
from api.audit import trail
from api.core.client_reach import identify_client, reached_by
from api.core.opened import opened_by
from api.core.team_reach import on_team, session_clinicians
from api.db import Values, found, store
from api.errors import NotAllowed, NotSignedIn, Suspended

STEP_UP = timedelta(minutes=5)
LONGEST_IDLE = timedelta(minutes=60)
"""How long staff may do nothing while they have a dosing session in progress."""
HEARING = "hearing"
"""Beside an actor whose refused form is heard: nothing that they asked for is done."""
SUSPENDED = "The clinic is suspended: its records are read, and nothing is written."

_sessions = plain_table("sessions", *map(column, ("clinic_id", "id", "kind", "state")))
"""Of sessions, all that is asked here is whether a dosing session is in progress."""


def identify(actor: Actor) -> Rights:
    """The actor's rights as the database has them now; raises `NotSignedIn` when they ended.

    From here on the rows of the actor's clinic are meant, and of no other.
    """
    store().stand_in(actor.clinic_id)
    if actor.known is None and actor.door == FHIR:
        actor.known = identify_client(actor)
    if actor.known is None:
        row = store().row(
            _sign_in(),
            at_sign_in=actor.sign_in_id,
            at_user=actor.user_id,
            at_clinic=actor.clinic_id,
            at_now=clock.now(),
            at_lately=clock.now() - LONGEST_IDLE,
        )
        if row is None:
            raise NotSignedIn("The sign-in has ended.")
        actor.known = rights_of(row)
    trail.done_by(actor.writer_id, actor.known.role.value)
    return actor.known


@cache
def _sign_in() -> Select[Any]:
    """The sign-in of whoever is asked about: made once, for every request asks it."""
    return (
        select(*SIGN_IN_COLUMNS)
        .join(
            users, and_(users.c.clinic_id == sign_ins.c.clinic_id, users.c.id == sign_ins.c.user_id)
        )
        .join(clinics, clinics.c.id == sign_ins.c.clinic_id)
        .where(
            sign_ins.c.id == bindparam("at_sign_in"),
            sign_ins.c.user_id == bindparam("at_user"),
            sign_ins.c.clinic_id == bindparam("at_clinic"),
            *stands(bindparam("at_now"), bindparam("at_lately")),
        )
    )


SIGN_IN_COLUMNS = (
    users.c.id.label("user_id"),
    users.c.clinic_id.label("clinic_id"),
    users.c.role.label("role"),
    users.c.display_name.label("actor_name"),
    users.c.patient_id.label("own_patient_id"),
    users.c.privileges.label("privileges"),
    clinics.c.time_zone.label("zone"),
    clinics.c.suspended_at.is_not(None).label("suspended"),
    sign_ins.c.auth_time.label("auth_time"),
    sign_ins.c.last_seen_at.label("seen_at"),
)


def stands(moment: Any, lately: Any) -> list[ColumnElement[bool]]:
    """The conditions under which a sign-in still counts at a moment.

    `lately` is as long before it as whoever has a dosing session in progress may be idle.
    """
    return [
        sign_ins.c.revoked_at.is_(None),
        sign_ins.c.ends_at > moment,
        or_(
            sign_ins.c.awake_until.is_(None),
            sign_ins.c.awake_until > moment,
            and_(sign_ins.c.last_seen_at > lately, _is_dosing()),
        ),
        sign_ins.c.security_version == users.c.security_version,
        users.c.disabled_at.is_(None),
        users.c.deleted_at.is_(None),
    ]


def _is_dosing() -> ColumnElement[bool]:
    """Whether whoever is signed in is named on a dosing session in progress.

    The sign-in is always the one that is asked about, also from an `exists` within an `exists`,
    where SQLAlchemy would by itself take anybody's.
    """
    s, named = _sessions.c, session_clinicians.c
    mine = exists().where(
        named.clinic_id == sign_ins.c.clinic_id,
        named.clinician_id == sign_ins.c.user_id,
        s.clinic_id == named.clinic_id,
        s.id == named.session_id,
        s.kind == literal_column("'dosing'"),
        s.state == literal_column("'in_progress'"),
    )
    return mine.correlate(sign_ins)


def rights_of(row: Values) -> Rights:
    """Rights from a row of the sign-in columns."""
    return Rights(
        user_id=row["user_id"],
        clinic_id=row["clinic_id"],
        role=Role(row["role"]),
        display_name=row["actor_name"],
        patient_id=row["own_patient_id"],
        privileges=frozenset(row["privileges"]),
        zone=row["zone"],
        auth_time=row["auth_time"],
        seen_at=row["seen_at"],
        suspended=bool(row["suspended"]),
    )


def admit(actor: Actor, action: str) -> Grant:
    """Let the actor try `action`, or raise: 401 kinds first, then "this role never does this"."""
    trail.begin(action)
    rights = identify(actor)
    granted = grant(rights.role, action)
    if granted is None:
        raise NotAllowed("Your role does not do this.")
    if granted.privilege is not None and granted.privilege not in rights.privileges:
        raise NotAllowed(f"This needs the privilege `{granted.privilege.value}`.")
    refuse_suspended(actor, action)
    if granted.step_up and clock.now() - rights.auth_time > STEP_UP:
        raise NotSignedIn(
            "Confirm that it is you: POST /auth/step-up.",
            error="insufficient_user_authentication",
            max_age=int(STEP_UP.total_seconds()),
        )
    return granted


def refuse_suspended(actor: Actor, action: str) -> None:
    """Raise `Suspended` for what waits while the actor's clinic is, unless they are only heard."""
    if actor.rights.suspended and not goes_on(action) and HEARING not in actor.extras:
        raise Suspended(SUSPENDED)


def refuse_newcomers(clinic_id: UUID) -> None:
    """The same for whoever is nobody of the clinic yet and comes in now."""
    c = clinics.c
    mine = select(c.id).where(c.id == clinic_id, c.suspended_at.is_not(None))
    if store().row(mine) is not None:
        raise Suspended(SUSPENDED)


def in_reach(
    actor: Actor, granted: Grant, patient_id: Any, moment: Any = None
) -> ColumnElement[bool]:
    """The SQL condition that a chart (its `patient_id` column) is in the actor's reach, now unless
    another `moment` is given."""
    rights = actor.rights
    if granted.reach == Reach.CLINIC:
        return true()
    if granted.reach == Reach.OWN:
        return false() if rights.patient_id is None else patient_id == rights.patient_id
    if granted.reach == Reach.TEAM:
        moment = clock.now() if moment is None else moment
        return reaches(granted, rights.clinic_id, rights.user_id, patient_id, moment)
    if granted.reach == Reach.EHR:
        return reached_by(actor, patient_id)
    return false()


def reaches(
    granted: Grant, clinic_id: Any, clinician_id: Any, patient_id: Any, moment: Any
) -> ColumnElement[bool]:
    """Whether a clinician's grant reaches the chart: by team or duty, or opened in an emergency."""
    team = on_team(clinic_id, clinician_id, patient_id, moment)
    if not granted.in_emergency:
        return team
    return or_(team, opened_by(clinic_id, clinician_id, patient_id, moment))


def find_in_chart(actor: Actor, action: str, table: Table, record_id: UUID) -> Values:
    """A record of a chart in reach, in one scoped query; absent and out of reach look alike."""
    granted = admit(actor, action)
    trail.about(table.name, record_id)
    row = found(one_in_reach(actor, granted, table, record_id))
    trail.touches([row["patient_id"]])
    return row


def one_in_reach(actor: Actor, granted: Grant, table: Table, record_id: UUID) -> Values | None:
    """A patient, or a record of a chart, that is there and in reach; None otherwise."""
    rights = actor.rights
    if granted.reach == Reach.EHR:  # how far a client reaches is not told by its role
        statement = _one(table, granted, actor)
    else:
        statement = _one_of_role(table, granted, rights.role)
    return store().row(
        statement,
        opens=table,
        at_clinic=actor.clinic_id,
        at_record=record_id,
        at_user=rights.user_id,
        at_chart=rights.patient_id,
        at_now=clock.now(),
    )


@cache
def _one_of_role(table: Table, granted: Grant, role: Role) -> Select[Any]:
    """What `one_in_reach` asks, made once: whose and which it is comes with the question."""
    to_come: Callable[[str], Any] = bindparam
    clinic, user, chart = to_come("at_clinic"), to_come("at_user"), to_come("at_chart")
    rights = Rights(user, clinic, role, "", chart, frozenset(), "", datetime.min)
    return _one(table, granted, Actor(user, user, clinic, known=rights))


def _one(table: Table, granted: Grant, asker: Actor) -> Select[Any]:
    chart = table.c.get("patient_id", table.c.id)
    return select(table).where(
        table.c.clinic_id == bindparam("at_clinic"),
        table.c.id == bindparam("at_record"),
        table.c.deleted_at.is_(None),
        in_reach(asker, granted, chart, bindparam("at_now")),
        shown_to(asker, table),
    )


def shown_to(actor: Actor, table: Table) -> ColumnElement[bool]:
    """The SQL condition that an entry is not kept by the patient for themself alone (`me`)."""
    return true() if actor.rights.is_patient else not_kept_apart(table)


def not_kept_apart(table: Table) -> ColumnElement[bool]:
    """The SQL condition that anybody but the patient may see an entry of the chart."""
    return table.c.shared_with != "me" if "shared_with" in table.c else true()


def still_reaches(actor: Actor, action: str, patient_id: UUID) -> bool:
    """Whether a chart is in reach for `action` now, for answers that are given once more."""
    condition = in_reach(actor, admit(actor, action), literal(patient_id, Uuid))
    return store().row(select(literal(1).label("one")).where(condition)) is not None
