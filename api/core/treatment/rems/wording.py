"""Wording: the form in sections of words, as a person reads it on paper. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.core.treatment.rems.deriving import ABOUT_40, BEFORE, LEAVING
from api.core.treatment.rems.effects import EFFECTS
from api.db import Values

TITLE: Final = "Esketamine session: the record, for the REMS monitoring form"
LACKING: Final = "not in the record"
MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
NAMED: Final = {
    BEFORE: "Before the dose",
    ABOUT_40: "About 40 minutes after",
    LEAVING: "Before leaving",
    "maoi": "Monoamine oxidase inhibitors",
    "benzodiazepine": "Benzodiazepines",
    "sedative_hypnotic": "Sedative-hypnotics",
    "opioid": "Opioids",
    "psychostimulant": "Psychostimulants",
}


@dataclass(frozen=True)
class Section:
    """One block of the page: its heading, its columns, and rows as wide as they."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def sections_of(form: Values, zone: str) -> list[Section]:
    """The form in sections, with times as clocks in that zone show them."""
    told = _Told(ZoneInfo(zone))
    return [
        Section("Session", ("", ""), told.session(form)),
        Section(
            "Medicines taken beside it",
            ("Class", "Taken", "From the list of medications"),
            [told.concomitant(one) for one in form["concomitant"]],
        ),
        Section(
            "Esketamine given",
            ("At", "Dose", "Lot", "Source"),
            [told.dose(dose) for dose in form["doses"]] or [(LACKING, "", "", "")],
        ),
        Section("Observation", ("", ""), told.observation(form)),
        Section(
            "Blood pressure",
            ("", "At", "After the last dose", "mmHg"),
            [told.pressure(n, form["blood_pressure"][n]) for n in (BEFORE, ABOUT_40, LEAVING)],
        ),
        Section(
            "Effects",
            ("", "Occurred", "Onset, from the first dose", "Resolved, from the first dose"),
            [told.effect(name, form["effects"][name]) for name in EFFECTS],
        ),
        Section(
            "Serious adverse events",
            ("Event", "Serious for", "Onset, from the first dose", "Action, outcome, end"),
            [told.event(one) for one in form["serious_adverse_events"]]
            or [("None recorded", "", "", "")],
        ),
    ]


def lacking_words(form: Values) -> str:
    """What the record does not hold, in one sentence; empty where it holds all."""
    names = [plain(name) for name in form["missing"]]
    return f"Not in the record: {', '.join(names)}." if names else ""


def plain(code: str) -> str:
    """A code in plain words."""
    return code.replace("_", " ")


def day_words(day: date | None) -> str:
    """A day as it is written: 25 Nov 2026."""
    return LACKING if day is None else f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def yes_or_no(value: bool | None) -> str:
    """Yes, no, or that nobody wrote it down."""
    return LACKING if value is None else "yes" if value else "no"


class _Told:
    """Words of one form, with times in one zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def at(self, at: datetime | None) -> str:
        """An instant as a clock and a calendar show it."""
        if at is None:
            return LACKING
        here = at.astimezone(self.zone)
        return f"{here:%H:%M}, {day_words(here.date())}"

    def session(self, form: Values) -> list[tuple[str, ...]]:
        """Who, when, by when, and whether the clinic says it was filed."""
        name = f"{form['legal_name']['given']} {form['legal_name']['family']}"
        filed = form["filed"]
        said = "not yet, as far as this record knows"
        if filed is not None:
            said = f"{day_words(filed['filed_on'])}, by {filed['filed_by']['display_name']}"
            said += f", reference {filed['reference']}" if filed["reference"] else ""
        return [
            ("Patient (legal name)", name),
            ("Born", day_words(form["birth_on"])),
            ("Day of the session", day_words(form["given_on"])),
            ("To be filed by", day_words(form["due_on"])),
            ("Filed by the clinic", said),
            ("Times are those of", str(self.zone)),
        ]

    def concomitant(self, one: Values) -> tuple[str, ...]:
        """One class of medicines."""
        names = ", ".join(self._medicine(each) for each in one["medications"])
        return NAMED[one["drug_class"]], yes_or_no(one["taken"]), names

    def _medicine(self, each: Values) -> str:
        held = "" if each["status"] == "active" else f" ({each['status']})"
        return f"{each['name']}{held}"

    def dose(self, dose: Values) -> tuple[str, ...]:
        """One administration."""
        lot = dose["lot"] or LACKING
        return self.at(dose["measured_at"]), f"{dose['dose_mg']:g} mg", lot, dose["source"] or ""

    def observation(self, form: Values) -> list[tuple[str, ...]]:
        """How long the patient stayed, and what the readings before and after were judged."""
        seen, well, ready = (
            form[name] for name in ("observation", "vitals_acceptable", "would_have_been_ready")
        )
        return [
            ("Total dose", LACKING if form["total_mg"] is None else f"{form['total_mg']:g} mg"),
            ("From the first dose", self.at(seen["from_at"])),
            ("To leaving", self.at(seen["until_at"])),
            ("Total minutes", _number(seen["minutes"])),
            ("Minutes after the last dose", _number(seen["minutes_after_last_dose"])),
            ("Vitals acceptable before (by the protocol)", yes_or_no(well["before"])),
            ("Vitals acceptable after (by the protocol)", yes_or_no(well["after"])),
            (
                "Would have been ready to leave (by what was noted)",
                self.at(ready["at"]) + _after(ready["minutes_after_first_dose"]),
            ),
        ]

    def pressure(self, name: str, one: Values | None) -> tuple[str, ...]:
        """One of the three readings."""
        if one is None:
            return NAMED[name], LACKING, "", ""
        after = one["minutes_after_dose"]
        read = f"{one['systolic_mmhg']} / {one['diastolic_mmhg']}"
        return (
            NAMED[name],
            self.at(one["measured_at"]),
            "" if after is None else f"{after} min",
            read,
        )

    def effect(self, name: str, one: Values) -> tuple[str, ...]:
        """One effect from its onset to its end."""
        times = ("", "")
        if one["occurred"]:
            times = (
                self.at(one["onset_at"]) + _after(one["onset_min"]),
                self.at(one["resolved_at"]) + _after(one["resolved_min"]),
            )
        return plain(name).capitalize(), yes_or_no(one["occurred"]), *times

    def event(self, one: Values) -> tuple[str, ...]:
        """One serious adverse event."""
        ends = [plain(one[name]) for name in ("action", "outcome") if one[name]]
        ends += [self.at(one["resolved_at"])] if one["resolved_at"] else []
        return (
            f"{plain(one['code']).capitalize()}, grade {one['grade']}",
            _listed(one["serious_for"]) or LACKING,
            self.at(one["onset_at"]) + _after(one["onset_min"]),
            ", ".join(ends),
        )


def _listed(codes: Iterable[Any]) -> str:
    return ", ".join(plain(code) for code in codes)


def _number(value: int | None) -> str:
    return LACKING if value is None else str(value)


def _after(minutes: int | None) -> str:
    """How long after the first dose, where that is known."""
    return "" if minutes is None else f" ({minutes} min)"
