"""Patients as the doors show them, to each reader as much as is theirs to see."""

from api.access.policies import Actor
from api.core.merging import whole
from api.core.patients.table import OBJECTS
from api.db import Values

SHOWN_AS_NAME = ("legal_given", "legal_family")
HIDDEN = ("clinic_id", *SHOWN_AS_NAME, "deleted_at", "default_sharing")


def display_name(row: Values) -> str:
    """The name a person is called by: preferred, else given, with the family name."""
    return f"{row['preferred_name'] or row['legal_given']} {row['legal_family']}"


def show_to(reader: Actor, row: Values) -> Values:
    """A patient as this reader sees them: names in one place, internals left out.

    The administrator runs the clinic and sees no clinical data.
    """
    shown = {k: v for k, v in row.items() if k not in HIDDEN}
    shown["legal_name"] = {"given": row["legal_given"], "family": row["legal_family"]}
    shown["display_name"] = display_name(row)
    shown |= {name: row[name] and whole(row[name], keys) for name, keys in OBJECTS.items()}
    shown["external_ids"] = row["external_ids"] or []
    shown["diagnoses"] = row["diagnoses"] or []
    if reader.rights.role == "administrator":
        shown["diagnoses"] = None
    return shown
