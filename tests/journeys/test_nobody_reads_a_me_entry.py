"""A marker in a `me` entry of every kind is found in no answer to anybody but the patient.

Every GET route of the application is asked by every persona, about everything there is.
"""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.core.outcomes.instruments.catalogue import catalogue
from tests import builders
from tests.house import matrix
from tests.journeys.sweeping import Swept

MARKER = "Frostflower-7319"
OTHERS = tuple(one for one in matrix.PERSONAS if one != "PS")
ANY_VERSION = {"If-Match": "*"}
TEXTS: dict[str, tuple[str, ...]] = {
    "insights": ("text",),
    "goals": (
        *("title", "intention", "matters_because", "patient_comment", "if_then_plan"),
        *("obstacles", "coping_plan", "support_person"),
    ),
    "practices": ("title", "new_trail", "cue", "old_trail", "smallest_step"),
    "steps": ("note",),
    "moments": ("text",),
    "journal": ("text",),
}
"""The texts of each kind of entry that can be `me`."""
LISTS = {
    "insights": "/patients/{patient_id}/insights",
    "goals": "/patients/{patient_id}/goals",
    "practices": "/goals/{goal_id}/practices",
    "steps": "/practices/{practice_id}/steps",
    "moments": "/patients/{patient_id}/moments",
    "journal": "/patients/{patient_id}/journal",
}
OBJECTS: dict[str, dict[str, tuple[str, ...]]] = {
    "goals": {
        "old_trail": ("cue", "response", "short_term_payoff", "cost"),
        "new_trail": ("cue", "response", "smallest_step", "felt_reward"),
        "attainment_levels": ("much_less", "less", "expected", "more", "much_more"),
    },
}
"""The texts that lie inside an object."""
LEAST: dict[str, dict[str, Any]] = {
    "goals": {"category": "grief_repair"},
    "steps": {"kind": "done"},
}


def kinds() -> list[str]:
    """Every kind of entry that the application keeps."""
    return [table.name for table in db.metadata.sorted_tables if "shared_with" in table.c]


def test_every_kind_of_entry_is_planted_here() -> None:
    assert set(kinds()) <= set(TEXTS) == set(LISTS)


def marked(kind: str) -> dict[str, Any]:
    """The marker in every text of a kind."""
    objects = {name: dict.fromkeys(keys, MARKER) for name, keys in OBJECTS.get(kind, {}).items()}
    return dict.fromkeys(TEXTS[kind], MARKER) | objects


class Plot(Swept):
    """A chart with one `me` entry of every kind: so from the start, made so later, and gone."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.patient = self.world.caller("PS")
        self.private: list[str] = []
        self.unshared: list[str] = []
        for kind in kinds():
            self._plant(kind)

    def _plant(self, kind: str) -> None:
        name = f"{kind.removesuffix('s')}_id"
        shared = self._write(kind, {}, "care_team")
        private = self._write(kind, marked(kind), "me")
        later = self._write(kind, {}, "care_team")
        path = f"/{kind}/{later}"
        if kind in ("steps", "moments"):
            self._reply(f"{path}/replies")
        texts = marked(kind)
        changed = self.patient("PATCH", path, {"shared_with": "me"} | texts, **ANY_VERSION)
        assert changed.status_code == 200, changed.text
        self.ids[name] = [shared, private, later]
        self.private.append(private)
        self.unshared.append(later)
        if kind not in ("goals", "practices"):
            gone = self._write(kind, texts, "me")
            assert self.patient.delete(f"/{kind}/{gone}", 1).status_code == 204
            self.private.append(gone)

    def _reply(self, path: str) -> None:
        """What the care team answered before the entry was kept private."""
        said = self.world.caller("CT").post(path, {"text": MARKER})
        assert said.status_code == 201, said.text

    def _write(self, kind: str, texts: dict[str, Any], shared_with: str) -> str:
        path = LISTS[kind]
        for name in re.findall(r"\{(\w+)\}", path):
            path = path.replace(f"{{{name}}}", self.ids[name][0])
        plain = {TEXTS[kind][0]: "Plain"} | ({"new_trail": "Plain"} if kind == "practices" else {})
        body = LEAST.get(kind, {}) | plain | texts | {"shared_with": shared_with}
        made = self.patient.post(path, body)
        assert made.status_code == 201, made.text
        return str(made.json["id"])

    def connect(self) -> None:
        """A shared goal that grew from a private insight, and moments of a shared practice."""
        insight, practice = self.ids["insight_id"], self.ids["practice_id"]
        chart = self.ids["patient_id"][0]
        body = {"title": "Grown", "category": "other"}
        for grew in insight[1:]:
            made = self.patient.post(f"/patients/{chart}/goals", body | {"insight_id": grew})
            assert made.json["insight_id"] == grew
            self.ids["goal_id"].append(made.json["id"])
        hung = {"text": MARKER, "shared_with": "me", "practice_id": practice[0]}
        self.private.append(self.patient.post(f"/patients/{chart}/moments", hung).json["id"])
        self._measure(chart)

    def _measure(self, chart: str) -> None:
        """A dose of yesterday, and automaticity of a practice that was kept private since."""
        with db.transaction():
            at = clock.now() - timedelta(days=1)
            times = {"starts_at": at - timedelta(hours=2), "ends_at": at, "completed_at": at}
            patient, who = self.world.scene.patient, self.world.scene["CT"]
            builders.make_session(patient, who, kind="dosing", state="completed", **times)
        goal = self.ids["goal_id"][0]
        body = {"new_trail": "Plain", "shared_with": "care_team"}
        practice = self.patient.post(f"/goals/{goal}/practices", body).json["id"]
        if "srbai" in catalogue():
            answers = {f"srbai-{number}": 6 for number in range(1, 5)}
            body = {"instrument": "srbai", "answers": answers, "complete": True}
            told = body | {"practice_id": practice}
            assert self.patient.post(f"/patients/{chart}/check-ins", told).status_code == 201
        private = {"shared_with": "me", "new_trail": MARKER}
        kept = self.patient("PATCH", f"/practices/{practice}", private, **ANY_VERSION)
        assert kept.status_code == 200, kept.text
        self.unshared.append(practice)
        self.ids["practice_id"].append(practice)


@pytest.fixture
def plot(app: Flask) -> Plot:
    made = Plot(app)
    made.connect()
    return made


def test_nobody_reads_a_me_entry_through_any_route(plot: Plot) -> None:
    addresses = sorted(set(plot.addresses()))
    asked = 0
    for persona in OTHERS:
        for address in addresses:
            answer = plot.fetch(persona, address)
            where = f"{persona} GET {address}: {answer.status_code}"
            assert answer.status_code < 500 or answer.status_code == 503, where
            assert MARKER not in answer.text, where
            assert [one for one in plot.private if one in answer.text] == [], where
            asked += answer.status_code == 200
            for one in plot.unshared if one_of(answer, "items") else ():
                assert one not in str(standing(answer.json["items"])), where
    assert asked > len(addresses), "the sweep was let in somewhere"


def standing(items: list[Any]) -> list[Any]:
    """The rows that are no tombstones; the feed of changes has those among the others."""
    return [row for row in items if not row.get("deleted_at")]


def one_of(answer: Any, name: str) -> bool:
    """Whether the answer is an object with that name."""
    return bool(answer.is_json) and isinstance(answer.json, dict) and name in answer.json


def test_the_patient_finds_each_of_them(plot: Plot) -> None:
    answers = [plot.fetch("PS", address).text for address in sorted(set(plot.addresses()))]
    everything = "".join(answers)
    assert [one for one in [*plot.private, *plot.unshared] if one not in everything] == []
    assert sum(MARKER in one for one in answers) >= 2 * len(kinds())


def test_no_table_holds_the_marker_in_the_clear(plot: Plot) -> None:
    for table in db.metadata.sorted_tables:
        with db.transaction() as store:
            for row in store.execute(select(table)):
                assert MARKER not in str(tuple(row)), table.name


def test_everybody_else_reads_figures_of_the_visible_part_alone(plot: Plot) -> None:
    practice = plot.ids["practice_id"][0]
    mine = plot.fetch("PS", f"/api/v1/practices/{practice}/trail").json
    theirs = plot.fetch("CT", f"/api/v1/practices/{practice}/trail").json
    assert (mine["steps_total"], theirs["steps_total"]) == (3, 1)
    assert (mine["moments_count"], theirs["moments_count"]) == (1, 0)
    assert mine["strength"] == theirs["strength"], "one day holds no more than one step"
    goals = plot.fetch("CT", f"/api/v1/patients/{plot.ids['patient_id'][0]}/goals").json["items"]
    assert len(goals) == 1 and {one["insight_id"] for one in goals} == {None}
