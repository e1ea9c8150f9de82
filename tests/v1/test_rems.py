"""The form after esketamine over v1: as JSON or as a paper, for such a session alone."""

from typing import Any

import pytest
from sqlalchemy import select

from api import db
from api.audit.trail import audit_events
from tests.builders import Scene
from tests.core import dosing as ledger

SPRAY = {"medicine": "esketamine", "route": "intranasal", "dose_mg": 28.0, "lot": "A-17"}


@pytest.fixture
def form(scene: Scene) -> str:
    """The address of the form of a session in which esketamine was given."""
    with db.transaction():
        session = ledger.under_way(scene)
        ledger.dose(scene, session, **SPRAY)
    return f"/sessions/{session['id']}/rems-form"


def test_the_form_is_json_unless_a_paper_is_asked_for(call: Any, form: str) -> None:
    for accept in ("*/*", "application/json", "application/json, application/pdf;q=0.5", "text/x"):
        told = call("CT").get(form, Accept=accept)
        assert (told.status_code, told.content_type) == (200, "application/json"), accept
        assert "ETag" not in told.headers and told.json["total_mg"] == 28
    for accept in ("application/pdf", "application/pdf, application/json;q=0.5"):
        paper = call("CT").get(form, Accept=accept)
        assert (paper.status_code, paper.content_type) == (200, "application/pdf"), accept
        assert paper.data.startswith(b"%PDF-") and paper.headers["Cache-Control"] == "no-store"


def test_the_papers_name_names_nobody(call: Any, form: str) -> None:
    named = call("CT").get(form, Accept="application/pdf").headers["Content-Disposition"]
    session_id = form.split("/")[2]
    assert named == f'attachment; filename="rems-form-{session_id}.pdf"'


def test_both_say_that_filing_is_the_clinics_own_act(call: Any, form: str) -> None:
    told = call("CT").get(form).json
    assert "the clinic's own act" in told["notice"] and told["filed"] is None
    assert told["due_on"] and "left_at" in told["missing"]


def test_what_is_filed_leaves_the_worklist(call: Any, form: str) -> None:
    def asked() -> list[str]:
        rows = call("CT").get("/worklist").json["items"]
        return [r["session_id"] for row in rows for r in row["reasons"] if "rems" in r["code"]]

    assert asked() == [form.split("/")[2]]
    filed = call("CT").post(f"{form}/filed", {"reference": "Sent by fax"})
    assert (filed.status_code, filed.json["filed"]["reference"]) == (200, "Sent by fax")
    assert asked() == []
    for bad in ({"filed_on": "tomorrow"}, {"reference": ""}, {"reference": 1}, {"signed": True}):
        assert call("CT").post(f"{form}/filed", bad).status_code == 422, bad


def test_a_paper_is_refused_as_the_json_is(call: Any, scene: Scene) -> None:
    with db.transaction():
        session = ledger.under_way(scene)
        ledger.dose(scene, session)
    path = f"/sessions/{session['id']}/rems-form"
    for accept in ("application/json", "application/pdf"):
        refused = call("CT").get(path, Accept=accept)
        assert refused.status_code == 409 and "esketamine" in refused.json["detail"]
        assert refused.content_type == "application/problem+json"
    assert call("CT").post(f"{path}/filed").status_code == 409


def test_reading_and_filing_leave_a_trail(call: Any, form: str, scene: Scene) -> None:
    call("CT").get(form)
    call("CT").get(form, Accept="application/pdf")
    call("CT").post(f"{form}/filed", {"reference": "Sent by fax"})
    mine = select(audit_events.c.action).where(
        audit_events.c.clinic_id == scene.clinic_id, audit_events.c.action.like("rems_form:%")
    )
    told = sorted(row["action"] for row in db.store().rows(mine))
    assert told == ["rems_form:file", "rems_form:read", "rems_form:read"]
