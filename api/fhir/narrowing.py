"""What of a search the database can be asked beforehand; it may let more through, never less."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from api.access.policies import Actor
from api.core.ehr import PATIENTS, Wanted, numbered, sought
from api.fhir import dates
from api.fhir.kind import Kind, Part, split_id
from api.fhir.kinds import KINDS
from api.fhir.parameters import Filter, plain

NUMBERED: Final = (
    *("Condition", "AllergyIntolerance", "MedicationStatement"),
    *("Encounter", "ServiceRequest", "QuestionnaireResponse", "Consent"),
)
"""Types whose records carry the numbers of other systems beside their own."""


def narrowed(
    client: Actor, kind: Kind, part: Part, filters: Iterable[Filter], base: str
) -> Wanted | None:
    """The records of a part that may match; None where it can hold no match at all."""
    wanted: Wanted | None = Wanted()
    for one in filters:
        if wanted is not None and not one.modifier:
            wanted = _more(client, kind, part, wanted, one, base)
    return wanted


def _more(
    client: Actor, kind: Kind, part: Part, wanted: Wanted, one: Filter, base: str
) -> Wanted | None:
    if one.name == "_id":
        return _by_ids(wanted, part, [plain(value) for value in one.values])
    if one.name == "target" and kind.code == "prv":
        return _by_ids(wanted, part, list(_targets(one.values, base)))
    if one.name in ("patient", "subject") and kind.chart:
        on_chart = part.source.patient is not None
        return _by_patients(wanted, one.values, base) if on_chart else None
    if one.name == "_lastUpdated" and len(one.values) == 1:
        since = _since(one.values[0])
        return replace(wanted, since=since) if since and wanted.since is None else wanted
    if one.name in part.only:
        codes = {plain(value).rpartition("|")[2].lower() for value in one.values}
        return wanted if "" in codes or codes & part.only[one.name] else None
    if part.source is PATIENTS and kind.code == "pat":
        found = sought(client, one.name, one.values)
        return wanted if found is None else replace(wanted, sought=(*wanted.sought, found))
    if one.name == "identifier" and kind.type in NUMBERED:
        found = numbered(client, part.source, kind.type, one.values)
        return wanted if found is None else replace(wanted, sought=(*wanted.sought, found))
    return wanted


def _by_ids(wanted: Wanted, part: Part, told: Sequence[str]) -> Wanted:
    split = (split_id(part, value) for value in told)
    ids = [pair[0] for pair in split if pair is not None]
    if wanted.ids is not None:
        ids = [one for one in ids if one in wanted.ids]
    return replace(wanted, ids=ids)


def _targets(values: Iterable[str], base: str) -> Iterator[str]:
    """The ids of what tells of these targets; a bare id may be of any type."""
    for value in values:
        kind, bar, record_id = plain(value).removeprefix(base + "/").rpartition("/")
        for one in KINDS.values():
            if not bar or one.type == kind:
                yield f"{one.code}-{record_id}"


def _by_patients(wanted: Wanted, values: Sequence[str], base: str) -> Wanted:
    told = [plain(value).removeprefix(base + "/").removeprefix("Patient/") for value in values]
    ids = []
    for text in told:
        try:
            patient_id = UUID(text)
        except ValueError:
            continue
        if str(patient_id) == text:
            ids.append(patient_id)
    if wanted.patients is not None:
        ids = [one for one in ids if one in wanted.patients]
    return replace(wanted, patients=ids)


def _since(value: str) -> datetime | None:
    prefix, (begins, _ends) = dates.asked(value)
    return begins if prefix in ("ge", "gt", "sa", "eq") else None
