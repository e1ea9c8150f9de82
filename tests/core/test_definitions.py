"""Definitions: every one meets the schema and fits together, and what does not is named."""

import copy
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.core.outcomes.instruments import catalogue as shelf, checks
from api.core.outcomes.instruments.definition import Instrument

DATA = Path(__file__).parents[1] / "data"
NOTICE = (Path(__file__).parents[2] / "NOTICE").read_text()
PINNED = json.loads((DATA / "instrument-digests.json").read_text())
ON_FILE = {
    path.name: json.loads(path.read_text())
    for path in [*shelf.HERE.glob("*.json"), DATA / "x-fixture-reverse.json"]
    if path != shelf.SCHEMA
}
SHIPPED = list(shelf.catalogue().values())
WITH_TEXT = {"phq-9", "phq-2", "gad-7", "gad-2", "pcl-5", "audit-c", "srbai"}
WITHOUT = {"who-5", "c-ssrs-screener", "dass-21", "qids-sr16", "isi", "k10", "wsas"}


def a_definition(key: str = "phq-9") -> dict[str, Any]:
    return copy.deepcopy(dict(shelf.instrument(key).definition))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(checks.schema())


@pytest.mark.parametrize("name", ON_FILE)
def test_every_definition_meets_the_schema_and_fits_together(name: str) -> None:
    assert [e.message for e in checks.validator().iter_errors(ON_FILE[name])] == []
    assert checks.faults(ON_FILE[name]) == []


def test_the_fourteen_instruments_are_shipped_each_under_its_own_name() -> None:
    assert set(shelf.catalogue()) == WITH_TEXT | WITHOUT
    for name, definition in ON_FILE.items():
        assert name == definition["key"] + ".json"


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.key)
def test_texts_are_shipped_only_where_their_owners_allow_it(one: Instrument) -> None:
    licence = one.definition["licence"]
    assert licence["ship_text"] == (one.key in WITH_TEXT) == (not one.is_text_missing)
    assert licence["status"] and licence["basis"] and one.definition["sources"]
    if one.key in WITHOUT:
        assert {item.text for item in one.items} == {None} and one.instructions is None


@pytest.mark.parametrize("key", sorted(WITH_TEXT | {"who-5", "c-ssrs-screener", "dass-21"}))
def test_every_notice_that_a_licence_asks_for_stands_in_the_notice(key: str) -> None:
    said = shelf.instrument(key).definition["licence"]["notice"]
    assert " ".join(said.split()) in " ".join(NOTICE.split())


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.key)
def test_whatever_bears_a_code_of_loinc_bears_its_notice(one: Instrument) -> None:
    loinc = one.definition["loinc"]
    coded = loinc["panel"] or loinc["total"] or any(item.loinc for item in one.items)
    assert ("LOINC is copyright Regenstrief" in loinc.get("notice", "")) == bool(coded)


@pytest.mark.parametrize("name", sorted(PINNED))
def test_a_definition_once_shipped_is_never_changed_but_by_a_new_version(name: str) -> None:
    key, _, version = name.partition(" ")
    definition = shelf.editions()[key][version].definition
    text = json.dumps(definition, sort_keys=True, ensure_ascii=False)
    assert sha256(text.encode()).hexdigest() == PINNED[name], "write a new version beside it"


def test_every_definition_that_is_shipped_is_pinned() -> None:
    there = {f"{key} {version}" for key, many in shelf.editions().items() for version in many}
    assert there == set(PINNED)


def test_versions_are_ordered_by_their_numbers() -> None:
    assert sorted(["1.10.0", "1.9.0", "1.9.12"], key=shelf.order_of)[-1] == "1.10.0"


Breaks = list[tuple[list[Any], Any, str]]
BREAKS: Breaks = [
    (["key"], "PHQ 9", "/key"),
    (["key"], "phq-9\n", "/key"),
    (["version"], "1", "/version"),
    (["nonsense"], 1, ""),
    (["items", 0, "nonsense"], 1, "/items/0"),
    (["items", 0, "number"], True, "/items/0/number"),
    (["items", 0, "number"], 1.0, "/items/0/number"),
    (["items", 0, "number"], 2, "/items"),
    (["items", 0, "link_id"], "phq9-2", "/items"),
    (["items", 0, "answer_list"], "elsewhere", "/items/0/answer_list"),
    (["items", 0, "loinc", "code"], "44250-8", "/items/0/loinc/code"),
    (["items", 0, "asked_when"], {"item": "phq9-2", "values": [1]}, "/items/0/asked_when"),
    (["items", 1, "asked_when"], {"item": "phq9-1", "values": [1]}, "/items/1/skipped_as"),
    (["items", 1, "skipped_as"], 9, "/items/1/skipped_as"),
    (["answer_lists", "phq-frequency", "options", 1, "value"], 0, "/answer_lists/phq-frequency"),
    (["scoring", "method"], "magic", "/scoring/method"),
    (["scoring", "method"], "tier", "/scoring"),
    (["scoring", "range"], [0, 26], "/scoring/range"),
    (["scoring", "decimals"], 2, "/scoring/decimals"),
    (["scoring", "missing", "prorate_max_missing"], 9, "/scoring/missing/prorate_max_missing"),
    (["bands", 1, "min"], 6, "/bands"),
    (["bands", 1, "min"], 4, "/bands"),
    (["bands", 4, "max"], 26, "/bands"),
    (["bands", 4, "max"], {"female": 27, "male": 27, "unknown": 26}, "/bands"),
    (["cutoffs", 0, "value"], 28, "/cutoffs/0/value"),
    (["cutoffs", 0, "flag"], "provisional_mds", "/cutoffs"),
    (["derived", 0, "code"], "total", "/derived/0/code"),
    (["derived", 0, "with_cutoff"], "nowhere", "/derived/0/with_cutoff"),
    (["derived", 0, "all_of", 0, "to"], 3, "/derived/0/all_of/0"),
    (["derived", 0, "all_of", 0, "at_least"], {"other-1": 1}, "/derived/0/all_of/0"),
    (["safety_rules", 0, "item"], "other-9", "/safety_rules/0/item"),
    (["safety_rules", 0, "value"], 9, "/safety_rules/0/value"),
    (["safety_rules", 0, "value"], None, "/safety_rules/0/value"),
    (["safety_rules", 0], {"flag": "a", "tier": None, "priority": "immediate"}, "/safety_rules/0"),
    (["subscales"], [{"code": "a", "items": ["phq9-difficulty"]}], "/subscales/0/items"),
    (["subscales"], [{"code": "a", "items": ["phq9-1"], "range": [0, 4]}], "/subscales/0/range"),
    (["change", "remission"], {"rule": "anything"}, "/change/remission"),
]


@pytest.mark.parametrize(("path", "value", "at"), BREAKS, ids=lambda v: str(v)[:40])
def test_what_does_not_fit_is_pointed_at(path: list[Any], value: Any, at: str) -> None:
    definition = a_definition()
    part: Any = definition
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    found = checks.faults(definition)
    assert found and any(pointer.startswith(at) for pointer, _ in found), found
    assert all(len(detail) <= checks.MAX_DETAIL for _, detail in found)


@pytest.mark.parametrize(
    ("key", "path", "value", "at"),
    [
        ("qids-sr16", ["domains", 0], ["qids-1"], "/scoring/domains"),
        ("c-ssrs-screener", ["tiers", 1, "any_of"], {"other": 1}, "/scoring/tiers/1/any_of"),
        ("c-ssrs-screener", ["tiers", 1, "code"], "none", "/scoring/tiers"),
        ("c-ssrs-screener", ["range"], [0, 7], "/scoring/range"),
        ("who-5", ["multiplier"], 5, "/scoring/range"),
        ("srbai", ["decimals"], 5, "/scoring/decimals"),
        ("dass-21", ["subscale_multiplier"], 1, "/subscales/0/range"),
        ("dass-21", ["missing", "prorate_max_missing_per_subscale"], 7, "/subscales/0/items"),
    ],
)
def test_a_scoring_that_does_not_fit_is_pointed_at(
    key: str, path: list[Any], value: Any, at: str
) -> None:
    definition = a_definition(key)
    part: Any = definition["scoring"]
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    assert at in [pointer for pointer, _ in checks.faults(definition)]


def test_what_was_sent_is_not_told_back() -> None:
    faults = checks.faults(a_definition() | {"title": {"secret": "words"}})
    assert faults and "words" not in str(faults)


def test_what_misses_everything_is_told_so() -> None:
    said = [detail for _, detail in checks.faults({})]
    assert "'items' is a required property" in said
