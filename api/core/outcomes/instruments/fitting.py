"""Whether the parts of a definition fit together: what a JSON Schema can't say."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, Final

from api.core.outcomes.instruments import methods
from api.core.outcomes.instruments.definition import SEXES, Band, Figure, Instrument
from api.core.outcomes.instruments.parsing import parse_instrument

Fault = tuple[str, str]
Check = Callable[[Instrument], Iterator[Fault]]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*", re.ASCII)
SCORE_NAMES: Final = {
    *("status", "answered", "missing", "min_possible", "max_possible", "total", "band", "raw"),
    *("prorated_total", "prorated_band", "subscales", "subscale_bands", "prorated_subscales"),
    *("tier", "tier_upper", "flags"),
}
"""What a score is made of; no conclusion may bear such a name."""


def misfits(definition: Mapping[str, Any]) -> Iterator[Fault]:
    """Every `(pointer, detail)` that is wrong in a definition which meets the schema."""
    broken = list(chain(_lists(definition), _codes(definition)))
    if broken:
        yield from broken
        return
    one = parse_instrument(definition)
    first = list(_items(one))
    yield from first or chain.from_iterable(check(one) for check in CHECKS)


def _lists(definition: Mapping[str, Any]) -> Iterator[Fault]:
    """Every item's list of options is there, and no option's value stands in it twice."""
    lists = definition["answer_lists"]
    for place, item in enumerate(definition["items"]):
        if item["answer_list"] not in lists:
            yield f"/items/{place}/answer_list", "There is no such list of options."
    for name, one in lists.items():
        if _twice([option["value"] for option in one["options"]]):
            yield f"/answer_lists/{name}/options", "A value stands twice."


def _codes(definition: Mapping[str, Any]) -> Iterator[Fault]:
    """Every code of LOINC carries its own check digit: codes get invented."""
    loinc = definition.get("loinc") or {}
    coded = [(f"/loinc/{name}", loinc.get(name)) for name in ("panel", "total")]
    items = enumerate(definition["items"])
    coded += [(f"/items/{place}/loinc", item.get("loinc")) for place, item in items]
    for at, code in coded:
        if code and not loinc_holds(code["code"]):
            yield f"{at}/code", "The check digit is wrong: this is no code of LOINC."


def loinc_holds(code: str) -> bool:
    """Whether a numeric LOINC code, such as 44261-6, ends in its own mod-10 check digit."""
    number, _, digit = code.partition("-")
    doubled = [int(d) * (2 if n % 2 == 0 else 1) for n, d in enumerate(reversed(number))]
    return -sum(n // 10 + n % 10 for n in doubled) % 10 == int(digit)


def _items(one: Instrument) -> Iterator[Fault]:
    if not one.scored_items:
        yield "/items", "No item is scored."
    if _twice([item.link_id for item in one.items]):
        yield "/items", "A link id stands twice."
    if _twice([item.number for item in one.items]):
        yield "/items", "A number stands twice."
    for name in (one.key, one.version.replace(".", "0"), *(item.link_id for item in one.items)):
        if not NAME.fullmatch(name):
            yield "/key" if name == one.key else "/items", "A name has a character it may not have."
    yield from _branches(one)


def _branches(one: Instrument) -> Iterator[Fault]:
    """Whatever hangs on another item names an earlier one, and counts something when skipped."""
    earlier: dict[str, frozenset[int]] = {}
    for place, item in enumerate(one.items):
        at, asked = f"/items/{place}", item.asked_when
        if asked and not asked.values <= earlier.get(asked.link_id, frozenset()):
            yield f"{at}/asked_when", "Names no earlier item, or a value that it can't have."
        if item.skipped_as is not None and item.skipped_as not in item.values:
            yield f"{at}/skipped_as", "Is not one of the item's own values."
        counts = item.scored and one.scoring.method != methods.TIER
        if asked and counts and item.skipped_as is None:
            yield f"{at}/skipped_as", "A scored item that may be skipped must count something."
        earlier[item.link_id] = item.values


def _total(one: Instrument) -> Iterator[Fault]:
    scoring, count = one.scoring, len(one.scored_items)
    if scoring.decimals and scoring.method != methods.MEAN:
        yield "/scoring/decimals", "Only a mean has decimals."
    if scoring.method not in methods.NO_TOTAL:
        if scoring.groups and sorted(_inner(scoring.groups)) != sorted(_ids(one)):
            yield "/scoring/domains", "Every scored item stands in one domain, and nothing else."
            return
        reached = methods.bounds(one, {})
        if reached != (scoring.lowest, scoring.highest):
            yield "/scoring/range", f"The method reaches {reached[0]} to {reached[1]}."
    most = 0 if scoring.groups or scoring.method in methods.NO_TOTAL else count - 1
    if scoring.prorate_max_missing > most:
        yield "/scoring/missing/prorate_max_missing", f"At most {most} here."


def _bands(one: Instrument) -> Iterator[Fault]:
    scoring = one.scoring
    if scoring.lowest is None or scoring.highest is None:
        if one.bands or one.cutoffs:
            yield "/bands", "This method makes no total: it has neither bands nor cut-offs."
        return
    yield from _covered("/bands", one.bands, scoring.lowest, scoring.highest, scoring.decimals)
    for place, cutoff in enumerate(one.cutoffs):
        if not all(scoring.lowest <= cutoff.at(sex) <= scoring.highest for sex in SEXES):
            yield f"/cutoffs/{place}/value", "Lies outside the range."


def _subscales(one: Instrument) -> Iterator[Fault]:
    scored = {item.link_id: item for item in one.scored_items}
    if one.scoring.method == methods.SUBSCALES_ONLY and not one.subscales:
        yield "/subscales", "This method needs subscales."
    if _twice([part.code for part in one.subscales]):
        yield "/subscales", "A code stands twice."
    for place, part in enumerate(one.subscales):
        at = f"/subscales/{place}"
        if _twice(part.link_ids) or not set(part.link_ids) <= set(scored):
            yield f"{at}/items", "Names an item twice, or one that is not scored."
            continue
        low = sum(scored[link_id].lowest for link_id in part.link_ids) * part.multiplier
        high = sum(scored[link_id].highest for link_id in part.link_ids) * part.multiplier
        told = one.definition["subscales"][place].get("range")
        if told is not None and told != [low, high]:
            yield f"{at}/range", f"The items reach {low} to {high}."
        if (part.prorate_max_missing or 0) >= len(part.link_ids):
            yield f"{at}/items", "Could be prorated without any answer."
        yield from _covered(f"{at}/bands", part.bands, low, high, 0)


def _covered(
    at: str, bands: Sequence[Band], low: Figure, high: Figure, decimals: int
) -> Iterator[Fault]:
    """Bands name every total from the least to the most, each once; or there are none."""
    step = 10.0**-decimals
    for sex in SEXES if bands else ():
        spans = [(b.by_sex[sex] if b.by_sex else (b.lowest, b.highest)) for b in bands]
        joined = all(
            _meet(before, after, 0 if band.is_open else step)
            for band, (before, after) in zip(bands, pairwise(spans), strict=False)
        )
        ends = (spans[0][0], spans[-1][1]) == (low, high) and not bands[-1].is_open
        if not (joined and ends and all(least <= most for least, most in spans)):
            yield at, f"The bands do not name every total from {low} to {high} once."
            return


def _meet(before: tuple[Figure, Figure], after: tuple[Figure, Figure], step: Figure) -> bool:
    return abs(before[1] + step - after[0]) < 1e-9


def _conclusions(one: Instrument) -> Iterator[Fault]:
    known, flags = {item.link_id for item in one.items}, {c.flag for c in one.cutoffs}
    for place, derived in enumerate(one.derived):
        at = f"/derived/{place}"
        if derived.code in SCORE_NAMES:
            yield f"{at}/code", "Is the name of a part of every score."
        if derived.with_cutoff is not None and derived.with_cutoff not in flags:
            yield f"{at}/with_cutoff", "There is no such cut-off."
        if derived.with_cutoff is not None and not derived.is_flag:
            yield f"{at}/with_cutoff", "Only a flag hangs on a cut-off."
        for number, count in enumerate(derived.all_of):
            if not set(count.at_least) <= known:
                yield f"{at}/all_of/{number}/at_least", "Names an item that there is not."
            if not count.lowest <= count.highest <= len(count.at_least):
                yield f"{at}/all_of/{number}", "`from` to `to` is no range of so many items."


def _tiers(one: Instrument) -> Iterator[Fault]:
    known, tiers = {item.link_id for item in one.items}, one.scoring.tiers
    if _twice([tier.code for tier in tiers]):
        yield "/scoring/tiers", "A code stands twice."
    for place, tier in enumerate(tiers):
        if bool(tier.any_of) != (place > 0) or not set(tier.any_of) <= known:
            yield (
                f"/scoring/tiers/{place}/any_of",
                "The first tier is without items; the others name items that there are.",
            )


def _safety(one: Instrument) -> Iterator[Fault]:
    items, tiers = {i.link_id: i for i in one.items}, {t.code for t in one.scoring.tiers}
    for place, rule in enumerate(one.safety_rules):
        at = f"/safety_rules/{place}"
        if (rule.link_id is None) != (one.scoring.method == methods.TIER):
            yield at, "A tier is for the method `tier`, an item for every other."
        elif rule.link_id is None:
            if rule.tier is not None and rule.tier not in tiers:
                yield f"{at}/tier", "There is no such tier."
        elif rule.link_id not in items:
            yield f"{at}/item", "There is no such item."
        elif (rule.value is None) != (rule.op == "missing"):
            yield f"{at}/value", "Null for `missing`, a value for the others."
        elif rule.value is not None and rule.value not in items[rule.link_id].values:
            yield f"{at}/value", "Is not one of the item's values."


def _flags(one: Instrument) -> Iterator[Fault]:
    cutoffs, rules = [c.flag for c in one.cutoffs], {r.flag for r in one.safety_rules}
    names = [*cutoffs, *(d.code for d in one.derived), *rules]
    if _twice(names):
        yield "/cutoffs", "A flag or a conclusion has the name of another."


CHECKS: Final[tuple[Check, ...]] = (
    _total,
    _bands,
    _subscales,
    _conclusions,
    _tiers,
    _safety,
    _flags,
)


def _ids(one: Instrument) -> list[str]:
    return [item.link_id for item in one.scored_items]


def _inner(groups: Iterable[Iterable[str]]) -> list[str]:
    return [link_id for group in groups for link_id in group]


def _twice(values: Iterable[Any]) -> bool:
    there = list(values)
    return len(set(there)) < len(there)
