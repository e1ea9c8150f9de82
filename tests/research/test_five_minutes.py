"""The analyst's five minutes: what the README says is run as it stands, on the demo's release."""

import csv
import gzip
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from math import isnan
from pathlib import Path
from statistics import mean, stdev
from xml.etree import ElementTree

import duckdb
import pandas as pd
import polars as pl
import pytest
from flask import Flask
from sqlalchemy import select

from api import db, demo, schema
from api.core.release import shelf
from api.core.release.tables import research_releases
from tests import roles
from tests.conftest import empty_database

HOUSE = Path(__file__).parents[2]
README = (HOUSE / "README.md").read_text()
TOOLS = {"duckdb": duckdb, "pl": pl, "pd": pd}


def lines(language: str) -> list[str]:
    """The lines that the README gives to analysts in one language."""
    part = README[README.index("## For analysts") : README.index("## Problems")]
    found = re.search(rf"```{language}\n(.*?)```", part, re.S)
    assert found is not None, language
    return found[1].splitlines()


@pytest.fixture(scope="module")
def folder(application: Flask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of the demo clinic's release."""
    with empty_database(tmp_path_factory.mktemp("demo")):
        schema.upgrade()
        roles.let_research_in()
        demo.load(lambda line: None)
        with db.transaction() as store:
            row = db.found(store.row(select(research_releases)))
        assert row["state"] == "ready"
        yield shelf.folder(row)


@pytest.fixture(scope="module")
def totals(folder: Path) -> dict[str, list[float]]:
    """By window the totals of the PHQ-9, read by hand."""
    found: dict[str, list[float]] = defaultdict(list)
    with gzip.open(folder / "scores.csv.gz", "rt", newline="") as rows:
        for row in csv.DictReader(rows):
            if row["instrument"] == "phq-9" and row["total"]:
                found[row["window"]].append(float(row["total"]))
    assert len(found) > 2
    return found


@pytest.mark.parametrize("line", lines("python"))
def test_each_line_gives_the_mean_by_window(
    line: str, folder: Path, totals: dict[str, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    told = eval(line, dict(TOOLS))
    if isinstance(told, pd.Series):
        rows = list(told.items())
    else:
        rows = told.rows() if isinstance(told, pl.DataFrame) else told.fetchall()
    known = {window: value for window, value in rows if value is not None and not isnan(value)}
    assert {window: pytest.approx(value) for window, value in known.items()} == {
        window: mean(some) for window, some in totals.items()
    }


def test_the_line_in_r_gives_them_too(folder: Path, totals: dict[str, list[float]]) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not on the PATH: the README's line in R was not run")
    [line] = lines("r")
    r = ["Rscript", "-e", line]
    told = subprocess.run(r, cwd=folder, capture_output=True, text=True, check=True).stdout
    for window, some in totals.items():
        found = re.search(rf"{window}\s+([\d.]+)", told)
        assert found is not None and float(found[1]) == pytest.approx(mean(some), rel=1e-4)


def test_the_example_draws_each_mean_with_its_interval(
    folder: Path, totals: dict[str, list[float]], tmp_path: Path
) -> None:
    script = HOUSE / "docs" / "examples" / "mean_by_window.py"
    asked = [sys.executable, str(script), str(folder / "scores.parquet"), str(tmp_path / "m.svg")]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    for window, some in totals.items():
        half = 1.96 * stdev(some) / len(some) ** 0.5
        low, high = mean(some) - half, mean(some) + half
        line = f"{window:<9} {mean(some):5.2f} ({low:.2f} to {high:.2f}) n {len(some)}"
        assert line in said
    picture = ElementTree.parse(tmp_path / "m.svg").getroot()
    name = "{http://www.w3.org/2000/svg}"
    assert (
        len(picture.findall(f"{name}circle")) == len(picture.findall(f"{name}line")) == len(totals)
    )
