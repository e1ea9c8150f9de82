"""Effects: sedation, dissociation and respiratory depression, from when until when. Pure.

An effect is known by an adverse event of its name, or by a reading. Where nobody looked it is not
said that there was none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.core.treatment.dosing.judging import TELLING, readings_of
from api.core.treatment.dosing.vocabulary import EVENT
from api.db import Values

SEDATION, DISSOCIATION, RESPIRATORY = EFFECTS = (
    "sedation",
    "dissociation",
    "respiratory_depression",
)
EVENTS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    SEDATION: ("sedation", "loss_of_consciousness"),
    DISSOCIATION: ("dissociation",),
    RESPIRATORY: ("respiratory_depression",),
}
READINGS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    SEDATION: ("sedation_moaas", "sedation_rass"),
    DISSOCIATION: ("dissociation",),
    RESPIRATORY: ("respirations_per_min", "spo2_percent"),
}
AWAKE: Final = 5
"""MOAA/S of who answers readily (Chernik 1990, doi:10.1097/00004714-199008000-00003)."""
CALM: Final = 0
"""RASS of who is alert and calm (Sessler 2002, doi:10.1164/rccm.2107138)."""


@dataclass(frozen=True)
class Seen:
    """One look at an effect: whether it was there; None where a person has to say."""

    at: datetime
    there: bool | None


def effect_of(name: str, entries: Sequence[Values], dosed_at: datetime | None) -> Values:
    """`{occurred, onset_at, resolved_at}` of one effect after a dose.

    `occurred` is None where nobody looked, or where what was seen does not decide it.
    """
    after = [e for e in entries if dosed_at is not None and e["measured_at"] >= dosed_at]
    events = [e for e in after if e["type"] == EVENT and e["content"]["code"] in EVENTS_OF[name]]
    looks = sorted(_looks(name, after), key=lambda look: look.at)
    found = [look for look in looks if look.there]
    onsets = [e["measured_at"] for e in events] + [look.at for look in found]
    if onsets:
        return _told(True, min(onsets), _ended(events, looks))
    undecided = not looks or any(look.there is None for look in looks)
    return _told(None if undecided else False, None, None)


def _told(occurred: bool | None, onset: datetime | None, resolved: datetime | None) -> Values:
    return {"occurred": occurred, "onset_at": onset, "resolved_at": resolved}


def _ended(events: Sequence[Values], looks: Sequence[Seen]) -> datetime | None:
    """When the last of it was over; None while some of it is not said to be.

    An event whose end was not noted is over with the first look after it that finds nothing.
    """
    ends = [_end_of(event, looks) for event in events]
    last = max((look.at for look in looks if look.there), default=None)
    if last is not None:
        ends.append(_clear(last, looks))
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def _end_of(event: Values, looks: Sequence[Seen]) -> datetime | None:
    noted = event["content"].get("resolved_at")
    if noted is not None:
        return datetime.fromisoformat(noted)
    return _clear(event["measured_at"], looks)


def _clear(since: datetime, looks: Sequence[Seen]) -> datetime | None:
    return next((look.at for look in looks if look.at > since and look.there is False), None)


def _looks(name: str, entries: Sequence[Values]) -> Iterator[Seen]:
    for entry in entries:
        measured = readings_of(entry)
        fields = [each for each in READINGS_OF[name] if each in measured]
        if fields:
            there = [_there(each, measured[each], entry["judgements"]) for each in fields]
            decided = True if True in there else None if None in there else False
            yield Seen(entry["measured_at"], decided)


def _there(field: str, value: float, judgements: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether a reading shows the effect; of low oxygen alone a person says what it was."""
    if field == "sedation_moaas":
        return value < AWAKE
    if field == "sedation_rass":
        return value < CALM
    if field == "dissociation":
        return value > 0
    broken = any(one["field"] == field and one["action"] in TELLING for one in judgements)
    if field == "spo2_percent":
        return None if broken else False
    return broken
