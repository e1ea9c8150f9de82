"""A spreadsheet is taken whole or not at all, by the command that a clinic uses."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select

from api import clock, db
from api.audit.trail import audit_event_patients, audit_events
from api.core.outcomes.checkins import check_ins
from api.core.patients import patients
from tests import builders
from tests.builders import Scene

SYSTEM = "urn:example:respondent"
ITEMS = [f"phq9_{i}" for i in range(1, 10)]
SURVEY = Path("api/demo/survey-phq9-gad7.csv")


class Clinic:
    """A clinic at whose shell somebody imports sheets."""

    def __init__(self, app: Flask, scene: Scene, folder: Path) -> None:
        self.app, self.scene, self.folder = app, scene, folder

    def sheet(self, *rows: str, header: str = "") -> Path:
        """A sheet of PHQ-9 answers: number, then nine cells, a line each."""
        file = self.folder / "sheet.csv"
        file.write_text("\n".join([header or ",".join(["number", *ITEMS]), *rows]) + "\n")
        return file

    def bring(self, file: Path, *more: str, who: str = "CT", on: str = "2026-01-31") -> Result:
        """Run the command."""
        words = ["import-checkins", str(file), "--instrument", "phq-9", "--patient-system", SYSTEM]
        words += ["--actor", self.scene[who].email, "--answered-on", on]
        if "--patient-column" not in more:
            words += ["--patient-column", "number"]
        return self.app.test_cli_runner().invoke(args=[*words, *more])

    def count(self, table: Any) -> int:
        """How many rows the clinic has in a table."""
        mine = select(func.count()).where(table.c.clinic_id == self.scene.clinic_id)
        with db.transaction() as store:
            return int(store.execute(mine).scalar_one())

    def stored(self) -> list[db.Values]:
        """Its check-ins."""
        mine = select(check_ins).where(check_ins.c.clinic_id == self.scene.clinic_id)
        with db.transaction() as store:
            return store.rows(mine.order_by(check_ins.c.id), check_ins)


@pytest.fixture
def clinic(app: Flask, scene: Scene, tmp_path: Path) -> Clinic:
    return Clinic(app, scene, tmp_path)


@pytest.fixture
def known(scene: Scene) -> db.Values:
    """A patient with number 7, on CT's care team."""
    with db.transaction():
        ids = [{"system": SYSTEM, "value": "7"}]
        patient = builders.make_patient(scene.clinic_id, external_ids=ids)
        builders.join_team(patient, scene["CT"])
    return patient


def test_a_row_becomes_a_complete_scored_check_in(clinic: Clinic, known: db.Values) -> None:
    told = clinic.bring(clinic.sheet("7,1,1,1,1,1,1,1,1,0"))
    assert told.exit_code == 0, told.output
    assert "1 rows: 1 check-ins written, 0 there already, 0 patients made." in told.output
    [row] = clinic.stored()
    assert (row["patient_id"], row["source"], row["total"]) == (known["id"], "import", 8)
    assert (row["state"], row["answered_on"]) == ("complete", date(2026, 1, 31))
    assert row["recorded_by"] == clinic.scene["CT"].user_id


def test_the_same_sheet_twice_changes_nothing(clinic: Clinic, known: db.Values) -> None:
    file = clinic.sheet("7,1,1,1,1,1,1,1,1,", "8,0,0,0,0,0,0,0,0,0")
    assert clinic.bring(file, "--create-patients").exit_code == 0
    before = clinic.stored()
    again = clinic.bring(file, "--create-patients")
    assert "0 check-ins written, 2 there already, 0 patients made" in again.output
    assert clinic.stored() == before


def test_one_bad_cell_refuses_the_sheet_and_every_bad_cell_is_named(
    clinic: Clinic, known: db.Values
) -> None:
    rows = ("7,1,1,1,1,1,1,1,1,4", "9,0,x,0,0,0,0,0,2.5,0", ",0,0,0,0,0,0,0,0,0", "7,0,0")
    told = clinic.bring(clinic.sheet(*rows))
    assert told.exit_code == 2
    for said in (
        "line 2, column phq9_9: The value is not one of the answers that may be given.",
        "line 3, column phq9_2: The value is not a whole number.",
        "line 3, column phq9_8: The value is not a whole number.",
        "line 4, column number: 1 to 200 printable characters are needed.",
        "line 5: The line has not as many cells as the header.",
        "Nothing was written.",
    ):
        assert said in told.output
    assert clinic.stored() == []


def test_an_unknown_patient_is_named_unless_patients_are_to_be_made(clinic: Clinic) -> None:
    file = clinic.sheet("11,1,1,1,1,1,1,1,1,0")
    before = clinic.count(patients)
    told = clinic.bring(file)
    assert told.exit_code == 2 and "line 2, column number: No patient has this" in told.output
    assert clinic.bring(file, "--create-patients").exit_code == 0
    assert clinic.count(patients) == before + 1


def test_a_patient_made_by_an_import_says_what_is_not_known(clinic: Clinic, call: Any) -> None:
    clinic.bring(clinic.sheet("11,1,1,1,1,1,1,1,1,0"), "--create-patients")
    [found] = call("CT").get(f"/patients?external_id={SYSTEM}|11").json["items"]
    assert found["birth_on"] is None and found["status"] == "inquiry"
    assert found["legal_name"] == {"given": "Record", "family": "11"}
    assert call("CN").get(f"/patients?external_id={SYSTEM}|11").json["items"] == []


def test_a_dry_run_checks_everything_and_writes_nothing(clinic: Clinic, known: db.Values) -> None:
    file = clinic.sheet("7,1,1,1,1,1,1,1,1,0", "12,0,0,0,0,0,0,0,0,0")
    before = clinic.count(patients)
    told = clinic.bring(file, "--create-patients", "--dry-run")
    assert "2 check-ins would be written, 0 there already, 1 patients to make" in told.output
    assert clinic.stored() == [] and clinic.count(patients) == before
    assert clinic.bring(clinic.sheet("7,9,1,1,1,1,1,1,1,0"), "--dry-run").exit_code == 2


def test_a_patient_out_of_the_actors_reach_is_refused(clinic: Clinic, known: db.Values) -> None:
    told = clinic.bring(clinic.sheet("7,1,1,1,1,1,1,1,1,0"), who="CN")
    assert told.exit_code == 2 and "not in the actor's reach" in told.output
    assert clinic.bring(clinic.sheet("7,1,1,1,1,1,1,1,1,0"), who="CA").exit_code == 0


@pytest.mark.parametrize("who", ["PS", "AY", "PR"])
def test_others_do_not_import(clinic: Clinic, known: db.Values, who: str) -> None:
    told = clinic.bring(clinic.sheet("7,1,1,1,1,1,1,1,1,0"), who=who)
    assert told.exit_code == 2 and "Your role does not do this." in told.output
    assert clinic.stored() == []


def test_a_row_that_differs_from_what_was_imported_is_refused(
    clinic: Clinic, known: db.Values
) -> None:
    clinic.bring(clinic.sheet("7,1,1,1,1,1,1,1,1,0"))
    told = clinic.bring(clinic.sheet("7,1,1,1,1,1,1,1,1,1"))
    assert told.exit_code == 2 and "line 2: Imported before with other answers" in told.output
    assert len(clinic.stored()) == 1


def test_the_day_may_stand_in_a_column_and_never_lies_ahead(
    clinic: Clinic, known: db.Values
) -> None:
    header = ",".join(["number", "day", *ITEMS])
    ahead = (clock.now() + timedelta(days=2)).date()
    rows = ("7,2026-02-01,1,1,1,1,1,1,1,1,0", "7,2026-03-01,1,1,1,1,1,1,1,1,0")
    assert clinic.bring(clinic.sheet(*rows, header=header), on="day").exit_code == 0
    assert [row["answered_on"].month for row in clinic.stored()] == [2, 3]
    bad = ("7,1.2.2026,1,1,1,1,1,1,1,1,0", f"7,{ahead},1,1,1,1,1,1,1,1,0", rows[0], rows[0])
    told = clinic.bring(clinic.sheet(*bad, header=header), on="day")
    assert "line 2, column day: A date such as 2026-01-31 is needed." in told.output
    assert "line 3, column day: The day lies ahead." in told.output
    assert "line 5, column number: The same patient and day as in line 4." in told.output
    assert clinic.bring(clinic.sheet(rows[0], header=header), on=str(ahead)).exit_code == 2
    assert clinic.bring(clinic.sheet(rows[0], header=header), on="dya").exit_code == 2


def test_columns_go_by_their_names_unless_the_map_says_otherwise(
    clinic: Clinic, known: db.Values
) -> None:
    odd = ",".join(["number", "first", *ITEMS[1:]])
    row = "7,3,0,0,0,0,0,0,0,0"
    missing = clinic.bring(clinic.sheet(row, header=odd))
    assert missing.exit_code == 2 and "No column answers phq9-1" in missing.output
    wrong = clinic.bring(clinic.sheet(row, header=odd), "--map", "frist=phq9-1")
    assert wrong.exit_code == 2 and "column frist: There is no such column." in wrong.output
    unknown = clinic.bring(clinic.sheet(row, header=odd), "--map", "first=phq9-10")
    assert unknown.exit_code == 2 and "There is no item phq9-10." in unknown.output
    assert clinic.bring(clinic.sheet(row, header=odd), "--map", "first=phq9-1").exit_code == 0
    assert [row["answers"]["phq9-1"] for row in clinic.stored()] == [3]


def test_an_empty_cell_is_an_item_left_open_and_never_0(clinic: Clinic, known: db.Values) -> None:
    clinic.bring(clinic.sheet("7,1,1,1,1,1,1,1,1,"))
    [row] = clinic.stored()
    assert row["answers"]["phq9-9"] is None and row["total"] is None
    assert row["scores"]["status"] == "incomplete"


@pytest.mark.parametrize("content", [b"number,phq9_1\n\xff,1\n", b"", b'number,"x\n1,2'])
def test_a_file_that_is_no_sheet_is_refused(clinic: Clinic, content: bytes) -> None:
    file = clinic.folder / "odd.csv"
    file.write_bytes(content)
    told = clinic.bring(file)
    assert told.exit_code == 2 and "Nothing was written." in told.output


def test_a_mark_of_byte_order_and_lines_within_cells_are_read(
    clinic: Clinic, known: db.Values
) -> None:
    file = clinic.sheet('7,"two\nlines",1,1,1,1,1,1,1,1,0', header="number,note," + ",".join(ITEMS))
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert clinic.bring(file).exit_code == 0
    assert len(clinic.stored()) == 1


def test_an_actor_must_be_known(clinic: Clinic) -> None:
    words = ["import-checkins", str(clinic.sheet()), "--instrument", "phq-9", "--answered-on"]
    words += ["2026-01-31", "--patient-column", "number", "--patient-system", SYSTEM]
    told = clinic.app.test_cli_runner().invoke(args=[*words, "--actor", "nobody@test.example"])
    assert told.exit_code == 2 and "nobody@test.example" in told.output


def test_an_import_leaves_one_trail_that_names_every_patient(
    clinic: Clinic, known: db.Values
) -> None:
    clinic.bring(clinic.sheet("7,1,1,1,1,1,1,1,1,0", "8,0,0,0,0,0,0,0,0,0"), "--create-patients")
    mine = audit_events.c.clinic_id == clinic.scene.clinic_id
    with db.transaction() as store:
        [event] = store.rows(select(audit_events).where(mine, audit_events.c.door == "shell"))
        touched = select(audit_event_patients.c.patient_id)
        named = store.rows(touched.where(audit_event_patients.c.event_id == event["id"]))
    assert (event["action"], event["actor_id"]) == (
        "check_in:import",
        clinic.scene["CT"].user_id,
    )
    assert len(named) == 2 and known["id"] in {row["patient_id"] for row in named}


def test_the_survey_comes_in_with_its_own_numbers(clinic: Clinic) -> None:
    how = ("--create-patients", "--patient-column", "respondent")
    told = clinic.bring(SURVEY, *how)
    assert told.exit_code == 0, told.output
    totals = [row["total"] for row in clinic.stored()]
    assert len(totals) == 223
    assert round(sum(totals) / 223, 6) == 8.825112
    assert round(sum(total >= 10 for total in totals) / 223, 6) == 0.358744
    assert sum(row["answers"]["phq9-9"] > 0 for row in clinic.stored()) == 65
