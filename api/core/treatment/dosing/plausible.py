"""Plausible: what of an entry's form is wrong beyond its single fields. Pure."""

from api.core.treatment.dosing.vocabulary import READINGS, VITALS, VOID
from api.db import Values

Faults = list[tuple[str, str]]


def faults(entry: Values) -> Faults:
    """`(pointer, detail)` of each fault of an entry; what is only abnormal is none."""
    return [*_of_correction(entry), *(_of_vitals(entry) if entry["type"] == VITALS else [])]


def _of_correction(entry: Values) -> Faults:
    corrects, reason = entry["corrects_id"], entry["reason"]
    if corrects is None:  # of one that became an addendum there is the device's name alone
        corrects = entry["content"].get("corrects_client_event_id")
    if corrects is None and entry["type"] == VOID:
        return [("/corrects_id", "Missing data for required field.")]
    if corrects is None and reason is not None:
        return [("/corrects_id", "A reason is that of a correction.")]
    if corrects is not None and reason is None:
        return [("/reason", "A correction says why.")]
    return []


def _of_vitals(entry: Values) -> Faults:
    content = entry["content"]
    if not any(name in content for name in READINGS):
        return [("/", "At least one reading.")]
    both = [content.get(name) for name in ("systolic_mmhg", "diastolic_mmhg")]
    if None not in both and both[1] >= both[0]:
        return [("/diastolic_mmhg", "Must be below systolic_mmhg.")]
    return []
