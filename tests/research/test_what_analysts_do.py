"""What analysts do with a release: read it with their tools, check it, and rebuild a table."""

import csv
import gc
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
import time_machine
from flask import Flask

from api import clock, db
from api.core import release
from api.core.release import cube, shelf
from api.core.release.deidentify import BASELINE, CODES as WINDOWS
from api.core.release.shapes import SCHEMA_VERSION, shapes
from api.core.release.tiers import shapes_of
from tests import builders
from tests.conftest import Caller
from tests.research.clinic import let_the_worker_run
from tests.research.reading import Files

QUASI = ("age_band", "sex_at_birth", "state", "diagnosis_group", "route")
RESPONDED, REMITTED, TREATED = 52, 28, 97
"""As many of as many as give, to a tenth of a percent, two rates in the abstract of McInnes et al.
2022 (J Affect Disord, doi:10.1016/j.jad.2021.12.097): 53.6 % response and 28.9 % remission on the
PHQ-9 of 537 patients, 14 to 31 days after induction. Patients here are made up."""


CLASSES = ", ".join(QUASI)
K_AND_L = f"""
select min(n), min(l) from (
    select count(*) as n, count(distinct coalesce(suicidality, 'not told')) as l
    from rows group by {CLASSES}
)
"""
"""The definitions of k (Sweeney 2002) and of distinct l (Machanavajjhala et al. 2007) in SQL."""


def k_and_l(rows: duckdb.DuckDBPyRelation) -> tuple[int, int]:
    """By DuckDB alone, from one row for each subject."""
    [told] = rows.query("rows", K_AND_L).fetchall()
    return told[0], told[1]


def test_k_and_l_reckoned_apart_are_those_of_the_manifest(files: Files, first: db.Values) -> None:
    path = files.folder / "subjects.parquet"
    rows = duckdb.sql(f"from '{path}'")
    [(subjects, people)] = duckdb.sql(
        f"select count(*), count(distinct subject_id) from '{path}'"
    ).fetchall()
    assert subjects == people == first["manifest"]["subjects"]  # one row for each subject
    told = first["manifest"]
    assert k_and_l(rows) == (told["k"], told["l"]) and told["k"] >= 11 and told["l"] >= 2
    alone = f"select * replace ('unlike anybody' as age_band) from '{path}' limit 1"
    planted = duckdb.sql(f"from '{path}' union all ({alone})")
    assert k_and_l(planted) == (1, 1)  # it finds a row that was planted
    same = f"select * replace ('yes' as suicidality) from '{path}'"
    assert k_and_l(duckdb.sql(same)) == (told["k"], 1)  # and a value that is everybody's


def test_k_of_visits_reckoned_apart_is_that_of_the_manifest(files: Files, first: db.Values) -> None:
    subjects, sessions = (files.folder / f"{name}.parquet" for name in ("subjects", "sessions"))
    patterns = f"""
        select coalesce(list(("window", kind, held) order by "window", kind), []) as pattern
        from '{subjects}' left join '{sessions}' using (subject_id) group by subject_id
    """
    [(k,)] = duckdb.sql(
        f"select min(n) from (select count(*) as n from ({patterns}) group by pattern)"
    ).fetchall()
    assert k == first["manifest"]["k_of_visits"] >= 11


@pytest.mark.parametrize("table", list(shapes()))
def test_the_three_formats_hold_the_same_rows(files: Files, table: str) -> None:
    at = files.folder / table
    readers = (
        f"read_csv('{at}.csv.gz', header=true, all_varchar=true, nullstr='')",
        f"read_ndjson('{at}.ndjson', sample_size=-1)",
        f"read_parquet('{at}.parquet')",
    )
    kinds = {"string": "VARCHAR", "integer": "INTEGER", "number": "DOUBLE", "boolean": "BOOLEAN"}
    told = ", ".join(f'CAST("{f.name}" AS {kinds[f.kind]})' for f in shapes()[table].fields)
    for one in readers:
        for other in readers:
            left = f"SELECT {told} FROM {one} EXCEPT ALL SELECT {told} FROM {other}"
            assert duckdb.sql(f"SELECT count(*) FROM ({left})").fetchall() == [(0,)]


CHANGED = (
    ("subjects", "sex_at_birth", "femail"),  # a word of no list
    ("scores", "total", "7.25"),  # as sound as what stood there
    ("sessions", "subject_id", "0" * 32),  # a subject that is not there
)
"""Cells that are changed, each by itself."""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_frictionless_finds_the_package_sound_and_a_changed_cell(
    files: Files, tmp_path: Path
) -> None:
    from frictionless import Package

    copy = tmp_path / "release"
    shutil.copytree(files.folder, copy)
    sound = Package(str(copy / "datapackage.json")).validate()
    assert sound.valid, sound.flatten(["fieldName", "type", "note"])[:5]
    for table, column, wrong in CHANGED:
        shutil.copytree(files.folder, copy, dirs_exist_ok=True)
        path = copy / f"{table}.csv.gz"
        lines = list(csv.reader(gzip.decompress(path.read_bytes()).decode().splitlines()))
        lines[1][lines[0].index(column)] = wrong
        written = io.StringIO()
        csv.writer(written).writerows(lines)
        path.write_bytes(gzip.compress(written.getvalue().encode()))
        report = Package(str(copy / "datapackage.json")).validate()
        assert not report.valid, (table, column)
    gc.collect()  # the library leaves files open


def test_one_line_each_gives_the_mean_of_the_cube(files: Files, first: db.Values) -> None:
    at = files.folder / "scores.parquet"
    cells = {cell["window"]: cell for cell in cube.cells(first["cube"], cube.COURSE)}
    assert list(cells) and set(cells) <= {*WINDOWS}
    for window, told in cells.items():
        had = "" if window == BASELINE else " and difference is not null"
        asked = f"instrument = 'phq-9' and \"window\" = '{window}' and total is not null{had}"
        [(by_duckdb,)] = duckdb.sql(f"select avg(total) from '{at}' where {asked}").fetchall()
        lacking = "total" if window == BASELINE else "difference"
        frame = pl.read_parquet(at).filter(
            pl.col("window") == window, pl.col(lacking).is_not_null()
        )
        rows = pd.read_csv(files.folder / "scores.csv.gz").query(f"window == '{window}'")
        by_pandas = rows.dropna(subset=[lacking])["total"].mean()
        assert by_duckdb == pytest.approx(by_pandas) == pytest.approx(frame["total"].mean())
        assert told["mean"] == pytest.approx(by_duckdb, abs=0.06)


ELSEWHERE = """
import sys
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

import api.cli
from api import db
from api.core.release import shelf
from api.core.release.tables import research_releases as r

clinic_id, release_id, to = UUID(sys.argv[1]), UUID(sys.argv[2]), Path(sys.argv[3])
shelf.folder = lambda release: to
with db.within(clinic_id):
    with db.transaction() as store:
        row = store.row(select(r).where(r.c.clinic_id == clinic_id, r.c.id == release_id))
    shelf.make(row)
"""
"""Another worker: a process of its own, with other hashes, in another zone."""


def test_another_worker_on_another_day_gives_the_same_bytes(
    files: Files, first: db.Values, monkeypatch: Any, tmp_path: Any
) -> None:
    before = {path.name: path.read_bytes() for path in files.paths}
    odd = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Pacific/Auckland", "LC_ALL": "C"}
    ids = (str(first["clinic_id"]), str(first["id"]))
    told = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *ids, str(tmp_path / "there")],
        env=odd,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    monkeypatch.setattr(shelf, "folder", lambda _release: tmp_path / "later")
    with time_machine.travel(clock.now() + timedelta(days=400)):
        shelf.make(first)
    for place in ("there", "later"):
        assert {p.name: p.read_bytes() for p in (tmp_path / place).iterdir()} == before, place


def test_wide_is_long_laid_side_by_side(files: Files) -> None:
    long = {(r["subject_id"], r["window"]): r["total"] for r in files["scores"]}
    for row in files["scores_wide"]:
        for name, window in (("phq9_total_w00", "baseline"), ("phq9_total_w04", "week_04")):
            assert row[name] == long.get((row["subject_id"], window), "")


def test_a_column_of_before_is_there_with_its_meaning() -> None:
    before = Path(__file__).with_name("columns_1.txt").read_text().split("\n")
    there = [
        f"{shape.name} {one.name} {one.kind}"
        for tier in release.TIERS
        for shape in shapes_of(tier).values()
        for one in shape.fields
    ]
    assert SCHEMA_VERSION.startswith("1."), "a new major version begins a new list"
    assert [line for line in before if line and line not in there] == [], "gone, or another kind"
    assert [line for line in there if line not in before] == [], "add them to columns_1.txt"


def answers(total: int, safety: int) -> dict[str, int]:
    """Answers to the PHQ-9 that add up to a total."""
    rest, said = total - safety, {"phq9-9": safety}
    for number in range(1, 9):
        said[f"phq9-{number}"] = min(3, rest)
        rest -= said[f"phq9-{number}"]
    assert rest == 0
    return said


def test_a_published_table_is_rebuilt_from_patients_sent_through_the_api(
    app: Flask, scene: builders.Scene
) -> None:
    call = {who: Caller(app.test_client(), scene[who].token) for who in ("CT", "PR", "AY")}
    first = clock.now() - timedelta(days=60)
    for number in range(TREATED):
        after = 2 if number < REMITTED else 8 if number < RESPONDED else 14
        treated(call["CT"], scene, number, first + timedelta(minutes=90 * number), after)
    body = {"title": "T", "purpose": "P", "analyst_ids": [str(scene["AY"].user_id)]}
    path = f"/research/v1/projects/{call['PR'].post('/research/v1/projects', body).json['id']}"
    assert call["AY"].post(f"{path}/releases").status_code == 202
    let_the_worker_run()
    manifest = call["AY"].get(f"{path}/releases/1/manifest")
    assert manifest.status_code == 200, call["AY"].get(f"{path}/releases").text
    told = call["AY"].get(f"{path}/releases/1/files/scores.ndjson").text.splitlines()
    rows = [row for line in told if (row := json.loads(line))["window"] == "week_04"]
    met = {name: sum(row[name] is True for row in rows) for name in ("response", "remission")}
    assert (len(rows), met) == (TREATED, {"response": RESPONDED, "remission": REMITTED})
    given = {2: REMITTED, 8: RESPONDED - REMITTED, 14: TREATED - RESPONDED}
    assert Counter(row["total"] for row in rows) == given  # as the answers add up
    assert [round(100 * n / TREATED, 1) for n in met.values()] == [53.6, 28.9]
    cells = call["AY"].get(f"{path}/cube?cut=course").json["rows"]
    cell = next(one for one in cells if one["window"] == "week_04")
    assert (cell["n"], cell["response"]["n"], cell["remission"]["n"]) == (95, 50, 30)
    percents = [cell[name]["percent"] for name in ("response", "remission")]
    assert percents == [round(5000 / 95), round(3000 / 95)]


def treated(call: Caller, scene: builders.Scene, number: int, at: Any, after: int) -> None:
    """One patient: consent, baseline, a dose, and a check-in four weeks later."""
    name = {"given": f"P{number}", "family": "Example"}
    made = call.post("/patients", {"legal_name": name, "birth_on": "1985-05-05"})
    patient = f"/patients/{made.json['id']}"
    said = [call.post(f"{patient}/consents", {"kind": "research", "text_version": "1"})]
    ends = {"starts_at": at.isoformat(), "ends_at": (at + timedelta(minutes=60)).isoformat()}
    who = {"clinician_ids": [str(scene["CT"].user_id)], "mode": "in_person", "kind": "dosing"}
    session = call.post(f"{patient}/sessions", ends | who)
    dose = {"medicine": "ketamine", "route": "intravenous", "dose_mg": 40, "weight_kg": 80}
    event = {"client_event_id": "d1", "measured_at": at.isoformat()}
    said += [session, call.post(f"/sessions/{session.json['id']}/doses", dose | event)]
    for day, total in ((-1, 16), (28, after)):
        answered = (at + timedelta(days=day)).isoformat()
        body = {"instrument": "phq-9", "answers": answers(total, number % 2), "complete": True}
        said.append(call.post(f"{patient}/check-ins", body | {"answered_at": answered}))
    assert all(one.status_code in (200, 201) for one in said), [one.text for one in said]
