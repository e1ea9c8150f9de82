"""Instruments as the doors show them: what is asked, how it is scored, and whose work it is."""

from typing import Any

from api import clock
from api.access.policies import Actor
from api.core import gate
from api.core.outcomes.instruments.definition import Band, Cutoff, Instrument, Item
from api.core.outcomes.instruments.shelf import Shelved, find_shelved, is_over, shelf, versions
from api.db import SYNC_MARGIN, Listing, Page, Values
from api.errors import Conflict

FLAGS = ("cutoffs", "derived", "safety_rules", "tiers")
"""What a patient is not shown of an instrument: the rules that raise flags."""
HELD_BY_CLINIC = "The clinic holds the licence."


def list_instruments(actor: Actor, asked: Page) -> Listing:
    """The instruments that are shipped and the clinic's own, by key."""
    gate.admit(actor, "instrument:read")
    after = asked.after[0] if asked.after else ""
    there = [one for one in shelf(actor.clinic_id) if one.instrument.key > after]
    more = len(there) > asked.limit
    shown = [_brief(one) for one in there[: asked.limit]]
    listing = Listing(shown, (shown[-1]["key"],) if more else None)
    if asked.since is not None:
        listing.tombstones = []
        listing.synced_to = None if more else clock.now() - SYNC_MARGIN
    return listing


def read_instrument(actor: Actor, key: str, version: str | None = None) -> Values:
    """One instrument, with its items; `Conflict` for a patient while a text is missing."""
    gate.admit(actor, "instrument:read")
    return whole(actor, find_shelved(actor.clinic_id, key, version))


def whole(reader: Actor, one: Shelved) -> Values:
    """All of an instrument that this reader sees."""
    refuse_without_text(reader, one.instrument)
    hidden = FLAGS if reader.rights.is_patient else ()
    shown = _brief(one) | _told(one) | _rules(one.instrument)
    there = versions(reader.clinic_id, one.instrument.key)
    return {k: v for k, v in shown.items() if k not in hidden} | {"versions": there}


def is_text_missing(one: Instrument) -> bool:
    """Whether a question or an answer has no words, so that it can't be put to a patient."""
    return one.is_text_missing


def refuse_without_text(reader: Actor, one: Instrument) -> None:
    """Raise `Conflict` for a patient while a text is missing; clinicians have a licensed form."""
    if reader.rights.is_patient and one.is_text_missing:
        raise Conflict(
            "The wording of this instrument is not available here.",
            reason="instrument_text_missing",
            missing=["instrument_text"],
        )


def _brief(shelved: Shelved) -> Values:
    one = shelved.instrument
    return {
        "id": one.key,
        "key": one.key,
        "version": one.version,
        "scoring_version": one.scoring_version,
        "title": one.title,
        "short_title": one.short_title,
        "construct": one.definition.get("construct"),
        "recall_period": one.recall_period,
        "higher_is": one.higher_is,
        "items_count": len(one.items),
        "text_missing": one.is_text_missing,
        "is_own": shelved.is_own,
    }


def _told(shelved: Shelved) -> Values:
    one, d = shelved.instrument, shelved.instrument.definition
    return {
        "respondent": d.get("respondent"),
        "instructions": one.instructions,
        "focus": d.get("focus"),
        "licence": _licence(shelved),
        "loinc": d.get("loinc") or {},
        "items": [_item(item) for item in one.items],
        "scoring": _scoring(one),
        "subscales": [
            {
                "code": part.code,
                "label": d["subscales"][place].get("label"),
                "link_ids": list(part.link_ids),
                "multiplier": part.multiplier,
                "bands": [_band(band) for band in part.bands],
            }
            for place, part in enumerate(one.subscales)
        ],
        "bands": [_band(band) for band in one.bands],
        "sources": d.get("sources", []),
    }


def _licence(shelved: Shelved) -> Values:
    """Whose work it is; `statement`, `holder` and `expires_on` where the clinic gave them."""
    told = shelved.instrument.definition.get("licence") or {}
    given = shelved.licence or {}
    ends = given.get("expires_on")
    return {
        "status": told.get("status", HELD_BY_CLINIC),
        "notice": told.get("notice"),
        "statement": given.get("licence_statement"),
        "holder": given.get("holder"),
        "expires_on": ends,
        "is_expired": is_over(ends),
    }


def _scoring(one: Instrument) -> Values:
    scoring, told = one.scoring, one.definition["scoring"]
    return {
        "method": scoring.method,
        "min_total": scoring.lowest,
        "max_total": scoring.highest,
        "multiplier": scoring.multiplier,
        "decimals": scoring.decimals,
        "domains": [list(group) for group in scoring.groups],
        "prorate_max_missing": scoring.prorate_max_missing,
        "missing_rule": told["missing"].get("default"),
    }


def _rules(one: Instrument) -> Values:
    """What raises flags and tells levels of risk."""
    d = one.definition
    return {
        "tiers": [{"code": tier.code, "any_of": dict(tier.any_of)} for tier in one.scoring.tiers],
        "cutoffs": [
            _cutoff(cutoff, d["cutoffs"][place]) for place, cutoff in enumerate(one.cutoffs)
        ],
        "derived": [
            {"code": derived.code, "rule": d["derived"][place].get("rule")}
            for place, derived in enumerate(one.derived)
        ],
        "safety_rules": [
            {
                "flag": rule.flag,
                "link_id": rule.link_id,
                "op": rule.op,
                "value": rule.value,
                "tier": rule.tier,
                "priority": rule.priority,
            }
            for rule in one.safety_rules
        ],
    }


def _item(item: Item) -> Values:
    asked = item.asked_when
    return {
        "link_id": item.link_id,
        "number": item.number,
        "text": item.text,
        "scored": item.scored,
        "reverse": item.reverse,
        "loinc": item.loinc,
        "options": [{"value": o.value, "label": o.label, "loinc": o.loinc} for o in item.options],
        "asked_when": asked and {"link_id": asked.link_id, "values": sorted(asked.values)},
    }


def _band(band: Band) -> Values:
    ends_by_sex = (band.by_sex or {}).items()
    by_sex = {sex: {"min": low, "max": high} for sex, (low, high) in ends_by_sex}
    ends: dict[str, Any] = {"min": band.lowest, "max": band.highest}
    return {"code": band.code, **ends, "max_exclusive": band.is_open, "by_sex": by_sex or None}


def _cutoff(cutoff: Cutoff, told: Values) -> Values:
    return {
        "flag": cutoff.flag,
        "op": cutoff.op,
        "value": cutoff.value,
        "by_sex": cutoff.by_sex,
        "meaning": told.get("meaning"),
    }
