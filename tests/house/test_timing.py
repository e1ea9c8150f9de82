"""A foreign id takes no other time than a random one: nobody can tell by a clock that it is there.

Few pairs are measured each time, and a difference must show thrice to count; TIMING_PAIRS=500
measures as many as the threat model asks for, with a rank test besides.
"""

import os
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from scipy.stats import mannwhitneyu

from tests.house.states import World

PAIRS = int(os.environ.get("TIMING_PAIRS", "40"))
RANKED = 500
"""From how many pairs on the rank test says something."""
MOST_MS = 2.0
LEAST_P = 0.01
ROUNDS = 3
ROUTES = (
    "GET /patients/{patient_id}",
    "GET /goals/{goal_id}",
    "GET /sessions/{session_id}",
    "GET /check-ins/{check_in_id}",
    "GET /notes/{note_id}",
    "PATCH /goals/{goal_id}",
    "POST /sessions/{session_id}/notes",
)


@pytest.mark.parametrize("route", ROUTES)
def test_a_foreign_id_takes_as_long_as_a_random_one(app: Flask, route: str) -> None:
    world, told = World(app), []
    foreign = world.path(route, "CT")
    call = asked(world, route)
    while len(told) < ROUNDS and not any(map(alike, told)):
        pairs = measured(call, foreign)
        apart = median(one - other for one, other in pairs)
        told.append((apart, rank_test([one for one, _ in pairs], [other for _, other in pairs])))
    assert any(map(alike, told)), f"ms apart and p, round by round: {told}"


def alike(told: tuple[float, float]) -> bool:
    """Whether a round of pairs shows no difference."""
    apart, p = told
    return abs(apart) < MOST_MS and (PAIRS < RANKED or p > LEAST_P)


def test_a_difference_would_be_seen() -> None:
    def slower_for_ours(path: str) -> None:
        ends = perf_counter() + (0.004 if path == "ours" else 0.001)
        while perf_counter() < ends:
            pass

    pairs = measured(slower_for_ours, "ours", lambda _: "another")
    assert median(one - other for one, other in pairs) > MOST_MS
    assert rank_test([one for one, _ in pairs], [other for _, other in pairs]) < LEAST_P


def asked(world: World, route: str) -> Callable[[str], None]:
    """Somebody of another clinic asks for an address; it must not be there."""
    method, caller = route.split()[0], world.caller("XT")
    body = None if method == "GET" else {"title": "T"} if method == "PATCH" else {}
    headers = {"If-Match": "*"} if method == "PATCH" else {}

    def call(path: str) -> None:
        answer: Any = caller(method, path, body, **headers)
        assert answer.status_code in (404, 422), answer.text

    return call


def _elsewhere(path: str) -> str:
    parts = path.split("/")
    return "/".join(str(uuid4()) if part.count("-") == 4 else part for part in parts)


def measured(
    call: Callable[[str], None], foreign: str, other: Callable[[str], str] = _elsewhere
) -> list[tuple[float, float]]:
    """Milliseconds of a foreign id and of a random one, the one first and then the other."""
    for _ in range(10):
        call(foreign)
    found = []
    for number in range(PAIRS):
        paths = [foreign, other(foreign)]
        times = {}
        for path in paths if number % 2 else paths[::-1]:
            begins = perf_counter()
            call(path)
            times[path] = (perf_counter() - begins) * 1000
        found.append((times[paths[0]], times[paths[1]]))
    return found


def rank_test(ours: list[float], theirs: list[float]) -> float:
    """Two-sided p that both are drawn alike (Mann and Whitney 1947)."""
    return float(mannwhitneyu(ours, theirs).pvalue)
