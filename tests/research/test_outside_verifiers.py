"""What others' verifiers find in a release: k and l by pyCANON, small cells by ACRO.

They live in a place of their own (`.ci/verifiers`), whose interpreter `RESEARCH_VERIFIERS` names.
"""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from api import db
from api.core.release import cube, deidentify as d, shelf
from tests.research.clinic import make_clinic, make_release
from tests.research.reading import Files
from tests.research.verifiers import CUTS, OUTCOMES

PYTHON = os.environ.get("RESEARCH_VERIFIERS", "")
LEAST = 11


@pytest.fixture(scope="module")
def few(application: Flask) -> db.Values:
    """A release of 150 patients: its tables have small cells."""
    with application.app_context():
        one = make_release(make_clinic(150, seed=61))
    assert one["state"] == "ready", one["refused_for"]
    return one


def verified(folder: Path) -> Any:
    """What they say of a folder of files."""
    if not PYTHON:
        pytest.skip("pyCANON and ACRO are run by .ci/verifiers")
    script = Path(__file__).with_name("verifiers.py")
    told = subprocess.run(
        [PYTHON, str(script), str(folder), str(LEAST)], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr[-2000:]
    return json.loads(told.stdout.splitlines()[-1])


def test_pycanon_finds_the_k_and_l_of_the_manifest(files: Files, first: db.Values) -> None:
    found, told = verified(files.folder), first["manifest"]
    assert (found["k"], found["l"]) == (told["k"], told["l"])
    assert told["k"] >= LEAST and told["l"] >= 2 and found["planted"] == 1


def tabled(files: Files) -> Counter[tuple[str, ...]]:
    """How many are in each cell: `(cut, instrument, window, outcome, group, met)`."""
    subjects = {row["subject_id"]: row for row in files["subjects"]}
    counts: Counter[tuple[str, ...]] = Counter()
    for row in (row for row in files["scores"] if row["difference"]):
        for cut, column in CUTS.items():
            group = subjects[row["subject_id"]][column] if column else "all"
            for outcome, (name, word) in OUTCOMES.items():
                met = "yes" if row[name].lower() == str(word).lower() else "no"
                counts[cut, row["instrument"], row["window"], outcome, group, met] += 1
    return counts


def test_acro_hides_whatever_the_cube_hides_first(few: db.Values) -> None:
    files = Files(shelf.folder(few))
    hidden = {tuple(cell) for cell in verified(files.folder)["hidden"]}
    counts = tabled(files)
    small = {cell for cell, n in counts.items() if not d.is_shown(n)}
    assert small and small <= hidden
    assert {cell for cell in hidden if counts[cell] >= LEAST} == set()
    shown = [
        (cut, row["instrument"], row["window"], outcome, row["group"], met)
        for cut in CUTS
        for row in cube.cells(few["cube"], cut)
        for outcome in OUTCOMES
        for met in ("yes", "no")
        if row[outcome] is not None
    ]
    assert shown and [cell for cell in shown if cell in hidden and counts[cell]] == []
