"""Codes get invented: every LOINC and SNOMED CT code in the house carries a true check digit."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HOUSE = Path(__file__).parents[2]
ROOMS = ("api", "migrations", "openapi", "tests", "benchmarks")
LOINC = re.compile(r"\d{1,7}-\d")
# LOINC answers and answer lists: the plain check digit moved by an offset, as read off known codes.
LOINC_PART = re.compile(r"(LA|LL)(\d+)-(\d)")
OFFSETS = {("LA", 4): 5, ("LA", 5): 2, ("LL", 3): 1, ("LL", 4): 1}
SNOMED = re.compile(r"\d{6,18}")
PROSE = re.compile(r"\b(?:\d{5,6}-\d|(?:LA|LL)\d{3,5}-\d)\b", re.ASCII)
QUOTED_AS_WRONG = {"69689-6", "89708-7"}
"""What a caution of a definition warns of, because it is no code."""
WRONG_ON_PURPOSE = {
    "tests/house/test_codes.py": None,
    "tests/core/test_definitions.py": "44250-8",
}
"""Tests of the check itself: a whole file, or the one code that must be refused."""
SYSTEMS = {"http://loinc.org": "loinc", "http://snomed.info/sct": "snomed"}

# Verhoeff's tables: the dihedral group of ten, and the permutation of each position.
TIMES = [[(i + j) % 5 if j < 5 else (i + j) % 5 + 5 for j in range(10)] for i in range(5)] + [
    [(i - j) % 5 + 5 if j < 5 else (i - j) % 5 for j in range(10)] for i in range(5, 10)
]
TURN = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


def check_digit(digits: str) -> int:
    """The mod-10 digit that LOINC appends to a number."""
    doubled = [int(d) * (2 if n % 2 == 0 else 1) for n, d in enumerate(reversed(digits))]
    return -sum(n // 10 + n % 10 for n in doubled) % 10


def verhoeff_holds(digits: str) -> bool:
    """Whether a SNOMED CT identifier ends in its own check digit."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        turned = int(digit)
        for _ in range(place % 8):
            turned = TURN[turned]
        check = TIMES[check][turned]
    return check == 0


def true_code(kind: str, code: str) -> bool:
    """Whether a code is well formed and its check digit right; parts of unknown length pass."""
    if kind == "snomed":
        return bool(SNOMED.fullmatch(code)) and verhoeff_holds(code)
    if part := LOINC_PART.fullmatch(code):
        offset = OFFSETS.get((part[1], len(part[2])))
        return offset is None or (check_digit(part[2]) + offset) % 10 == int(part[3])
    return bool(LOINC.fullmatch(code)) and check_digit(code[:-2]) == int(code[-1])


def codes_in_json(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every `(kind, code)` under a system or a key named for one, or with LOINC's letters."""
    if isinstance(value, dict):
        kind = SYSTEMS.get(str(value.get("system")))
        if kind and isinstance(value.get("code"), str):
            yield kind, value["code"]
        for name, inner in value.items():
            yield from codes_in_json(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from codes_in_json(inner, key)
    elif isinstance(value, str) and (key in {"loinc", "loinc_list"} or LOINC_PART.fullmatch(value)):
        yield "loinc", value
    elif isinstance(value, str) and key == "snomed":
        yield "snomed", value


def codes_in_python(source: str) -> Iterator[tuple[str, str]]:
    """Every string that looks like a code, in a module that speaks of its code system."""
    speaks = source.lower()
    strings = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for text in strings:
        if "loinc" in speaks and re.fullmatch(r"\d{3,5}-\d|(LA|LL)\d+-\d", text):
            yield "loinc", text
        if "snomed" in speaks and SNOMED.fullmatch(text):
            yield "snomed", text


def files(suffix: str) -> Iterator[tuple[str, str]]:
    """Every file of the house that ends so, by its path, with its text."""
    rooms = [path for room in ROOMS for path in (HOUSE / room).rglob(f"*{suffix}")]
    for path in sorted([*rooms, *HOUSE.glob(f"*{suffix}")]):
        yield str(path.relative_to(HOUSE)), path.read_text(encoding="utf-8")


def all_codes() -> Iterator[tuple[str, str, str]]:
    """Every `(file, kind, code)` of the house but those that are wrong on purpose."""
    for where, text in files(".json"):
        yield from ((where, kind, code) for kind, code in codes_in_json(json.loads(text)))
    for where, text in files(".py"):
        wrong = WRONG_ON_PURPOSE.get(where, "")
        for kind, code in codes_in_python(text) if wrong is not None else ():
            if code != wrong:
                yield where, kind, code


def test_every_code_in_the_house_carries_a_true_check_digit() -> None:
    codes = list(all_codes())
    assert len({code for _, kind, code in codes if kind == "loinc"}) >= 60
    assert len({code for _, kind, code in codes if kind == "snomed"}) >= 2
    assert [(where, code) for where, kind, code in codes if not true_code(kind, code)] == []


def test_every_code_named_in_prose_is_one_or_is_quoted_as_wrong() -> None:
    told = [*files(".md"), *((w, t) for w, t in files(".json") if "instruments" in w)]
    named = {(where, code) for where, text in told for code in PROSE.findall(text)}
    wrong = {(where, code) for where, code in named if not true_code("loinc", code)}
    assert {code for _, code in wrong} == QUOTED_AS_WRONG, wrong
    assert len(named) >= 60


@pytest.mark.parametrize("code", ["44249-1", "8480-6", "101697-1", "LA6568-5", "LA18926-8"])
def test_known_loinc_codes_pass(code: str) -> None:
    assert true_code("loinc", code)


@pytest.mark.parametrize("code", ["89708-7", "69689-6", "LA6568-6", "LL358-4", "44249"])
def test_invented_loinc_codes_fail(code: str) -> None:
    assert not true_code("loinc", code)


@pytest.mark.parametrize("code", ["73211009", "386661006", "22298006"])
def test_known_snomed_codes_pass(code: str) -> None:
    assert true_code("snomed", code)


@pytest.mark.parametrize("code", ["442163000", "443422002", "713145008"])
def test_invented_snomed_codes_fail(code: str) -> None:
    assert not true_code("snomed", code)


def test_codes_are_found_where_they_are_written() -> None:
    coding = {"a": [{"system": "http://snomed.info/sct", "code": "22298006"}], "loinc": "44249-1"}
    assert list(codes_in_json(coding)) == [("snomed", "22298006"), ("loinc", "44249-1")]
    source = 'LOINC = "http://loinc.org"\nTOTAL = (LOINC, "44261-6")\n'
    assert list(codes_in_python(source)) == [("loinc", "44261-6")]
    assert list(codes_in_python('SPAN = "44261-6"\n')) == []
