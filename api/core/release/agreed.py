"""Agreed: by which data use agreement somebody may read the limited data sets of a project.

45 CFR 164.514(e): a limited data set goes to nobody whom no agreement names, and for no other use.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Exists, exists, literal, select

from api import clock
from api.access.policies import Actor, Role
from api.audit import trail
from api.core.release.tables import (
    LIMITED,
    research_agreement_users,
    research_agreements,
    research_members,
)
from api.db import Values, store
from api.errors import NotAllowed

USES: Final = ("research", "public_health", "health_care_operations")
"""For what a limited data set may be used, 164.514(e)(3)(i)."""
TERMS: Final = (
    "no_other_use",
    "safeguards",
    "report_breaches",
    "bind_agents",
    "no_reidentification_or_contact",
)
"""What a recipient must agree to, 164.514(e)(4)(ii)(C)."""
SHOWN: Final = (
    *("id", "recipient", "signed_on", "expires_on", "ended_at", "uses", "terms"),
    "consent_text_versions",
)


def listed(project: Values) -> list[Values]:
    """The agreements of a project in their order, each with the analysts whom it names."""
    a, u = research_agreements.c, research_agreement_users.c
    mine = [a.clinic_id == project["clinic_id"], a.project_id == project["id"]]
    rows = store().rows(select(*(a[name] for name in SHOWN)).where(*mine).order_by(a.id))
    of = [u.clinic_id == project["clinic_id"], u.agreement_id.in_([row["id"] for row in rows])]
    named: dict[UUID, list[UUID]] = {row["id"]: [] for row in rows}
    for one in store().rows(select(research_agreement_users).where(*of).order_by(u.analyst_id)):
        named[one["agreement_id"]].append(one["analyst_id"])
    return [
        {name: [] if row[name] is None and name in LISTS else row[name] for name in SHOWN}
        | {"analyst_ids": named[row["id"]]}
        for row in rows
    ]


LISTS: Final = ("uses", "terms", "consent_text_versions")


def in_force(project: Values, analyst_id: UUID) -> Values | None:
    """The agreement under which an analyst of the project may read today, or None."""
    a, u, m = research_agreements.c, research_agreement_users.c, research_members.c
    named = exists().where(
        u.clinic_id == a.clinic_id, u.agreement_id == a.id, u.analyst_id == analyst_id
    )
    member = exists().where(
        m.clinic_id == a.clinic_id, m.project_id == a.project_id, m.analyst_id == analyst_id
    )
    mine = [a.clinic_id == project["clinic_id"], a.project_id == project["id"], named, member]
    asked = select(research_agreements).where(*mine, *_stands()).order_by(a.id.desc())
    return store().row(asked.limit(1))


def is_left(project: Values) -> bool:
    """Whether any agreement of a project is in force."""
    stands = any_stands(literal(project["clinic_id"]), literal(project["id"]))
    return bool(store().execute(select(stands)).scalar_one())


def any_stands(clinic_id: ColumnElement[UUID], project_id: ColumnElement[UUID]) -> Exists:
    """The SQL condition that an agreement of a project is in force today."""
    a = research_agreements.c
    return exists(a.id).where(a.clinic_id == clinic_id, a.project_id == project_id, *_stands())


def _stands() -> Iterable[ColumnElement[bool]]:
    a, today = research_agreements.c, _today()
    return (
        a.deleted_at.is_(None),
        a.ended_at.is_(None),
        a.signed_on <= today,
        a.expires_on >= today,
    )


def _today() -> date:
    """The day in UTC; an agreement ends with the day that it names."""
    return clock.now().date()


def refuse_unnamed(actor: Actor, project: Values) -> None:
    """Refuse an analyst whom no agreement in force names, where the project's tier asks for one.

    Raises `NotAllowed`. A privacy officer, who reads no rows, needs none.
    """
    if project["tier"] != LIMITED or actor.rights.role != Role.ANALYST:
        return
    agreement = in_force(project, actor.user_id)
    if agreement is None:
        raise NotAllowed("No data use agreement in force names you.")
    trail.wrote([f"agreement:{agreement['id']}"])


def lacking(project: Values, values: dict[str, Any]) -> list[tuple[str, str]]:
    """What an agreement for this project lacks or may not say, as `(pointer, detail)`."""
    told = [(f"/{name}", "Of a project of tier C alone.") for name in ASKED if values.get(name)]
    if project["tier"] != LIMITED:
        return told
    bad = [(f"/{name}", "Needed for a limited data set.") for name in ASKED if not values.get(name)]
    missing = [term for term in TERMS if term not in (values.get("terms") or ())]
    if values.get("terms") and missing:
        bad.append(("/terms", f"Lacks {', '.join(missing)}."))
    if values.get("expires_on") is None:
        bad.append(("/expires_on", "Needed for a limited data set."))
    return bad


ASKED: Final = ("analyst_ids", *LISTS)
