"""A clinic's spreadsheet, read: which column is what, and why a cell can't be taken."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from api.core.outcomes.instruments.answers import NOT_IN_LIST, problems
from api.core.outcomes.instruments.catalogue import Instrument
from api.errors import Refusal

WHOLE = re.compile(r"[+-]?\d{1,9}", re.ASCII)
MAX_PATIENT_NUMBER = 200
SAID = {NOT_IN_LIST: "is not one of the answers that may be given"}


@dataclass(frozen=True)
class Plan:
    """How a sheet is read: which column is what.

    `answered_on` is a day for the whole sheet or the name of a column; `columns` maps link ids to
    columns and covers every scored item.
    """

    instrument: Instrument
    patient_column: str
    system: str
    answered_on: date | str
    columns: Mapping[str, str]
    create_patients: bool = False


@dataclass(frozen=True)
class Fault:
    """Why a cell can't be taken: `line` of the file (1 is the header) and column."""

    line: int
    column: str
    detail: str


class BadSheet(Refusal):
    """The sheet is refused whole; nothing was written. `faults` holds every reason."""

    kind = "bad_sheet"

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("The sheet has faults; nothing was written.")
        self.faults = faults


@dataclass(frozen=True)
class Row:
    """One row of the sheet, read."""

    line: int
    number: str
    answered_on: date
    answers: dict[str, int | None]


@dataclass
class Sheet:
    """The rows that could be read, and the faults of the others."""

    plan: Plan
    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def plan_columns(
    instrument: Instrument, header: Iterable[str], mapping: Mapping[str, str]
) -> dict[str, str]:
    """Which column answers which item: as `mapping` (column to link id) says, else by its name.

    A column named as a link id with `_` for `-` is taken for it. Raises `BadSheet` for an unknown
    column or item, and for a scored item without a column: such a sheet is another instrument's.
    """
    names, items = list(header), [item.link_id for item in instrument.items]
    faults = [Fault(1, c, "There is no such column.") for c in mapping if c not in names]
    faults += [Fault(1, c, f"There is no item {i}.") for c, i in mapping.items() if i not in items]
    doubled = {name for name in names if names.count(name) > 1}
    faults += [Fault(1, name, "The column stands more than once.") for name in sorted(doubled)]
    found = {name.replace("_", "-"): name for name in names if name not in mapping}
    found = {i: c for i, c in found.items() if i in items} | {i: c for c, i in mapping.items()}
    faults += [
        Fault(1, "", f"No column answers {i.link_id}; name it with --map COLUMN={i.link_id}.")
        for i in instrument.scored_items
        if i.link_id not in found and not faults
    ]
    if faults:
        raise BadSheet(faults)
    return {item: found[item] for item in items if item in found}


def read_sheet(plan: Plan, lines: Iterable[str], today: date) -> Sheet:
    """The rows of a sheet, and every fault in it; no day lies after `today`."""
    sheet, seen = Sheet(plan), dict[tuple[str, date], int]()
    reader = csv.DictReader(lines, strict=True)
    try:
        for cells in reader:
            row = _row(sheet, reader.line_num, cells, today)
            if row is None:
                continue
            first = seen.setdefault((row.number, row.answered_on), row.line)
            if first != row.line:
                said = f"The same patient and day as in line {first}."
                sheet.faults.append(Fault(row.line, sheet.plan.patient_column, said))
            sheet.rows.append(row)
    except csv.Error as problem:
        sheet.faults.append(Fault(reader.line_num, "", f"The line can't be read: {problem}."))

    return sheet


def _row(sheet: Sheet, line: int, cells: Mapping[Any, Any], today: date) -> Row | None:
    plan, faults = sheet.plan, len(sheet.faults)
    if None in cells or None in cells.values():
        sheet.faults.append(Fault(line, "", "The line has not as many cells as the header."))
        return None
    number = cells[plan.patient_column].strip()
    if not number or len(number) > MAX_PATIENT_NUMBER or not number.isprintable():
        said = f"1 to {MAX_PATIENT_NUMBER} printable characters are needed."
        sheet.faults.append(Fault(line, plan.patient_column, said))
    answered_on = _day(sheet, line, cells, today)
    answers = _answers(sheet, line, cells)
    if len(sheet.faults) > faults or answered_on is None:
        return None
    return Row(line, number, answered_on, answers)


def _day(sheet: Sheet, line: int, cells: Mapping[str, str], today: date) -> date | None:
    wanted = sheet.plan.answered_on
    if isinstance(wanted, date):
        return wanted
    try:
        day = date.fromisoformat(cells[wanted].strip())
    except ValueError:
        sheet.faults.append(Fault(line, wanted, "A date such as 2026-01-31 is needed."))
        return None
    if day > today:
        sheet.faults.append(Fault(line, wanted, "The day lies ahead."))
    return day


def _answers(sheet: Sheet, line: int, cells: Mapping[str, str]) -> dict[str, int | None]:
    """The answers of a line; an empty cell is an item that was left open."""
    answers: dict[str, Any] = {}
    for link_id, column in sheet.plan.columns.items():
        text = cells[column].strip()
        answers[link_id] = int(text) if WHOLE.fullmatch(text) else text or None
    for link_id, code in problems(sheet.plan.instrument, answers):
        said = SAID.get(code, "is not a whole number")
        sheet.faults.append(Fault(line, sheet.plan.columns[link_id], f"The value {said}."))
    return answers
