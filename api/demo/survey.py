"""The baseline of the demo: real answers of 223 respondents, brought in as the command does it.

PHQ-9 and GAD-7 of `survey-phq9-gad7.csv` (source and licence in the README beside it), all dated on
one day before the synthetic courses begin.
"""

import csv
from collections.abc import Callable
from datetime import timedelta

from api import clock
from api.core import operators
from api.core.outcomes import importing, sheet
from api.core.outcomes.instruments import catalogue
from api.demo.people import SURVEY, SYSTEM, ZONE, Cast

BASELINE_DAYS_AGO = 70
IMPORTER = "clinician@demo.example"
INSTRUMENTS = ("phq-9", "gad-7")


def load(cast: Cast, say: Callable[[str], None]) -> None:
    """Import the baseline as the clinician would from a shell."""
    day = clock.today(ZONE) - timedelta(days=BASELINE_DAYS_AGO)
    for key in INSTRUMENTS:
        instrument = catalogue.instrument(key)
        with SURVEY.open(newline="", encoding="utf-8") as lines:
            columns = sheet.plan_columns(instrument, next(csv.reader(lines)), {})
        plan = sheet.Plan(instrument, "respondent", SYSTEM, day, columns)
        with (
            SURVEY.open(newline="", encoding="utf-8") as lines,
            operators.acting_as(IMPORTER, cast.clinic_id) as actor,
        ):
            report = importing.import_checkins(actor, plan, lines, lambda now, of: None)
        say(f"  {report.written} {instrument.short_title} of the survey, dated {day}")
