"""From a definition as it is on file to the questionnaire that the scorer works with."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.core.outcomes.instruments.definition import (
    SEXES,
    UNKNOWN,
    Asked,
    Band,
    Cutoff,
    Derived,
    Figure,
    Instrument,
    Item,
    Option,
    SafetyRule,
    Scoring,
    Subscale,
    SymptomCount,
    Tier,
)

Json = Mapping[str, Any]


def parse_instrument(definition: Json) -> Instrument:
    """The questionnaire of one definition, shape as `definition.schema.json` has it."""
    version = definition["version"]
    return Instrument(
        key=definition["key"],
        version=version,
        scoring_version=definition.get("scoring_version", version),
        title=definition["title"],
        short_title=definition["short_title"],
        recall_period=definition["recall_period"],
        higher_is=definition["higher_is"],
        instructions=definition.get("instructions"),
        items=_items(definition),
        scoring=_scoring(definition["scoring"]),
        subscales=_subscales(definition),
        bands=_bands(definition["bands"]),
        cutoffs=tuple(_cutoff(one) for one in definition.get("cutoffs", ())),
        derived=tuple(_derived(one) for one in definition.get("derived", ())),
        safety_rules=tuple(_safety_rule(one) for one in definition.get("safety_rules", ())),
        definition=definition,
    )


def _items(definition: Json) -> tuple[Item, ...]:
    lists = {
        name: tuple(
            Option(o["value"], o["label"], o.get("loinc"), o.get("snomed")) for o in one["options"]
        )
        for name, one in definition["answer_lists"].items()
    }
    return tuple(_item(one, lists[one["answer_list"]]) for one in definition["items"])


def _item(one: Json, options: tuple[Option, ...]) -> Item:
    asked = one.get("asked_when")
    return Item(
        link_id=one["link_id"],
        number=one["number"],
        text=one["text"],
        options=options,
        scored=one.get("scored", True),
        reverse=one.get("reverse", False),
        loinc=one.get("loinc"),
        asked_when=Asked(asked["item"], frozenset(asked["values"])) if asked else None,
        skipped_as=one.get("skipped_as"),
    )


def _scoring(one: Json) -> Scoring:
    lowest, highest = one.get("range") or (None, None)
    tiers = (Tier(tier["code"], tier.get("any_of", {})) for tier in one.get("tiers", ()))
    return Scoring(
        method=one["method"],
        lowest=lowest,
        highest=highest,
        prorate_max_missing=one["missing"].get("prorate_max_missing", 0),
        multiplier=one.get("multiplier", 1),
        decimals=one.get("decimals", 0),
        groups=tuple(tuple(group) for group in one.get("domains", ())),
        tiers=tuple(tiers),
    )


def _subscales(definition: Json) -> tuple[Subscale, ...]:
    scoring = definition["scoring"]
    return tuple(
        Subscale(
            code=one["code"],
            link_ids=tuple(one["items"]),
            multiplier=scoring.get("subscale_multiplier", 1),
            bands=_bands(one.get("bands", ())),
            prorate_max_missing=scoring["missing"].get("prorate_max_missing_per_subscale"),
        )
        for one in definition.get("subscales", ())
    )


def _bands(many: Sequence[Json]) -> tuple[Band, ...]:
    return tuple(_band(one) for one in many)


def _band(one: Json) -> Band:
    low, high = _by_sex(one["min"]), _by_sex(one["max"])
    differs = isinstance(one["min"], Mapping) or isinstance(one["max"], Mapping)
    return Band(
        code=one["code"],
        lowest=low[UNKNOWN],
        highest=high[UNKNOWN],
        is_open=one.get("max_exclusive", False),
        by_sex={sex: (low[sex], high[sex]) for sex in SEXES} if differs else None,
    )


def _by_sex(value: Figure | Mapping[str, Figure]) -> Mapping[str, Figure]:
    return value if isinstance(value, Mapping) else dict.fromkeys(SEXES, value)


def _cutoff(one: Json) -> Cutoff:
    by_sex = one["value"] if isinstance(one["value"], Mapping) else None
    return Cutoff(one["flag"], one["op"], _by_sex(one["value"])[UNKNOWN], by_sex)


def _derived(one: Json) -> Derived:
    return Derived(
        code=one["code"],
        all_of=tuple(SymptomCount(c["at_least"], c["from"], c["to"]) for c in one["all_of"]),
        undecidable=one.get("when_missing") == "undecidable",
        is_flag=one.get("shown_as") == "flag",
        with_cutoff=one.get("with_cutoff"),
    )


def _safety_rule(one: Json) -> SafetyRule:
    if "tier" in one:
        op = "missing" if one["tier"] is None else "tier"
        return SafetyRule(one["flag"], None, op, None, one["priority"], one["tier"])
    return SafetyRule(one["flag"], one["item"], one["op"], one["value"], one["priority"])
