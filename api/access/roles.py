"""The words of rights: kinds of actor, how far a right goes, privileges, professions, a grant."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The kind of actor; the word is the `kind` that `GET /me` answers."""

    PATIENT = "patient"
    CLINICIAN = "clinician"
    ADMINISTRATOR = "administrator"
    PRIVACY_OFFICER = "privacy_officer"
    ANALYST = "analyst"
    SYSTEM = "system"


class Reach(StrEnum):
    """How far a permission goes."""

    OWN = "own"  # the patient's own chart
    TEAM = "team"  # charts of patients whose care team or duty names the clinician
    AUTHOR = "author"  # what the clinician wrote themself, and nobody else's
    CLINIC = "clinic"  # every record of the clinic
    PROJECT = "project"  # the research projects that name the analyst; nothing of any patient
    EHR = "ehr"  # charts that a client's system knows, or that the clinic lets it see
    SELF = "self"  # the actor's own account, and words that belong to nobody


class Privilege(StrEnum):
    """What a clinician may do beyond care-team reach."""

    PRESCRIBE = "prescribe"
    ADMINISTER = "administer"
    DISCHARGE = "discharge"
    COSIGN = "cosign"
    DIRECT = "direct"


class Profession(StrEnum):
    """A clinician's profession, shown beside the privileges."""

    THERAPIST = "therapist"
    PRESCRIBER = "prescriber"
    NURSE = "nurse"
    GUIDE = "guide"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True)
class Grant:
    """One cell of the table: how far, and whether a fresh sign-in or a privilege is asked for.

    One that is `in_emergency` too is granted of a chart that was opened by breaking the glass.
    """

    reach: Reach
    step_up: bool = False
    privilege: Privilege | None = None
    in_emergency: bool = False
