"""The command that brings a clinic's spreadsheet of answers along."""

import csv
import sys
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from api import clock, db
from api.core import operators
from api.core.outcomes import importing, sheet as sheets
from api.core.outcomes.instruments import catalogue
from api.errors import Invalid, NotAllowed

BAD_INPUT = 2
EARLIEST_ZONE = "Etc/GMT-14"
"""Where each day begins first."""
"""The exit status for input that can't be taken; nothing was written."""


@click.command("import-checkins")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--instrument", "key", required=True, help="Such as phq-9.")
@click.option("--patient-column", required=True, help="The column with the patient's number.")
@click.option("--patient-system", required=True, help="URI of the system that gave the numbers.")
@click.option("--answered-on", required=True, help="A day (2026-01-31) or the column with it.")
@click.option("--map", "mapping", multiple=True, metavar="COLUMN=ITEM", help="May be repeated.")
@click.option("--actor", "email", required=True, help="E-mail of who answers for the import.")
@click.option("--clinic-id", type=click.UUID, help="Where the actor belongs to several clinics.")
@click.option("--create-patients", is_flag=True, help="Make patients whose number is not known.")
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
def import_checkins_command(
    file: Path, key: str, email: str, clinic_id: UUID | None, dry_run: bool, **how: Any
) -> None:
    """Bring the check-ins of a spreadsheet (CSV, UTF-8) along, all rows or none.

    A column named as an item with _ for - (phq9_1) is taken for it; --map names others. An empty
    cell is an item left open. The same file twice changes nothing: a check-in is known by patient,
    instrument, day and system. Exit status 2: bad rows, each named; nothing was written.
    """
    try:
        with db.transaction(), operators.acting_as(email, clinic_id) as actor:
            report = _import(actor, _plan(file, key, **how), file, dry_run)
    except sheets.BadSheet as sheet:
        refuse_input(_fault(fault) for fault in sheet.faults)
    except Invalid as reason:
        refuse_input(detail for _, detail in reason.errors)
    except (NotAllowed, csv.Error, UnicodeDecodeError) as reason:
        refuse_input([f"{file.name}: {reason}" if isinstance(reason, ValueError) else str(reason)])
    word = "would be written" if dry_run else "written"
    click.echo(
        f"{report.rows} rows: {report.written} check-ins {word}, {report.unchanged} there already,"
        f" {report.patients_created} patients {'to make' if dry_run else 'made'}."
    )


def _import(actor: Any, plan: sheets.Plan, file: Path, dry_run: bool) -> importing.Report:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        done = 0
        with click.progressbar(length=1, label="Importing", file=sys.stderr) as bar:

            def say(now: int, of: int) -> None:
                nonlocal done
                bar.length, step, done = of, now - done, now
                bar.update(step)

            return importing.import_checkins(actor, plan, lines, say, dry_run)


def _plan(
    file: Path,
    key: str,
    patient_column: str,
    patient_system: str,
    answered_on: str,
    mapping: tuple[str, ...],
    create_patients: bool,
) -> sheets.Plan:
    if key not in catalogue.catalogue():
        known = ", ".join(catalogue.catalogue())
        raise Invalid([("/instrument", f"There is no instrument {key}; there are {known}.")])
    instrument = catalogue.instrument(key)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        header = next(csv.reader(lines, strict=True), [])
    if patient_column not in header:
        raise Invalid([("/patient_column", f"There is no column {patient_column}.")])
    pairs = [text.rpartition("=") for text in mapping]
    columns = sheets.plan_columns(instrument, header, {left: right for left, _, right in pairs})
    day = answered_on if answered_on in header else _day(answered_on)
    return sheets.Plan(instrument, patient_column, patient_system, day, columns, create_patients)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        said = f"{text} is neither a column nor a day such as 2026-01-31."
        raise Invalid([("/answered_on", said)]) from None
    if day > clock.today(EARLIEST_ZONE):
        raise Invalid([("/answered_on", f"{text} lies ahead.")])
    return day


def _fault(fault: sheets.Fault) -> str:
    column = f", column {fault.column}" if fault.column else ""
    return f"line {fault.line}{column}: {fault.detail}"


def refuse_input(reasons: Any) -> Any:
    """Say why input can't be taken, and end with the status that says so."""
    for reason in reasons:
        click.echo(reason, err=True)
    click.echo("Nothing was written.", err=True)
    raise SystemExit(BAD_INPUT)
