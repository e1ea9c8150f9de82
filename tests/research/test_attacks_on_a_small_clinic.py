"""A clinic of 30: what each attack finds in a naive export, and that there is nothing to attack."""

import gzip
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from api import db
from api.core.release import shelf
from tests.conftest import Caller
from tests.research import naive
from tests.research.clinic import CANARIES, Clinic, codes_of, make_release, withdraw

LEAST = 11
Rows = list[dict[str, str]]


def alone(rows: Rows, *names: str) -> bool:
    """Whether somebody is the only one with these words."""
    return 1 in Counter(tuple(row[name] for name in names) for row in rows).values()


def few(rows: Rows, name: str) -> bool:
    """Whether a cell of one to ten is told, or follows from the others and the total."""
    return any(0 < n < LEAST for n in Counter(row[name] for row in rows).values())


def differ_by_few(rows: Rows) -> bool:
    """Whether two filters of many people each differ by few."""
    below = [sum(int(row["age"]) <= most for row in rows) for most in range(18, 120)]
    return any(0 < b - a < LEAST <= a for a, b in zip(below, below[1:], strict=False))


def undone(rows: Rows) -> bool:
    """Whether every id is the hash of a number with few digits."""
    return {row["id"] for row in rows} <= {naive.hashed(n) for n in range(1000)}


def in_order(rows: Rows) -> bool:
    """Whether rows and ids lie as patients were admitted."""
    ids = [UUID(row["chart_id"]).int >> 80 for row in rows]
    return ids == sorted(ids)


def on_days(rows: Rows) -> bool:
    """Whether the day of the week of each first visit stands there."""
    return len({date.fromisoformat(row["first_on"]).weekday() for row in rows}) > 1


def anchored(rows: Rows) -> bool:
    """Whether the first day gives the others away."""
    return all(row["visits"].startswith("0 ") for row in rows)


ATTACKS: dict[str, Callable[[Rows], Any]] = {
    "1 words": lambda rows: {row["gender"] for row in rows} == set(CANARIES),
    "2 words of one's own": lambda rows: "Janecanary" in {row["gender"] for row in rows},
    "3 ages": lambda rows: max(int(row["age"]) for row in rows) > 89,
    "4 the oldest of a state": lambda rows: alone(rows, "age", "state"),
    "5 places of few": lambda rows: alone(rows, "zip3", "age"),
    "6 small cells": lambda rows: few(rows, "state"),
    "7 margins": lambda rows: few(rows, "sex"),
    "8 differing filters": differ_by_few,
    "12 two projects": lambda rows: len({row["id"] for row in rows}) == len(rows),
    "13 ids of numbers": undone,
    "14 ids of time": in_order,
    "15 order of rows": in_order,
    "16 birthdays": lambda rows: any(
        len({told.partition(":")[2] for told in row["weekly_ages"].split()}) > 1 for row in rows
    ),
    "17 days of the week": on_days,
    "18 one known day": anchored,
    "19 visits": lambda rows: alone(rows, "visits"),
    "20 answers": lambda rows: alone(rows, "answers"),
    "21 rare words": lambda rows: "intersex" in {row["sex"] for row in rows},
    "27 the site": lambda rows: len({row["site"] for row in rows}) == 1,
    "28 the household": lambda rows: not alone(rows, "household"),
}


@pytest.fixture(scope="module")
def export(small: Clinic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A naive export of the small clinic."""
    return naive.export(small, tmp_path_factory.mktemp("naive"))


@pytest.fixture(scope="module")
def refused(small: Clinic) -> db.Values:
    """What became of the release that was asked for."""
    return make_release(small)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_on_a_naive_export_succeeds_and_finds_no_release(
    attack: str, export: Path, refused: db.Values
) -> None:
    assert ATTACKS[attack](naive.read(export)), attack
    assert refused["state"] == "refused" and not shelf.folder(refused).exists()
    assert all(refused[told] is None for told in ("manifest", "cube", "levels"))


def test_22_and_23_a_naive_file_tells_more_than_its_rows_and_here_is_none(
    export: Path, refused: db.Values, tmp_path: Path
) -> None:
    with gzip.open(tmp_path / "janes.csv.gz", "wb") as file:
        file.write(export.read_bytes())
    assert b"janes.csv" in (tmp_path / "janes.csv.gz").read_bytes()
    there = [*shelf.folder(refused).parent.glob(f"{UUID(str(refused['id'])).hex}*")]
    assert there == []


def test_24_25_26_a_refused_release_is_answered_as_one_that_never_was(
    app: Flask, small: Clinic, export: Path, refused: db.Values
) -> None:
    assert naive.answer(export, "VT")[0] == 403 and naive.answer(export, "AK")[0] == 404
    caller = Caller(app.test_client(), small.analyst.token)
    for path in (
        *("releases/{}/manifest", "releases/{}/codebook", "releases/{}/files/scores.parquet"),
        *("releases/{}/files/subjects.csv.gz", "cube?cut=course&n={}", "cube.svg?cut=course&n={}"),
    ):
        path = path.removesuffix("&n={}")
        answers = [
            caller.get(
                f"/research/v1/projects/{project}/{path.format(number)}",
                **{"X-Request-ID": "same"},
            )
            for project, number in (
                (small.project_id, refused["number"]),
                (small.project_id, 9999),
                (uuid4(), 1),
            )
        ]
        assert {one.status_code for one in answers} == {404}, path
        assert len({one.data for one in answers}) == 1, path


def test_9_10_29_who_comes_or_leaves_changes_nothing_that_is_told(
    app: Flask, small: Clinic, refused: db.Values, tmp_path: Path
) -> None:
    def said() -> list[Any]:
        caller = Caller(app.test_client(), small.analyst.token)
        rows = caller.get(f"/research/v1/projects/{small.project_id}/releases").json["items"]
        told = ("state", "refused_for", "progress_percent", "released_on")
        return [{name: row[name] for name in told} for row in rows]

    before, plain = said(), naive.export(small, tmp_path / "1", agreed=True)
    withdraw(small, small.patients[4])
    after = naive.export(small, tmp_path / "2", agreed=True)
    assert len(naive.read(plain)) - len(naive.read(after)) == 1
    again = make_release(small)
    assert again["refused_for"] == refused["refused_for"] == ["cohort_too_small"]
    assert said() == [*before, before[-1]]


def test_codes_that_were_given_are_reached_by_nobody(
    app: Flask, small: Clinic, refused: db.Values
) -> None:
    codes = codes_of(small, small.project_id).values()
    caller = Caller(app.test_client(), small.analyst.token)
    told = "".join(
        caller.get(f"/research/v1/projects{path}").text
        for path in ("", f"/{small.project_id}", f"/{small.project_id}/releases")
    )
    assert len(codes) >= 29 and not [code for code in codes if code in told]
