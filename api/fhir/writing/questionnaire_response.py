"""A QuestionnaireResponse as an EHR sends it: answers alone; what they add up to is made here."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import find_shown, send_answers
from api.core.outcomes.instruments.definition import Instrument, Item
from api.errors import NotFound
from api.fhir.datatypes import Json
from api.fhir.questionnaire import URL, choice
from api.fhir.writing.form import Form, Writer

STATUSES: Final = {"completed": True, "amended": True}
MAX_NESTED: Final = 8


def _instrument(client: Actor, form: Form) -> Instrument | None:
    """The instrument that the canonical names, in the version that stands."""
    told = form.needs("questionnaire", form.said.get("questionnaire")) or ""
    address, _, version = told.partition("|")
    key = address.removeprefix(URL).rpartition("/")[2]
    try:
        one = find_shown(client, key)
    except NotFound:
        form.fault("not-found", "questionnaire", f"An instrument of the clinic: {URL}KEY.")
        return None
    if version not in ("", one.version):
        form.fault("value", "questionnaire", f"The version that stands is {one.version}.")
    return one


def _answered(items: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Json]]:
    """Every item with its place, out of the groups that it may stand in."""
    for number, one in enumerate(items or []):
        at = f"{path}[{number}]"
        if "item" in one and depth < MAX_NESTED:
            yield from _answered(one["item"], f"{at}.item", depth + 1)
        else:
            yield at, one


def _values(form: Form, one: Instrument) -> dict[str, Any]:
    by_link = {item.link_id: item for item in one.items}
    by_code = {f"/{item.loinc['code']}": item for item in one.items if item.loinc}
    told: dict[str, Any] = {}
    for at, said in _answered(form.said.get("item"), "item"):
        link = str(said.get("linkId"))
        item = by_link.get(link) or by_code.get(link)
        if item is None:
            form.fault("value", f"{at}.linkId", "The instrument has no such item.")
        elif item.link_id in told:
            form.fault("value", f"{at}.linkId", "Answered twice.")
        else:
            told[item.link_id] = _value(form, at, one, item, said.get("answer") or [])
    return told


def _value(form: Form, at: str, one: Instrument, item: Item, answers: Any) -> int | float | None:
    """The value of the option that was chosen; without an answer it was left open."""
    if not answers:
        return None
    if len(answers) > 1:
        form.fault("value", f"{at}.answer", "One answer.")
        return None
    for option in item.options:
        coded = choice(one, item, option) or {}
        given = answers[0].get("valueCoding") or {}
        if coded.get("code") == given.get("code") and coded.get("system") == given.get("system"):
            return option.value
        if option.value in (answers[0].get("valueInteger"), answers[0].get("valueDecimal")):
            return option.value
    form.fault("code-invalid", f"{at}.answer[0]", "None of the answers that may be given.")
    return None


def answers_of(client: Actor, form: Form) -> dict[str, Any] | None:
    """What of a form can be understood, whatever its faults: the instrument and its answers."""
    one = _instrument(client, form)
    return None if one is None else {"instrument": one.key, "answers": _values(form, one)}


def _create(client: Actor, form: Form) -> str:
    said = form.said
    form.keeps("questionnaire", "status", "subject", "authored", "author", "source", "item")
    form.code("status", STATUSES, form.needs("status", said.get("status")))
    patient_id = form.points_to("subject", said.get("subject"), "Patient")
    one = _instrument(client, form)
    answers = _values(form, one) if one is not None else {}
    author = (said.get("author") or said.get("source") or {}).get("reference", "")
    values: dict[str, Any] = {
        "answers": answers,
        "answered_by": "patient" if author == f"Patient/{patient_id}" else "staff_copied",
    }
    at = form.moment("authored", form.needs("authored", said.get("authored")))
    ids = form.identifiers()
    form.check()
    assert one is not None and patient_id is not None, "a form without them has a fault"
    values |= {"instrument": one.key, "answered_at": at}
    return str(send_answers(client, patient_id, values, ids))


WRITER: Final = Writer(_create, None, {"/answered_at": "authored", "/answers": "item"})
