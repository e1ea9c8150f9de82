"""The access log of a chart, in plain words: who looked or wrote, when, in what role, and why.

Why is read from what is dated: the care team, sessions, alerts and emergency openings of that time.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, literal, select, union_all

from api.access.policies import Actor, Role
from api.core import audit_search
from api.core.merges import merges_into
from api.core.opened import break_glass
from api.core.patients import open_chart
from api.core.team_reach import alert_duties, care_team, past_duties, session_clinicians
from api.core.words import words_for
from api.db import Listing, Page, Values, page, store

LOOKED, WROTE, OPENED = KINDS = ("looked", "wrote", "opened")
BY_ROLE: Final = {
    Role.PATIENT: "own",
    Role.ADMINISTRATOR: "clinic_work",
    Role.PRIVACY_OFFICER: "oversight",
    Role.SYSTEM: "other_system",
}
BY_DATES: Final = {
    "care_team": (care_team, "from_at", "ended_at"),
    "session": (session_clinicians, "duty_from", "duty_until"),
    "past_session": (past_duties, "duty_from", "duty_until"),
    "alert": (alert_duties, "duty_from", "duty_until"),
    "break_glass": (break_glass, "opened_at", "ends_at"),
}
"""Where it is dated that a clinician reached a chart; the first that fits is told."""
WHYS: Final = ("own", "care_team", "session", "alert", "break_glass", *list(BY_ROLE.values())[1:])
LEEWAY: Final = timedelta(minutes=1)
"""A deed is written at its end: what itself ended the reach came just before."""
READS: Final = ("read", "list", "search", "history", "download")


def read_access_log(
    actor: Actor,
    patient_id: UUID,
    asked: Page,
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Listing:
    """Who was in the chart, the latest first."""
    patient = open_chart(actor, "access_log:read", patient_id)
    t = audit_search.seen_by(actor).subquery("trail")
    charts = [patient_id, *store().execute(merges_into(actor.clinic_id, patient_id)).scalars()]
    wanted = [audit_search.touching(t, *charts), t.c.outcome == "ok"]
    wanted += [] if from_ is None else [t.c.at >= from_]
    wanted += [] if to is None else [t.c.at < to]
    listing = page(select(t).where(*wanted), t, asked, newest_first=True)  # type: ignore[arg-type]
    ids = {row["actor_id"] for row in listing.items} - {None}
    names, reaches = audit_search.names_of(actor.clinic_id, ids), _reaches(patient, ids)
    said = words_for(patient["locale"])["access_log"]
    listing.items = [_show(said, row, names, reaches) for row in listing.items]
    return listing


def _reaches(patient: Values, ids: set[UUID]) -> list[Values]:
    """How these people reached the chart, and from when until when."""
    parts = [_dated(why, patient, ids) for why in BY_DATES]
    return store().rows(select(union_all(*parts).subquery())) if ids else []


def _dated(why: str, patient: Values, ids: set[UUID]) -> Select[Any]:
    table, begins, ends = BY_DATES[why]
    c = table.c
    columns = (c[begins].label("begins"), c[ends].label("ends"))
    return select(literal(why).label("why"), c.clinician_id, *columns).where(
        c.clinic_id == patient["clinic_id"],
        c.patient_id == patient["id"],
        c.clinician_id.in_(sorted(ids)),
    )


def _show(said: Values, row: Values, names: dict[UUID, Values], reaches: list[Values]) -> Values:
    resource, _, verb = row["action"].partition(":")
    kind = OPENED if row["action"] == "break_glass:open" else LOOKED if verb in READS else WROTE
    why, name = _why(row, reaches), names.get(row["actor_id"])
    what = said["what"].get(resource, said["what"]["record"])
    return {
        "id": row["id"],
        "at": row["at"],
        "who": name,
        "role": row["role"],
        "kind": kind,
        "about": resource,
        "why": why,
        "words": _words(said, row["role"], kind, name, what),
        "why_words": said["why"][why] if why else None,
        "door": row["door"],
    }


def _words(said: Values, role: str | None, kind: str, name: Values | None, what: str) -> str:
    if role == Role.PATIENT:
        whole: str = said["own"][kind].format(what=what)
        return whole
    who = said["somebody"] if name is None else name["display_name"]
    told: str = said["others"][kind].format(
        who=who, role=said["roles"].get(role, said["roles"]["system"]), what=what
    )
    return told


def _why(row: Values, reaches: list[Values]) -> str | None:
    """The code of why they were in the chart; None when it is not known any more."""
    if row["action"] == "break_glass:open":
        return "break_glass"
    if row["role"] in BY_ROLE:
        return BY_ROLE[row["role"]]
    found = set(_reasons(row["actor_id"], row["at"], reaches))
    why = next((each for each in BY_DATES if each in found), None)
    return "session" if why == "past_session" else why


def _reasons(who: UUID, at: datetime, reaches: list[Values]) -> Iterator[str]:
    for one in reaches:
        until = one["ends"]
        lasts = until is None or until + LEEWAY > at
        if one["clinician_id"] == who and one["begins"] <= at + LEEWAY and lasts:
            yield one["why"]
