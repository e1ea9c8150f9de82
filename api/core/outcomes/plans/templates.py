"""Templates: plans that belong together, shipped as data, copied and changed by a clinic."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.outcomes.plans import keeping
from api.core.outcomes.plans.table import check_in_plan_templates
from api.core.patients import open_chart
from api.db import SYNC_MARGIN, Listing, Page, Values, found, match, store
from api.errors import Conflict, Invalid, NotAllowed

SHIPPED: Final = Path(__file__).with_name("templates.json")
MAX_TEMPLATES = 50
"""The most templates of a clinic's own."""
MAX_PARTS = 20
"""The most plans of a template."""
PART = ("instrument", "rule", "n", "answer_within_days")


@cache
def shipped() -> dict[str, Values]:
    """The templates that come with this release, by key."""
    return {one["key"]: one for one in json.loads(SHIPPED.read_text(encoding="utf-8"))}


def list_plan_templates(actor: Actor, asked: Page) -> Listing:
    """The templates by key: those that are shipped, and the clinic's own."""
    gate.admit(actor, "plan_template:read")
    every = {key: _as_shipped(one) for key, one in shipped().items()}
    every |= {str(row["id"]): _as_own(row) for row in _own(actor)}
    after = asked.after[0] if asked.after else ""
    keys = sorted(key for key in every if key > after)
    more = len(keys) > asked.limit
    chosen = keys[: asked.limit]
    listing = Listing([every[key] for key in chosen], (chosen[-1],) if more else None)
    if asked.since is not None:
        listing.tombstones = []
        listing.synced_to = None if more else clock.now() - SYNC_MARGIN
    return listing


def read_plan_template(actor: Actor, template_key: str) -> Values:
    """One template, shipped or the clinic's own."""
    gate.admit(actor, "plan_template:read")
    return found(_find(actor, template_key))


def copy_plan_template(actor: Actor, values: Values) -> Values:
    """A template of the clinic's own: a copy of another, changed as `values` say, or a new one."""
    gate.admit(actor, "plan_template:write")
    source: Values = {}
    if "copy_of" in values:
        source = _named(actor, values["copy_of"], "/copy_of")
    names = ("title", "about", "plans")
    whole: Values = {name: values.get(name, source.get(name)) for name in names}
    missing = [name for name in ("title", "plans") if not whole[name]]
    if missing:
        raise Invalid([(f"/{name}", "Needed without copy_of.") for name in missing])
    if len(_own(actor)) >= MAX_TEMPLATES:
        raise Conflict(f"A clinic has at most {MAX_TEMPLATES} templates of its own.", allowed=[])
    whole |= {"plans": _parts(actor, whole["plans"]), "copy_of": values.get("copy_of")}
    by = {"clinic_id": actor.clinic_id, "made_by": actor.user_id}
    row = store().add(check_in_plan_templates, whole | by)
    trail.about(check_in_plan_templates.name, row["id"])
    trail.wrote(values)
    return _as_own(row)


def change_plan_template(
    actor: Actor, template_key: str, version: int | None, values: Values
) -> Values:
    """Change a template of the clinic's own; plans made from it before stay as they are."""
    gate.admit(actor, "plan_template:write")
    row = _to_change(actor, template_key)
    match(row, version)
    if "plans" in values:
        values = values | {"plans": _parts(actor, values["plans"])}
    trail.wrote(values)
    return _as_own(store().change(check_in_plan_templates, row, values))


def remove_plan_template(actor: Actor, template_key: str, version: int | None) -> None:
    """Take a template of the clinic's own away; plans made from it stay."""
    gate.admit(actor, "plan_template:write")
    row = _to_change(actor, template_key)
    match(row, version)
    store().remove(check_in_plan_templates, row)


def follow_plan_template(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """The plans of a template made for a patient, all or none: `{items}`."""
    patient = open_chart(actor, "check_in_plan:write", patient_id)
    template = _named(actor, values["template"], "/template")
    days = {name: values.get(name) for name in ("starts_on", "ends_on")}
    own = {"template": values["template"]}
    rows = [keeping.add_plan(actor, patient, part | days | own) for part in template["plans"]]
    trail.about("check_in_plans", rows[0]["id"])
    trail.wrote(values)
    return {"items": keeping.show_all(actor, patient, rows)}


def _parts(writer: Actor, plans: list[Values]) -> list[Values]:
    """The plans of a template with what was left out, checked one by one."""
    clinic_id, numbered = writer.clinic_id, enumerate(plans)
    filled = [keeping.filled(clinic_id, part, f"/plans/{place}") for place, part in numbered]
    return [{name: part[name] for name in PART} for part in filled]


def _own(reader: Actor) -> list[Values]:
    t = check_in_plan_templates.c
    own = select(check_in_plan_templates).where(
        t.clinic_id == reader.clinic_id, t.deleted_at.is_(None)
    )
    return store().rows(own.order_by(t.id).limit(MAX_TEMPLATES))


def _find(reader: Actor, key: str) -> Values | None:
    if key in shipped():
        return _as_shipped(shipped()[key])
    row = _row(reader, key)
    return None if row is None else _as_own(row)


def _row(reader: Actor, key: str) -> Values | None:
    return next((row for row in _own(reader) if str(row["id"]) == key), None)


def _named(reader: Actor, key: str, at: str) -> Values:
    one = _find(reader, key)
    if one is None:
        raise Invalid([(at, "There is no such template.")])
    return one


def _to_change(writer: Actor, key: str) -> Values:
    if key in shipped():
        raise NotAllowed("A template that is shipped is copied, not changed.")
    row = found(_row(writer, key))
    trail.about(check_in_plan_templates.name, row["id"])
    return row


def _as_shipped(one: Values) -> Values:
    return one | {"id": one["key"], "is_shipped": True, "copy_of": None}


def _as_own(row: Values) -> Values:
    shown: dict[str, Any] = {
        name: row[name] for name in ("version", "title", "about", "plans", "copy_of")
    }
    return shown | {"id": str(row["id"]), "key": str(row["id"]), "is_shipped": False}
