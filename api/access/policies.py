"""Who may do what, as one table that is read from top to bottom. Pure: it asks no database."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from api.access.roles import (
    Grant as Grant,
    Privilege as Privilege,
    Profession as Profession,
    Reach as Reach,
    Role as Role,
)

S = Role.SYSTEM
P, C, A, O = Role.PATIENT, Role.CLINICIAN, Role.ADMINISTRATOR, Role.PRIVACY_OFFICER  # noqa: E741
OWN, TEAM = Grant(Reach.OWN), Grant(Reach.TEAM)
OPENED = Grant(Reach.TEAM, in_emergency=True)
CLINIC, SELF = Grant(Reach.CLINIC), Grant(Reach.SELF)
OWN_STEP_UP, TEAM_STEP_UP = Grant(Reach.OWN, True), Grant(Reach.TEAM, True)
CLINIC_STEP_UP, PROJECT_STEP_UP = Grant(Reach.CLINIC, True), Grant(Reach.PROJECT, True)
R, PROJECT, EHR = Role.ANALYST, Grant(Reach.PROJECT), Grant(Reach.EHR)
EVERYBODY: dict[Role, Grant] = dict.fromkeys(Role, SELF)
NOBODY: dict[Role, Grant] = {}
"""Through no door: what the operator and the worker do."""
LINK = "link"
"""The door of a one-use link: it acts as its patient, and nobody is signed in."""
FHIR = "fhir"
"""The door of EHR systems: clients with keys of their own, and no people."""

TABLE: dict[str, dict[Role, Grant]] = {
    # one's own account
    "me:read": EVERYBODY,
    "me:update": EVERYBODY,
    "sign_in:step_up": EVERYBODY,
    "sign_in:list": EVERYBODY,
    "sign_in:end": EVERYBODY,
    "second_factor:read": EVERYBODY,
    "second_factor:make": dict.fromkeys(Role, Grant(Reach.SELF, True)),
    "second_factor:confirm": EVERYBODY,
    "second_factor:renew": dict.fromkeys(Role, Grant(Reach.SELF, True)),
    "second_factor:remove": dict.fromkeys(Role, Grant(Reach.SELF, True)),
    "words:read": EVERYBODY,
    "instrument:read": EVERYBODY,
    "protocol:read": EVERYBODY,
    "protocol_version:read": {C: CLINIC},
    "protocol_version:draft": {C: Grant(Reach.CLINIC, privilege=Privilege.DIRECT)},
    "protocol_version:approve": {C: Grant(Reach.CLINIC, True, Privilege.DIRECT)},
    "instrument:define": {C: CLINIC, A: CLINIC},
    # the clinic
    "clinic:read": {A: CLINIC},
    "clinic:update": {A: CLINIC_STEP_UP},
    **dict.fromkeys(("clinic:suspend", "clinic:resume", "client:alarm"), NOBODY),
    "clinician:list": {C: CLINIC, A: CLINIC},
    "user:list": {A: CLINIC},
    "user:invite": {A: CLINIC_STEP_UP},
    "user:change": {A: CLINIC_STEP_UP},
    "user:reset_factor": {A: CLINIC_STEP_UP},
    "user:disable": {A: CLINIC_STEP_UP, O: CLINIC_STEP_UP},
    "clinician:hand_over": {A: CLINIC},
    "room:read": {C: CLINIC, A: CLINIC},
    "room:manage": {A: CLINIC},
    "client:read": {A: CLINIC},
    "client:manage": {A: CLINIC_STEP_UP},
    "webhook:read": {A: CLINIC},
    "webhook:manage": {A: CLINIC_STEP_UP},
    # what changed: of each kind of record as far as one may read it
    "change:list": {P: OWN, C: TEAM, A: CLINIC},
    # the chart
    "patient:list": {P: OWN, C: TEAM, A: CLINIC},
    "patient:create": {C: CLINIC, A: CLINIC},
    "patient:read": {P: OWN, C: OPENED, A: CLINIC},
    "patient:update": {P: OWN, C: TEAM, A: CLINIC},
    "patient:discharge": {C: TEAM, A: CLINIC_STEP_UP},
    "patient:readmit": {C: TEAM, A: CLINIC_STEP_UP},
    "patient:merge": {A: CLINIC_STEP_UP},
    "patient_merge:read": {A: CLINIC, O: CLINIC},
    "break_glass:open": {C: CLINIC_STEP_UP},
    "break_glass:read": {C: Grant(Reach.AUTHOR), O: CLINIC},
    "break_glass:review": {O: CLINIC},
    "patient:download": {P: OWN_STEP_UP},
    "access_log:read": {P: OWN, O: CLINIC},
    "access_log:search": {O: CLINIC},
    "audit_event:read": {A: CLINIC, O: CLINIC},
    "amendment:read": {P: OWN, C: TEAM, O: CLINIC},
    "amendment:request": {P: OWN},
    "amendment:decide": {C: TEAM, O: CLINIC},
    "erasure:read": {P: OWN, A: CLINIC, O: CLINIC},
    "erasure:request": {P: OWN, A: CLINIC},
    "erasure:decide": {O: CLINIC_STEP_UP},
    "legal_hold:read": {O: CLINIC},
    "legal_hold:manage": {O: CLINIC_STEP_UP},
    "retention:read": {A: CLINIC, O: CLINIC},
    "chart_purge:read": {A: CLINIC, O: CLINIC},
    "chart_purge:propose": {A: CLINIC_STEP_UP, O: CLINIC_STEP_UP},
    "chart_purge:approve": {A: CLINIC_STEP_UP, O: CLINIC_STEP_UP},
    "chart_purge:withdraw": {A: CLINIC, O: CLINIC},
    "companion:read": {P: OWN, C: OPENED},
    "companion:write": {P: OWN, C: TEAM},
    "care_team:read": {P: OWN, C: OPENED, A: CLINIC, O: CLINIC},
    "care_team:assign": {C: TEAM, A: CLINIC},
    "care_team:end": {C: TEAM, A: CLINIC},
    "consent:read": {P: OWN, C: OPENED, A: CLINIC, O: CLINIC},
    "consent:sign": {P: OWN_STEP_UP, C: TEAM},
    "consent:withdraw": {P: OWN, C: TEAM},
    # sessions
    "session:list": {P: OWN, C: OPENED, A: CLINIC},
    "session:read": {P: OWN, C: OPENED, A: CLINIC},
    "session:schedule": {C: TEAM, A: CLINIC},
    "session:rebook": {C: TEAM, A: CLINIC},
    "session:update": {C: TEAM},
    "session:complete": {C: TEAM},
    "session:start_dosing": {C: TEAM_STEP_UP},
    "session:override_start": {C: Grant(Reach.TEAM, True, Privilege.PRESCRIBE)},
    "session:override_discharge": {C: Grant(Reach.TEAM, True, Privilege.DISCHARGE)},
    "session:cancel": {P: OWN, C: TEAM, A: CLINIC},
    "session:no_show": {C: TEAM, A: CLINIC},
    # the dosing session: what happened is recorded without a step-up
    "ledger:read": {C: OPENED},
    "ledger:record": {C: TEAM},
    "given:read": {P: OWN},
    "dose_plan:read": {C: OPENED},
    "dose_plan:write": {C: Grant(Reach.TEAM, True, Privilege.PRESCRIBE)},
    "monitoring:read": {C: OPENED},
    "readiness:read": {C: OPENED},
    "discharge:read": {C: OPENED},
    "discharge:write": {C: TEAM},
    "setting:read": {P: OWN, C: OPENED},
    "setting:write": {C: TEAM},
    "attestation:ask": {C: TEAM},
    "attestation:read": {C: TEAM},
    "dosing_board:read": {C: TEAM},
    "rems_form:read": {C: TEAM},
    "rems_form:file": {C: TEAM},
    # what a course of treatment rests on
    "course:read": {P: OWN, C: OPENED},
    "course:write": {C: TEAM},
    "screening:read": {C: OPENED},
    "screening:write": {C: TEAM},
    "allergy:read": {P: OWN, C: OPENED},
    "allergy:write": {C: TEAM},
    "medication:read": {P: OWN, C: OPENED},
    "medication:write": {C: TEAM},
    "diagnosis:read": {P: OWN, C: OPENED},
    "diagnosis:write": {C: TEAM},
    # the record of a session: notes and signatures
    "note:read": {P: OWN, C: OPENED},
    "note:write": {C: TEAM},
    "note:sign": {C: TEAM_STEP_UP},
    "note:add": {C: TEAM},
    "note:cosign": {C: Grant(Reach.TEAM, True, Privilege.COSIGN)},
    "note:history": {C: TEAM},
    "note:remove": {C: TEAM},
    "note:ask_unlock": {C: TEAM},
    "note:unlock": {C: TEAM_STEP_UP},
    "note:hold": {C: TEAM_STEP_UP},
    "psychotherapy_note:write": {C: TEAM},
    "psychotherapy_note:read": {C: Grant(Reach.AUTHOR)},
    "signature:read": {C: OPENED},
    "session:sign": {C: TEAM_STEP_UP},
    # alerts
    "alert:read": {C: OPENED},
    "alert:acknowledge": {C: OPENED},
    "alert:resolve": {C: TEAM},
    "on_call:read": {C: CLINIC, A: CLINIC},
    "on_call:set": {A: CLINIC},
    # integration
    "insight:read": {P: OWN, C: OPENED},
    "insight:write": {P: OWN, C: TEAM},
    "goal:read": {P: OWN, C: OPENED},
    "goal:create": {P: OWN, C: TEAM},
    "goal:update": {P: OWN, C: TEAM},
    "goal:rate": {C: TEAM},
    "attainment:read": {C: TEAM},
    "practice:read": {P: OWN, C: OPENED},
    "practice:create": {P: OWN, C: TEAM},
    "practice:update": {P: OWN, C: TEAM},
    "step:read": {P: OWN, C: OPENED},
    "step:log": {P: OWN, C: TEAM},
    "step:update": {P: OWN, C: TEAM},
    "moment:read": {P: OWN, C: OPENED},
    "moment:notice": {P: OWN, C: TEAM},
    "moment:update": {P: OWN, C: TEAM},
    "reply:write": {C: TEAM},
    "journal:read": {P: OWN, C: TEAM},
    "journal:write": {P: OWN},
    "lineage:read": {P: OWN, C: TEAM},
    "window:read": {P: OWN, C: OPENED},
    # a day: the clinician's and the patient's
    "worklist:read": {C: TEAM},
    "between:read": {C: TEAM},
    "today:read": {P: OWN},
    # outcomes
    "check_in:read": {P: OWN, C: OPENED},
    "check_in:log": {P: OWN, C: TEAM},
    "check_in:correct": {C: TEAM},
    "check_in:import": {C: TEAM, A: CLINIC},
    "outcome:read": {P: OWN, C: OPENED},
    # to a clinician of their caseload; with `direct`, as to A, figures of the whole clinic
    "clinic_outcome:read": {C: TEAM, A: CLINIC},
    "check_in_plan:read": {P: OWN, C: OPENED},
    "check_in_plan:write": {C: TEAM},
    "check_in_link:read": {C: TEAM},
    "check_in_link:make": {C: TEAM},
    "plan_template:read": {C: CLINIC},
    "plan_template:write": {C: CLINIC},
    # research: de-identified alone
    "research_project:read": {R: PROJECT, O: CLINIC},
    "research_project:open": {O: CLINIC_STEP_UP},
    "research_project:change": {O: CLINIC_STEP_UP},
    "research_release:read": {R: PROJECT, O: CLINIC},
    "research_release:make": {R: PROJECT_STEP_UP},
    "research_release:download": {R: PROJECT},
    "research_limited:download": {R: PROJECT_STEP_UP},
    "research_cube:read": {R: PROJECT},
    "research_key:read": {R: PROJECT},
    "research_key:make": {R: PROJECT_STEP_UP},
    # EHR systems, at their own door alone; their scopes say of which types
    "fhir:read": {S: EHR},
    "fhir:search": {S: EHR},
    "fhir:create": {S: EHR},
    "fhir:update": {S: EHR},
    "fhir:export": {S: EHR},
    "fhir:subscribe": {S: EHR},
}


def grant(role: Role | str, action: str) -> Grant | None:
    """What `role` may do of `action`, or None: to forget a row is to deny."""
    return TABLE[action].get(Role(role))


def roles(action: str) -> list[str]:
    """The roles that may do `action`, in the order of the document; KeyError without a row."""
    return [role.value for role in Role if role in TABLE[action]]


@dataclass(frozen=True)
class Rights:
    """What the database says of the one who is signed in, read at each request."""

    user_id: UUID
    clinic_id: UUID
    role: Role
    display_name: str
    patient_id: UUID | None
    privileges: frozenset[str]
    zone: str
    auth_time: datetime
    seen_at: datetime | None = None
    suspended: bool = False

    @property
    def is_patient(self) -> bool:
        """Whether the actor is the patient themself."""
        return self.role == Role.PATIENT


@dataclass
class Actor:
    """Who knocks: what the token proved, and once the gate has looked, the rights."""

    sign_in_id: UUID
    user_id: UUID
    clinic_id: UUID
    door: str = "v1"
    request_id: str = ""
    client_ip: str | None = None
    known: Rights | None = field(default=None, repr=False)
    extras: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def rights(self) -> Rights:
        """The rights; to ask before the gate has looked is a bug."""
        if self.known is None:
            raise RuntimeError("the gate has not identified this actor")
        return self.known

    @property
    def writer_id(self) -> UUID | None:
        """The user who writes, for records that name one; None behind a one-use link."""
        return None if self.door == LINK else self.user_id

    def signature(self) -> dict[str, Any]:
        """Who did it, in the columns of the trail."""
        return {
            "clinic_id": self.clinic_id,
            "actor_id": self.user_id,
            "role": self.rights.role.value,
            "sign_in_id": self.sign_in_id,
            "door": self.door,
            "request_id": self.request_id,
            "client_ip": self.client_ip,
        }
