"""What a clinic adds to the shelf: definitions of its own, and the wording of licensed forms."""

from typing import Any
from uuid import UUID

from sqlalchemy import Table, select

from api.access.policies import Actor, Privilege
from api.access.users import clinics
from api.audit import trail
from api.core import gate
from api.core.outcomes.instruments import checks, showing
from api.core.outcomes.instruments.catalogue import catalogue, order_of
from api.core.outcomes.instruments.definition import Instrument, Item
from api.core.outcomes.instruments.shelf import find_shelved, last_of
from api.core.outcomes.instruments.tables import instrument_texts, own_instruments
from api.db import Values, store
from api.errors import Conflict, Invalid, NotAllowed, Stale

ACTION = "instrument:define"


def define_instrument(actor: Actor, values: Values) -> Values:
    """A definition of the clinic's own, or a new version of one; the former stays for its answers.

    Raises `Invalid` with every fault of the definition, and `Conflict` for a key that is shipped
    or a version that is not newer than the last.
    """
    gate.admit(actor, ACTION)
    _refuse_unless_may_define(actor)
    definition = values["definition"]
    _refuse_faults(definition)
    _take_turns(actor.clinic_id)
    last = last_of(actor.clinic_id, own_instruments, definition["key"])
    _refuse_unless_newer(definition, last)
    more = {"key": definition["key"], "edition": definition["version"], "definition": definition}
    _keep(actor, own_instruments, last, values, more)
    return showing.whole(actor, find_shelved(actor.clinic_id, definition["key"]))


def license_text(actor: Actor, key: str, version: str | None, values: Values) -> Values:
    """The wording of an instrument, under the clinic's own licence; the newest counts.

    Raises `Invalid` where a question or an answer stays without words, and `Conflict` for an
    instrument that is shipped with its wording.
    """
    gate.admit(actor, ACTION)
    _refuse_unless_may_define(actor)
    _take_turns(actor.clinic_id)
    shelved = find_shelved(actor.clinic_id, key)
    if version not in (None, shelved.instrument.version):
        raise Stale("The instrument was changed since you read it.")
    if not shelved.is_own and not catalogue()[key].is_text_missing:
        raise Conflict("The wording of this instrument is shipped.", reason="instrument_has_text")
    items = _wording(shelved.instrument, values["items"])
    last = last_of(actor.clinic_id, instrument_texts, key)
    more = {"key": key, "items": items, "instructions": values.get("instructions")}
    _keep(actor, instrument_texts, last, values, more)
    return showing.whole(actor, find_shelved(actor.clinic_id, key))


def _refuse_unless_may_define(actor: Actor) -> None:
    """Raise unless an administrator, or a clinician who directs, is at it."""
    rights = actor.rights
    if rights.role == "clinician" and Privilege.DIRECT not in rights.privileges:
        raise NotAllowed("This needs the privilege `direct`.")


def _refuse_faults(definition: Values) -> None:
    broken = checks.faults(definition) or [
        (f"/derived/{place}/shown_as", "A clinic's own conclusion is shown as a `flag`.")
        for place, one in enumerate(definition.get("derived", ()))
        if one.get("shown_as") != "flag"
    ]
    if broken:
        raise Invalid([(f"/definition{at}", detail) for at, detail in broken])


def _refuse_unless_newer(definition: Values, last: Values | None) -> None:
    if definition["key"] in catalogue():
        raise Conflict("An instrument of this key is shipped.", reason="instrument_is_shipped")
    if last and order_of(definition["version"]) <= order_of(last["edition"]):
        raise Conflict(
            "There is a version as new as this one.",
            reason="version_is_not_newer",
            version=last["edition"],
        )


def _take_turns(clinic_id: UUID) -> None:
    """Let one at a time add to the clinic's shelf, so that no place is given twice."""
    clinic = select(clinics.c.id).where(clinics.c.id == clinic_id)
    store().row(clinic.with_for_update(key_share=True))


def _keep(actor: Actor, table: Table, last: Values | None, values: Values, more: Values) -> None:
    licence = ("licence_statement", "holder", "expires_on")
    row = store().add(
        table,
        {
            "clinic_id": actor.clinic_id,
            "place": 1 if last is None else last["place"] + 1,
            "added_by": actor.user_id,
            **{name: values.get(name) for name in licence},
            **more,
        },
    )
    trail.about(table.name, row["id"])
    trail.wrote(values)


def _wording(one: Instrument, sent: list[Values]) -> Values:
    """The words by link id; raises `Invalid` where one is unknown, doubled or missing."""
    items = {item.link_id: item for item in one.items}
    broken, words = list[tuple[str, str]](), dict[str, Any]()
    for place, each in enumerate(sent):
        item = items.get(each["link_id"])
        if item is None or each["link_id"] in words:
            broken.append((f"/items/{place}/link_id", "Unknown, or named before."))
            continue
        labels = {str(option["value"]): option["label"] for option in each.get("options", ())}
        broken += [(f"/items/{place}/options", said) for said in _gaps(item, labels)]
        words[item.link_id] = {"text": each["text"], "labels": labels}
    left = [link_id for link_id in items if link_id not in words]
    broken += [("/items", f"The text of {link_id} is missing.") for link_id in left]
    if broken:
        raise Invalid(broken)
    return words


def _gaps(item: Item, labels: dict[str, str]) -> list[str]:
    """Why labels do not fit the options of an item."""
    values = {str(option.value): option.label for option in item.options}
    said = [f"There is no option {value}." for value in labels if value not in values]
    return said + [
        f"The label of {value} is missing."
        for value, label in values.items()
        if label is None and value not in labels
    ]
