"""Planning: what a prescriber means to give in a session, decided with a fresh sign-in."""

from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.access.users import users
from api.audit import trail
from api.core import gate
from api.core.treatment.dosing import alerting, finding
from api.core.treatment.dosing.table import dose_plans
from api.core.treatment.protocols import Protocol, protocol_for
from api.core.treatment.sessions import sessions
from api.core.treatment.sessions.booking import lock_session
from api.db import Values, found, match, store
from api.errors import Conflict, Invalid, Stale, VersionNeeded
from api.outbox import events

UNTOLD = 0
"""The version of a plan when the caller named none."""
PLANNABLE = ("scheduled", "arrived", "in_progress")
CONTENT = ("dose_mg", "max_total_mg", "rationale")


def read_dose_plan(actor: Actor, session_id: UUID) -> Values:
    """The dose plan of a session."""
    session = gate.find_in_chart(actor, "dose_plan:read", sessions, session_id)
    return _shown(session, found(finding.plan_of(session["clinic_id"], session["id"])))


def plan_dose(actor: Actor, session_id: UUID, version: int | None, values: Values) -> Values:
    """The plan of a session set, or set anew; no more once a consent it needs was withdrawn."""
    seen = gate.find_in_chart(actor, "dose_plan:write", sessions, session_id)
    session = lock_session(seen)
    plan = finding.plan_of(session["clinic_id"], session["id"])
    if plan is not None and version == UNTOLD:
        raise VersionNeeded('Send If-Match with the ETag of the plan, "<version>".')
    if plan is None and version:
        raise Stale("There is no plan of this version.")
    if plan is not None:
        match(plan, version)
    _refuse(session, values)
    trail.wrote(values)
    return _shown(session, _keep(actor, session, plan, values))


def _keep(planner: Actor, session: Values, plan: Values | None, values: Values) -> Values:
    content = {name: values.get(name) for name in CONTENT}
    kept = {name: values[name] for name in ("medicine", "route")}
    kept |= {"content": content, "planned_by": planner.user_id}
    subject = {"session_id": session["id"], "patient_id": session["patient_id"]}
    told = [events.row(session["clinic_id"], "dose_plan.set", subject)]
    if plan is not None:
        return {**store().change(dose_plans, plan, kept, also=told), **content}
    keys = {name: session[name] for name in ("clinic_id", "patient_id")}
    row = store().add(dose_plans, keys | {"session_id": session["id"]} | kept, also=told)
    return {**row, **content}


def _refuse(session: Values, values: Values) -> None:
    """Raise for a plan that contradicts itself, or that may not be made now."""
    most = values.get("max_total_mg")
    if most is not None and most < values["dose_mg"]:
        raise Invalid([("/max_total_mg", "This is less than the dose.")])
    if session["kind"] != "dosing":
        raise Conflict("Only a dosing session has a dose plan.", state=session["state"], allowed=[])
    if session["state"] not in PLANNABLE:
        detail = "A plan is made before the session is over."
        raise Conflict(detail, state=session["state"], allowed=[])
    protocol = _protocol(session, values)
    gone = withdrawn(session, protocol)
    if gone:
        raise Conflict(
            "A consent that the dose needs was withdrawn.",
            state=session["state"],
            allowed=[],
            missing=[f"consent_{kind}" for kind in gone],
            protocol=protocol.name,
        )


def _protocol(session: Values, values: Values) -> Protocol:
    if session["protocol_key"] is not None:
        return finding.protocol_of(session)
    return protocol_for(session["clinic_id"], values["route"], values["medicine"])


def withdrawn(session: Values, protocol: Protocol) -> list[str]:
    """The kinds of consent that the protocol asks for and that the patient took back."""
    now, there = clock.now(), alerting.consents_of(session, protocol)
    taken_back = {c.kind for c in there if c.withdrawn_at is not None}
    return sorted(taken_back - {c.kind for c in there if c.stood(now)})


def _shown(session: Values, plan: Values) -> Values:
    u = users.c
    named = select(u.id, u.display_name).where(
        u.clinic_id == session["clinic_id"], u.id == plan["planned_by"]
    )
    protocol = _protocol(session, plan)
    return plan | {"planned_by": store().row(named), "protocol": protocol.name}
