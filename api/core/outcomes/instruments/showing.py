"""Instruments as the doors show them: what is asked, how it is scored, and whose work it is."""

from typing import Any

from api import clock
from api.access.policies import Actor
from api.core import gate
from api.core.outcomes.instruments.catalogue import Instrument, catalogue, instrument
from api.db import SYNC_MARGIN, Listing, Page, Values
from api.errors import Conflict

NAMES = ("key", "version", "scoring_version", "title", "short_title", "construct")
FLAGS = ("cutoffs", "derived", "safety_rules")
"""What a patient is not shown of an instrument: the rules that raise flags."""


def list_instruments(actor: Actor, asked: Page) -> Listing:
    """The shipped instruments, by key."""
    gate.admit(actor, "instrument:read")
    after = asked.after[0] if asked.after else ""
    keys = sorted(key for key in catalogue() if key > after)
    more = len(keys) > asked.limit
    shown = [_brief(instrument(key)) for key in keys[: asked.limit]]
    listing = Listing(shown, (shown[-1]["key"],) if more else None)
    if asked.since is not None:
        listing.tombstones = []
        listing.synced_to = None if more else clock.now() - SYNC_MARGIN
    return listing


def read_instrument(actor: Actor, key: str) -> Values:
    """One instrument, with its items; `Conflict` for a patient while a text is missing."""
    gate.admit(actor, "instrument:read")
    one = instrument(key)
    refuse_without_text(actor, one)
    shown = _whole(one)
    if actor.rights.is_patient:
        return {name: value for name, value in shown.items() if name not in FLAGS}
    return shown


def is_text_missing(one: Instrument) -> bool:
    """Whether a question or an answer has no words, so that it can't be put to a patient."""
    return any(
        item.text is None or any(option.label is None for option in item.options)
        for item in one.items
    )


def refuse_without_text(reader: Actor, one: Instrument) -> None:
    """Raise `Conflict` for a patient while a text is missing; clinicians have a licensed form."""
    if reader.rights.is_patient and is_text_missing(one):
        raise Conflict(
            "The wording of this instrument is not available here.",
            reason="instrument_text_missing",
            missing=["instrument_text"],
        )


def _brief(one: Instrument) -> Values:
    shown = {name: one.definition[name] for name in NAMES}
    return shown | {
        "recall_period": one.recall_period,
        "higher_is": one.higher_is,
        "items_count": len(one.items),
        "text_missing": is_text_missing(one),
    }


def _whole(one: Instrument) -> Values:
    d = one.definition
    scoring = d["scoring"]
    return _brief(one) | {
        "respondent": d["respondent"],
        "instructions": d.get("instructions"),
        "licence": d["licence"],
        "loinc": d["loinc"],
        "items": [_item(item, d["items"][place]) for place, item in enumerate(one.items)],
        "scoring": {
            "method": one.scoring.method,
            "min_total": one.scoring.lowest,
            "max_total": one.scoring.highest,
            "prorate_max_missing": one.scoring.prorate_max_missing,
            "missing_rule": scoring["missing"].get("default"),
        },
        "subscales": [{"code": s.code, "link_ids": list(s.link_ids)} for s in one.subscales],
        "bands": d["bands"],
        "cutoffs": d["cutoffs"],
        "derived": d["derived"],
        "safety_rules": [
            {**rule, "link_id": rule["item"], "value": rule["value"]} for rule in d["safety_rules"]
        ],
        "sources": d.get("sources", []),
    }


def _item(item: Any, defined: Values) -> Values:
    return {
        "link_id": item.link_id,
        "number": item.number,
        "text": item.text,
        "scored": item.scored,
        "reverse": item.reverse,
        "loinc": defined["loinc"],
        "options": [{"value": o.value, "label": o.label, "loinc": o.loinc} for o in item.options],
    }
