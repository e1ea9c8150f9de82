"""The patient: who they are, how they are found, and whose chart is open to whom."""

from api.core.patients.finding import (
    chart_for,
    charts,
    list_patients,
    open_chart,
    read_patient,
    sought,
)
from api.core.patients.index import blind_external_id, fold
from api.core.patients.leaving import discharge_patient, readmit_patient
from api.core.patients.showing import display_name, named, show_to
from api.core.patients.table import (
    COLUMNS,
    DISCHARGED_FOR,
    ONCE_CLEAR,
    STATUSES,
    patient_external_ids,
    patient_words,
    patients,
)
from api.core.patients.writing import add_patient, admit_patient, change_patient, join_team

__all__ = [
    "COLUMNS",
    "DISCHARGED_FOR",
    "ONCE_CLEAR",
    "STATUSES",
    "add_patient",
    "admit_patient",
    "blind_external_id",
    "change_patient",
    "chart_for",
    "charts",
    "discharge_patient",
    "display_name",
    "fold",
    "join_team",
    "list_patients",
    "named",
    "open_chart",
    "patient_external_ids",
    "patient_words",
    "patients",
    "read_patient",
    "readmit_patient",
    "show_to",
    "sought",
]
