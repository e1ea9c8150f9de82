"""Every modifier of a right is held by a state or a test that is there, or says why by nothing."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.house import states

HERE = Path(__file__).parent
LIST = HERE / "modifiers.txt"
KINDS = ("state", "test", "none")
LEAST = 25
"""Modifiers of which the design speaks."""
ENOUGH = 20
"""Characters of a reason that says something."""


def modifiers() -> dict[str, list[tuple[str, str]]]:
    """`{"the user was disabled": [("state", "disabled"), ...]}`."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in LIST.read_text().splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            assert name not in found, f"twice: {name}"
            found[name] = []
        elif line.strip() and not line.startswith("#"):
            kind, _, what = line.partition(" ")
            assert kind in KINDS and what == what.strip(), line
            found[list(found)[-1]].append((kind, what))
    return found


MODIFIERS = modifiers()


@cache
def named_in(file: str) -> set[str]:
    """The tests that a file has; none of one that is not there."""
    path = HERE.parent / file
    text = path.read_text() if path.is_file() else ""
    named = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    return {name for name in named if name.startswith("test_")}


def is_held(kind: str, what: str) -> bool:
    """Whether what is said to hold a modifier is there, or a reason why nothing does is one."""
    if kind == "none":
        return len(what) >= ENOUGH
    if kind == "state":
        return any(state.name == what for state in states.table())
    file, _, name = what.partition("::")
    return name in named_in(file)


def test_the_list_names_every_modifier_once() -> None:
    assert len(MODIFIERS) >= LEAST


@pytest.mark.parametrize("name", MODIFIERS)
def test_each_is_held_by_something_or_says_why_not(name: str) -> None:
    assert MODIFIERS[name], "neither a row, nor a test, nor a reason"
    assert [one for one in MODIFIERS[name] if not is_held(*one)] == []


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("state", "no_such_state"),
        ("test", "house/test_modifiers.py::test_that_is_not_there"),
        ("test", "house/no_such_file.py::test_it"),
        ("none", "later"),
    ],
)
def test_what_is_not_there_holds_nothing(kind: str, what: str) -> None:
    assert not is_held(kind, what)
