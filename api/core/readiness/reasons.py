"""Why a dose may not start: a closed list of codes, in words that name nobody. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from api.access.policies import Privilege
from api.core.consents import KINDS as CONSENTS
from api.paging import Values

IN_FORCE, MISSING, WITHDRAWN, NOT_SAID_AGAIN = CONSENT_STATES = (
    "in_force",
    "missing",
    "withdrawn",
    "not_reaffirmed",
)
"""How a consent that the protocol asks for stands at this minute."""
_CONSENT: Final = {
    MISSING: "There is no consent of this kind: {kind}.",
    WITHDRAWN: "The patient withdrew this consent: {kind}.",
    NOT_SAID_AGAIN: "This consent was not reaffirmed at this session: {kind}.",
}
UNSCREENED: Final = "eligibility_unsigned"
HELD: Final = "eligibility_held"
UNPLANNED: Final = "dose_plan_missing"
UNMEASURED: Final = "baseline_vitals_missing"
OUT_OF_LIMITS: Final = "baseline_vitals_out_of_limits"
UNREPEATED: Final = "baseline_vitals_not_repeated"
ALERT_OPEN: Final = "alert_open"
UNCONTACTED: Final = "integration_missing"
UNSIGNED: Final = "last_session_unsigned"
_OTHERS: Final = {
    UNSCREENED: "Nobody signed these items of the screening.",
    HELD: "Somebody decided to wait, or not to treat, on these items of the screening.",
    UNPLANNED: "There is no dose plan for this session.",
    UNMEASURED: "These readings are lacking from the last minutes before the dose.",
    OUT_OF_LIMITS: "A reading before the dose breaks these rules of the protocol.",
    UNREPEATED: "A reading before the dose is to be repeated by these rules of the protocol.",
    ALERT_OPEN: "An immediate or same-day alert of this patient is not resolved.",
    UNCONTACTED: "No integration session was held since the last dose.",
    UNSIGNED: "The record or a note of the last dosing session is not signed.",
}


def consent_code(state: str, kind: str) -> str:
    """The code of a consent that does not stand."""
    return f"consent_{state}_{kind}"


CONSENT_CODES: Final = {
    consent_code(state, kind): (state, kind) for state in _CONSENT for kind in CONSENTS
}
CODES: Final = (*CONSENT_CODES, *_OTHERS)
"""Every code there is."""
NOBODYS: Final = frozenset(code for code, (state, _) in CONSENT_CODES.items() if state == WITHDRAWN)
"""What nobody passes over: the patient said no."""


@dataclass(frozen=True)
class Facts:
    """What is known at this minute; what is not asked of is as if it were well.

    `consents` is `{kind: state}`; the lists name items, readings or rules.
    """

    consents: Mapping[str, str] = field(default_factory=dict)
    unsigned_items: tuple[str, ...] = ()
    held_items: tuple[str, ...] = ()
    planned: bool = True
    unmeasured: tuple[str, ...] = ()
    out_of_limits: tuple[str, ...] = ()
    unrepeated: tuple[str, ...] = ()
    alert_open: bool = False
    contacted: bool = True
    signed: bool = True


def reasons(facts: Facts) -> list[Values]:
    """Each reason `{code, detail, about[], overridable_by}`; a dose is ready when there is none."""
    return [_told(code, about) for code, about in _found(facts)]


def _found(facts: Facts) -> Iterator[tuple[str, Iterable[str]]]:
    for kind, state in facts.consents.items():
        if state != IN_FORCE:
            yield consent_code(state, kind), [kind]
    listed = {
        UNSCREENED: facts.unsigned_items,
        HELD: facts.held_items,
        UNMEASURED: facts.unmeasured,
        OUT_OF_LIMITS: facts.out_of_limits,
        UNREPEATED: facts.unrepeated,
    }
    holds = {
        UNPLANNED: not facts.planned,
        ALERT_OPEN: facts.alert_open,
        UNCONTACTED: not facts.contacted,
        UNSIGNED: not facts.signed,
    }
    for code in _OTHERS:
        if listed.get(code) or holds.get(code):
            yield code, listed.get(code, ())


def _told(code: str, about: Iterable[str]) -> Values:
    by = None if code in NOBODYS else Privilege.PRESCRIBE.value
    return {"code": code, "detail": detail(code), "about": list(about), "overridable_by": by}


def detail(code: str) -> str:
    """A code in words; KeyError for one that there is not."""
    if code in CONSENT_CODES:
        state, kind = CONSENT_CODES[code]
        return _CONSENT[state].format(kind=kind)
    return _OTHERS[code]
