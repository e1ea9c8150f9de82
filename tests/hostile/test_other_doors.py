"""The doors for EHR systems and for analysts, sent what the first one is sent.

As in `test_hostile_input.py`: no answer is a fault of ours, and both databases agree. A seeded part
of all cases is tried each time; HOSTILE_FULL=1 tries every one, HOSTILE_SEED=N others,
HOSTILE_EHR_REQUESTS=N so many.
"""

import os
import random
from typing import Any

import pytest
from flask import Flask

from api.fhir.kinds import KINDS
from api.fhir.writing.writers import WRITERS
from tests.fhir.matrix import World
from tests.hostile import aiming, ehr_aiming
from tests.hostile.aiming import Target
from tests.hostile.ehr_aiming import FHIR, ROWS, EhrSender, changes_last
from tests.hostile.test_hostile_input import (
    FULL,
    PROBLEM,
    SEED,
    Sender,
    answered,
    chosen,
    differing,
    shared_folder,
    what_was_stored_can_be_read,
)

EHR_REQUESTS = int(os.environ.get("HOSTILE_EHR_REQUESTS", "900"))
RESEARCH_REQUESTS = 300
TOKENS = "application/json"
"""In what form the token endpoint refuses, as OAuth has it."""


def drawn(aims: list[Target]) -> list[tuple[Target, Any]]:
    """The cases that are tried: all of them, or so many by the seed, no place twice before all."""
    if FULL:
        found = [(aim, one) for aim in aims for one in aim.payloads]
    else:
        chance = random.Random(f"{SEED}:ehr")
        some = chance.sample(aims, min(EHR_REQUESTS, len(aims)))
        some += chance.choices(aims, k=EHR_REQUESTS - len(some))
        found = [(aim, chance.choice(aim.payloads)) for aim in some]
    return sorted(found, key=lambda case: changes_last(case[0]))


@pytest.fixture
def world(app: Flask) -> World:
    """A clinic with a full chart, and a client that reaches it."""
    return World(app)


def test_every_parameter_id_and_element_is_aimed_at(world: World) -> None:
    aims = ehr_aiming.targets(world)
    assert {aim.route for aim in aims} == set(ROWS)
    named = {(aim.route, aim.kind, aim.place) for aim in aims}
    for kind in KINDS.values():
        for name in kind.every_param:
            assert (f"GET /{kind.type}", "query", (name,)) in named
            assert (f"POST /{kind.type}/_search", "form", (name,)) in named
        assert (f"GET /{kind.type}/{{id}}", "path", ("id",)) in named
    for kind in WRITERS:
        of_body = {place for route, what, place in named if route == f"POST /{kind}"}
        assert {("identifier",), ("id",), ("extension",), ("meta",)} <= of_body, kind
    assert ("POST (base)", "value", ("entry", "0", "request", "ifNoneExist")) in named
    assert sum(len(aim.payloads) for aim in aims) >= 400_000


def test_an_ehr_meets_no_fault_of_ours_and_both_databases_agree(
    app: Flask, world: World, database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cases = drawn(ehr_aiming.targets(world))
    statuses = answered(EhrSender(app, world), cases, FHIR, TOKENS)
    for kind in KINDS:
        for path in (f"/{kind}?_count=1000", f"/{kind}?_sort=_lastUpdated&_summary=true"):
            answer = world.wide.sign_in().get(path)
            assert answer.status_code == 200, f"{path}: {answer.text[:500]}"
    folder = shared_folder(tmp_path_factory)
    assert differing(folder, "ehr", database, cases, statuses) == []


def test_an_analyst_meets_no_fault_of_ours_and_both_databases_agree(
    app: Flask, database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    aims = aiming.targets(app.extensions["research"].spec.to_dict())
    assert {aim.kind for aim in aims} >= {"value", "member", "body", "media", "query", "path"}
    cases, send = chosen(aims, 0, 1, RESEARCH_REQUESTS), Sender(app)
    statuses = answered(send, cases, PROBLEM)
    what_was_stored_can_be_read(send)
    folder = shared_folder(tmp_path_factory)
    assert differing(folder, "research", database, cases, statuses) == []
