"""Readiness: may this dose start, may this patient leave? Lists why not; decides for nobody."""

from api.core.readiness.discharging import (
    complete_session,
    hear_refused_discharge,
    read_discharge,
    record_discharge,
)
from api.core.readiness.starting import (
    KINDS,
    read_patient_readiness,
    read_readiness,
    start_session,
)
from api.core.readiness.table import discharges

__all__ = [
    "KINDS",
    "complete_session",
    "discharges",
    "hear_refused_discharge",
    "read_discharge",
    "read_patient_readiness",
    "read_readiness",
    "record_discharge",
    "start_session",
]
