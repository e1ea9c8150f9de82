"""Protocols as the doors show them, with their versions and the clocks of the alerts they raise."""

from dataclasses import asdict
from uuid import UUID

from api.access.users import named as people
from api.core.alerts.rules import rules
from api.core.treatment.protocols.definition import Protocol, Threshold
from api.core.treatment.protocols.shipped import shipped
from api.db import Values


def show(one: Protocol, rows: list[Values], locale: str | None = None) -> Values:
    """One version of a protocol beside the list of all its versions."""
    own = next((r for r in rows if (r["key"], r["number"]) == (one.key, one.version)), None)
    return {
        "id": one.version,
        "key": one.key,
        "version": one.version,
        "title": one.title,
        "state": one.state,
        "review_on": one.review_on,
        "basis": one.basis,
        "citation": one.citation,
        "owner": one.owner,
        "effective_from": one.effective_from,
        "effective_until": one.effective_until,
        "medicine": one.medicine,
        "routes": list(one.routes),
        "eligibility": [asdict(item) for item in one.eligibility],
        "required_consents": list(one.required_consents),
        "reaffirmed_consents": list(one.reaffirmed_consents),
        "monitoring_points": [asdict(p) | {"needs": [*p.needs]} for p in one.monitoring_points],
        "thresholds": [threshold(each) for each in one.thresholds],
        "discharge": one.discharge or None,
        "window": one.window,
        "alert_clocks": _clocks(),
        "patient_instructions": one.instructions(locale),
        "drafted_by": None if own is None else own["drafted_by"],
        "approved_by": None if own is None else own["approved_by"],
        "approved_at": None if own is None else own["approved_at"],
        "versions": _versions(one.key, rows),
    }


def threshold(one: Threshold) -> Values:
    """A rule, with each bound named and null where none is set."""
    return asdict(one)


def _clocks() -> list[Values]:
    """By when an alert is acknowledged and the patient reached; of the rules of alerts."""
    return [
        {
            "priority": code,
            "acknowledge_within_min": int(one.acknowledge_within.total_seconds() // 60),
            "contact_within_min": int(one.contact_within.total_seconds() // 60),
        }
        for code, one in rules().clocks.items()
    ]


def _versions(key: str, rows: list[Values]) -> list[Values]:
    """Every version of a protocol, the oldest first."""
    first = shipped().get(key)
    found: list[Values] = []
    if first is not None:
        dates = {"effective_from": first.effective_from, "effective_until": None}
        found.append({"version": first.version, "state": first.state, "approved_at": None} | dates)
    for row in (row for row in rows if row["key"] == key):
        told = row["definition"]
        dates = {name: told.get(name) for name in ("effective_from", "effective_until")}
        found.append(
            {"version": row["number"], "state": row["state"], "approved_at": row["approved_at"]}
            | dates
        )
    return found


def named(clinic_id: UUID, shown: Values) -> Values:
    """The same with the people who drafted and approved it by name; one query."""
    names = people(clinic_id, (shown["drafted_by"], shown["approved_by"]))
    by = ("drafted_by", "approved_by")
    return shown | {name: names.get(shown[name]) for name in by}
