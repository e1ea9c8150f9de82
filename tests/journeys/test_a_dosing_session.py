"""A dosing session over HTTP: made ready, given, watched over a bad network, left, and signed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from api import clock, db
from api.access.policies import Privilege, Role
from tests import builders, readying
from tests.conftest import Caller
from tests.journeys.test_a_course_of_treatment import LACKING, sign_in
from tests.journeys.test_the_new_trail import done

MINUTE = timedelta(minutes=1)
WELL = {"systolic_mmhg": 128, "diastolic_mmhg": 80, "heart_rate_bpm": 74, "spo2_percent": 98}
AWAKE = {"sedation_moaas": 5, "dissociation": 0, "respirations_per_min": 14}
SOAP = {
    "subjective": "Light, then far away.",
    "objective": "Calm, eyes closed.",
    "assessment": "As hoped for.",
    "plan": "A walk each evening.",
}
LEAVING = [
    "aldrete_or_padss",
    "oriented",
    "walks_unaided",
    "suicidality_asked",
    "escort_name",
    "no_driving_advice_given",
    "next_contact_at",
]
"""What is lacking while nobody wrote anything of the discharge."""


class Afternoon:
    """A clinic with Nora the therapist, Ravi the prescriber, and Alma; minute 0 is the start."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.began: datetime = (clock.now() + timedelta(days=3)).replace(
            hour=17, minute=0, second=0, microsecond=0
        )
        with db.transaction():
            clinic_id = builders.make_clinic("Birch House")
            alma = builders.make_patient(clinic_id, legal_given="Alma", legal_family="Firnfeld")
            may = [Privilege.PRESCRIBE, Privilege.ADMINISTER]
            people = {
                "nora": builders.make_person(clinic_id, display_name="Nora Stein"),
                "ravi": builders.make_person(
                    clinic_id, display_name="Ravi Rao", profession="prescriber", privileges=may
                ),
                "alma": builders.make_person(clinic_id, Role.PATIENT, patient_id=alma["id"]),
            }
            builders.join_team(alma, people["nora"])
            builders.join_team(alma, people["ravi"], "prescriber")
        self.people, self.chart, self.path = people, f"/patients/{alma['id']}", ""

    @contextmanager
    def at(self, minute: int) -> Iterator[tuple[Caller, Caller, Caller]]:
        """Nora, Ravi and Alma, all signed in at that minute."""
        with time_machine.travel(self.began + minute * MINUTE, tick=True):
            nora, ravi, alma = (sign_in(self.app, p.email) for p in self.people.values())
            yield nora, ravi, alma

    def when(self, minute: int) -> str:
        """That minute as a client writes it."""
        return (self.began + minute * MINUTE).isoformat()

    def entry(self, minute: int, event_id: str, **said: Any) -> dict[str, Any]:
        """An entry as a tablet made it."""
        return {"client_event_id": event_id, "measured_at": self.when(minute)} | said

    def book(self, nora: Caller) -> None:
        """The session, booked, and Alma has come."""
        body = {
            "kind": "dosing",
            "starts_at": self.when(0),
            "ends_at": self.when(180),
            "clinician_ids": [str(self.people[name].user_id) for name in ("nora", "ravi")],
            "mode": "in_person",
        }
        self.path = f"/sessions/{done(nora.post(f'{self.chart}/sessions', body), 201)['id']}"
        done(nora.post(f"{self.path}/arrive"))

    def why_not(self, nora: Caller) -> list[str]:
        """Why the dose may not start."""
        return [reason["code"] for reason in done(nora.get(f"{self.path}/readiness"))["reasons"]]

    def screen(self, nora: Caller) -> None:
        """Every item that nobody signed, asked and signed."""
        told = done(nora.get(f"{self.path}/readiness"))["reasons"]
        for item in [i for r in told if r["code"] == "eligibility_unsigned" for i in r["about"]]:
            said = {"item": item, "answer": "no", "decision": "no_concern"}
            done(nora.post(f"{self.chart}/screenings", said), 201)

    def make_ready(self, nora: Caller, ravi: Caller, **plan: Any) -> None:
        """One reason after the other is seen to; the last is a reading of this minute."""
        kinds = [c.removeprefix("consent_missing_") for c in self.why_not(nora) if "consent" in c]
        for kind in kinds:
            consent = {"kind": kind, "text_version": "1"}
            done(nora.post(f"{self.chart}/consents", consent), 201)
        self.screen(nora)
        done(ravi("PUT", f"{self.path}/dose-plan", plan))
        assert self.why_not(nora) == ["baseline_vitals_missing"]
        done(ravi.post(f"{self.path}/vitals", self.entry(0, "baseline", **WELL)), 201)

    def ledger(self, caller: Caller) -> list[Any]:
        """The whole ledger."""
        return list(done(caller.get(f"{self.path}/ledger?limit=100"))["items"])

    def leave(self, ravi: Caller, minute: int) -> None:
        """Everything that the discharge asks for, and Alma goes home."""
        found = readying.LEAVING | {"next_contact_at": self.when(24 * 60)}
        done(ravi("PUT", f"{self.path}/discharge", found))
        assert done(ravi.post(f"{self.path}/complete", {"at": self.when(minute)}))["allowed"]


@pytest.fixture
def afternoon(app: Flask) -> Afternoon:
    return Afternoon(app)


def test_a_dosing_session(afternoon: Afternoon) -> None:
    _refused_with_five_reasons_and_made_ready(afternoon)
    _given(afternoon)
    batch = _a_late_batch_sent_twice(afternoon)
    _a_high_reading_alerts(afternoon)
    _a_mistyped_reading_is_corrected(afternoon)
    _not_allowed_to_leave(afternoon)
    _what_was_mistyped_comes_right(afternoon, batch)
    note = _signed_by_two(afternoon)
    _added_to(afternoon, note)
    _unlocked_by_another(afternoon, note)
    with afternoon.at(170) as (nora, *_):
        assert done(nora.get(afternoon.path))["state"] == "completed"
        assert done(nora.get(f"/notes/{note}"))["state"] == "signed"


def _refused_with_five_reasons_and_made_ready(day: Afternoon) -> None:
    with day.at(0) as (nora, ravi, _):
        day.book(nora)
        assert day.why_not(nora) == LACKING and len(LACKING) == 5
        refused = done(nora.post(f"{day.path}/start"), 409)
        assert [reason["code"] for reason in refused["reasons"]] == LACKING
        assert refused["state"] == "arrived" and "start" not in refused["allowed"]
        plan = readying.PLAN | {"max_total_mg": 75}
        done(nora("PUT", f"{day.path}/dose-plan", plan), 403)
        day.make_ready(nora, ravi, **plan)
        assert done(nora.get(f"{day.path}/readiness"))["ready"] is True
        assert done(nora.post(f"{day.path}/start"))["state"] == "in_progress"


def _given(day: Afternoon) -> None:
    with day.at(10) as (_, ravi, _alma):
        dose = readying.PLAN | {"weight_kg": 62.5, "lot": "K-204", "source": "Example Pharmacy"}
        told = done(ravi.post(f"{day.path}/doses", day.entry(10, "dose-1", **dose)), 201)
        assert (told["dose_mg_per_kg"], told["judgements"]) == (0.8, [])


def _offline(day: Afternoon) -> list[dict[str, Any]]:
    """What a tablet wrote down without a network: fourteen entries, one with a slip of the finger.

    Readings are due 15, 30, 45, 60 and 90 minutes after the dose, which was given in minute 10.
    """
    v, r = {"type": "vitals", **WELL}, {"type": "rating", "scale": "dissociation"}
    return [
        day.entry(14, "t-01", type="phase", phase="onset"),
        day.entry(25, "t-02", **v),
        day.entry(26, "t-03", **r, value=6),
        day.entry(35, "t-04", type="phase", phase="peak"),
        day.entry(40, "t-05", **(v | {"systolic_mmhg": 186, "diastolic_mmhg": 96})),
        day.entry(44, "t-06", **v),
        day.entry(50, "t-07", type="event", code="nausea", grade=1, outcome="resolved"),
        day.entry(55, "t-08", **(v | {"heart_rate_bpm": 27})),
        day.entry(56, "t-09", **r, value=4),
        day.entry(70, "t-10", **(v | {"systolic_mmhg": 1240})),
        day.entry(72, "t-11", **r, value=2),
        day.entry(85, "t-12", type="phase", phase="return"),
        day.entry(100, "t-13", **v, **AWAKE),
        day.entry(101, "t-14", **r, value=0),
    ]


def _a_late_batch_sent_twice(day: Afternoon) -> list[dict[str, Any]]:
    batch = _offline(day)
    with day.at(104) as (_, ravi, _alma):
        sent = {"entries": batch, "device_sent_at": day.when(103)}
        first = done(ravi.post(f"{day.path}/ledger", sent))["results"]
        again = done(ravi.post(f"{day.path}/ledger", sent))["results"]
        assert [one["client_event_id"] for one in first] == [e["client_event_id"] for e in batch]
        outcomes = [one["outcome"] for one in first]
        assert (len(batch), outcomes.count("stored"), outcomes.count("refused")) == (14, 13, 1)
        assert outcomes[9] == "refused" and first[9]["client_event_id"] == "t-10"
        assert [error["pointer"] for error in first[9]["errors"]] == ["/systolic_mmhg"]
        assert [one["outcome"] for one in again].count("already_stored") == 13
        assert again[9]["errors"] == first[9]["errors"]
        ids = [one["entry"]["id"] for one in first if "entry" in one]
        assert ids == [one["entry"]["id"] for one in again if "entry" in one]
        there = day.ledger(ravi)
        assert [e["sequence"] for e in there] == list(range(1, 16))
        assert [e["client_event_id"] for e in there][:2] == ["baseline", "dose-1"]
        assert 60_000 <= there[-1]["device_clock_skew_ms"] < 120_000
    return batch


def _a_high_reading_alerts(day: Afternoon) -> None:
    with day.at(105) as (nora, ravi, _):
        watched = done(nora.get(f"{day.path}/monitoring"))
        version = {"key": "ketamine_iv_im", "version": 1}
        [high] = [one for one in watched["judgements"] if one["value"] == 186]
        assert (high["rule"], high["action"], high["protocol"]) == (
            "systolic_alert",
            "alert",
            version,
        )
        assert watched["protocol"] | version == watched["protocol"]
        alerts = done(nora.get("/alerts?state=open"))["items"]
        [raised] = [a for a in alerts if a["flag"] == "blood_pressure_out_of_range"]
        assert f"/sessions/{raised['session_id']}" == day.path
        assert raised["entry_id"] == high["entry_id"]
        said = {"note": "Measured again: 128 over 80.", "disposition": "other"}
        done(ravi.post(f"/alerts/{raised['id']}/acknowledge", {"note": said["note"]}))
        done(ravi.post(f"/alerts/{raised['id']}/resolve", said))


def _a_mistyped_reading_is_corrected(day: Afternoon) -> None:
    with day.at(106) as (_, ravi, _alma):
        [slip] = [e for e in day.ledger(ravi) if e.get("heart_rate_bpm") == 27]
        body = day.entry(55, "t-08b", **WELL, corrects_id=slip["id"], reason="72, not 27.")
        body["heart_rate_bpm"] = 72
        right = done(ravi.post(f"{day.path}/vitals", body), 201)
        kept = {e["id"]: e for e in day.ledger(ravi)}
        assert kept[slip["id"]]["superseded_by"] == right["id"]
        assert kept[slip["id"]]["heart_rate_bpm"] == 27, "nothing is edited"
        assert kept[right["id"]]["reason"] == "72, not 27."
        once_more = {**body, "client_event_id": "t-08c"}
        refused = done(ravi.post(f"{day.path}/vitals", once_more), 409)
        assert refused["superseded_by"] == right["id"]


def _not_allowed_to_leave(day: Afternoon) -> None:
    with day.at(112) as (_, ravi, _alma):
        refused = done(ravi.post(f"{day.path}/complete"), 409)
        assert refused["missing"] == ["monitoring_points", *LEAVING]
        [points] = [r for r in refused["reasons"] if r["code"] == "monitoring_points"]
        assert points["about"] == ["first_hour_60"]
        over = {"overrides": [{"code": "oriented", "reason": "She is."}]}
        done(ravi.post(f"{day.path}/complete", over), 403)


def _what_was_mistyped_comes_right(day: Afternoon, batch: list[dict[str, Any]]) -> None:
    with day.at(113) as (nora, ravi, _):
        body = {n: value for n, value in batch[9].items() if n != "type"}
        done(ravi.post(f"{day.path}/vitals", body | {"systolic_mmhg": 124}), 201)
        refused = done(ravi.post(f"{day.path}/complete"), 409)
        assert refused["missing"] == LEAVING
        day.leave(ravi, 113)
        assert done(nora.get(day.path))["state"] == "completed"
        counts = done(nora.get(f"{day.path}/monitoring"))["counts"]
        assert (counts["done"], counts["missed"], counts["late"]) == (7, 0, 0)


def _signed_by_two(day: Afternoon) -> str:
    with day.at(140) as (nora, ravi, alma):
        body = {"kind": "progress", "template": "soap", "sections": SOAP}
        hers = done(nora.post(f"{day.path}/notes", body), 201)["id"]
        his = done(ravi.post(f"{day.path}/notes", {"kind": "progress", "text": "60 kg."}), 201)
        owed = done(nora.get(f"{day.path}/signatures"))
        assert owed["missing"] == ["therapist", "prescriber"]
        by = [[one["display_name"] for one in part["by"]] for part in owed["parts"]]
        assert by == [["Nora Stein"], ["Ravi Rao"]]
        refused = done(nora.post(f"{day.path}/signatures", {"part": "therapist"}), 409)
        assert refused["note_ids"] == [hers]
        assert done(alma.get(f"{day.path}/notes"))["items"] == []
        done(nora.post(f"/notes/{hers}/sign"))
        done(ravi.post(f"/notes/{his['id']}/sign"))
        done(nora.post(f"{day.path}/signatures", {"part": "prescriber"}), 403)
        told = done(nora.post(f"{day.path}/signatures", {"part": "therapist"}), 201)
        assert (told["missing"], told["signed_at"]) == (["prescriber"], None)
        closed = done(ravi.post(f"{day.path}/signatures", {"part": "prescriber"}), 201)
        assert closed["missing"] == [] and closed["signed_at"]
        assert len(done(alma.get(f"{day.path}/notes"))["items"]) == 2
        note = done(nora.get(f"/notes/{hers}"))
        assert note["state"] == "locked"
    return str(hers)


def _added_to(day: Afternoon, note: str) -> None:
    with day.at(150) as (nora, ravi, _):
        version = done(nora.get(f"/notes/{note}"))["version"]
        done(nora.patch(f"/notes/{note}", {"text": "Other words."}, version), 409)
        done(nora.post(f"{day.path}/notes", {"kind": "progress", "text": "More."}), 409)
        added = done(nora.post(f"/notes/{note}/addenda", {"text": "Her sister called."}), 201)
        assert added["kind"] == "addendum"
        late = ravi.post(f"{day.path}/vitals", day.entry(110, "t-15", **WELL))
        told = done(late, 202)
        assert told["result"] == "as_addendum"
        again = done(ravi.post(f"{day.path}/vitals", day.entry(110, "t-15", **WELL)), 202)
        assert again["addendum"] == told["addendum"]
        assert "t-15" not in [e["client_event_id"] for e in day.ledger(ravi)]
        done(nora.post(f"{day.path}/reopen"), 409)


def _unlocked_by_another(day: Afternoon, note: str) -> None:
    with day.at(160) as (nora, ravi, _):
        asked = done(nora.post(f"/notes/{note}/unlock-requests", {"reason": "A wrong name."}), 201)
        path = f"/notes/{note}/unlock-requests/{asked['id']}/approve"
        done(nora.post(path), 403)
        done(ravi.post(path, {"note": "Agreed."}))
        opened = done(nora.get(f"/notes/{note}"))
        assert (opened["state"], opened["unlocks"]) == ("draft", 1)
        changed = {"sections": {"plan": "A walk each morning."}}
        done(nora.patch(f"/notes/{note}", changed, opened["version"]))
        assert done(nora.get(f"{day.path}/signatures"))["signed_at"] is None
        done(nora.post(f"/notes/{note}/sign"))
        told = done(nora.get(f"/notes/{note}/versions?limit=100"))["items"]
        plans = [row["sections"]["plan"] for row in told]
        assert "A walk each evening." in plans and "A walk each morning." in plans


def test_a_session_with_esketamine_and_its_form(afternoon: Afternoon) -> None:
    day = afternoon
    spray = {"medicine": "esketamine", "route": "intranasal"}
    with day.at(0) as (nora, ravi, _):
        done(nora.post(f"{day.chart}/medications", {"name": "Clonazepam"}), 201)
        done(nora.post(f"{day.chart}/medications/confirm"))
        day.book(nora)
        done(ravi("PUT", f"{day.path}/dose-plan", spray | {"dose_mg": 56}))
        assert done(ravi.get(f"{day.path}/dose-plan"))["protocol"]["key"] == "esketamine_intranasal"
        _make_ready_for_a_spray(day, nora, ravi)
        done(nora.post(f"{day.path}/start"))
    with day.at(140) as (nora, ravi, _):
        done(ravi.post(f"{day.path}/ledger", {"entries": _sprayed(day, spray)}))
        assert _asked_to_file(nora) == [day.path]
        assert "left_at" in done(ravi.get(f"{day.path}/rems-form"))["missing"]
        day.leave(ravi, 140)
        _form_is_whole(day, ravi)
        paper = ravi.get(f"{day.path}/rems-form", Accept="application/pdf")
        assert paper.content_type == "application/pdf" and paper.data.startswith(b"%PDF-")
    with day.at(3 * 24 * 60) as (nora, ravi, alma):
        done(alma.get(f"{day.path}/rems-form"), 403)
        done(ravi.post(f"{day.path}/rems-form/filed", {"reference": "Sent by fax"}))
        assert _asked_to_file(nora) == []


def _make_ready_for_a_spray(day: Afternoon, nora: Caller, ravi: Caller) -> None:
    assert [code for code in day.why_not(nora) if "consent" in code] == [
        "consent_missing_treatment"
    ]
    consent = {"kind": "treatment", "text_version": "1"}
    done(nora.post(f"{day.chart}/consents", consent), 201)
    day.screen(nora)
    done(ravi.post(f"{day.path}/vitals", day.entry(0, "baseline", **WELL)), 201)
    assert day.why_not(nora) == []


def _sprayed(day: Afternoon, spray: dict[str, Any]) -> list[dict[str, Any]]:
    """Two devices five minutes apart, what was measured, and well again before the two hours."""
    dose = {"type": "dose", **spray, "dose_mg": 28, "weight_kg": 62.5, "lot": "S-88"}
    far = {"dissociation": 5, "sedation_moaas": 4, "respirations_per_min": 13}
    return [
        day.entry(5, "s-1", **dose),
        day.entry(10, "s-2", **dose),
        day.entry(50, "s-3", type="vitals", **(WELL | {"systolic_mmhg": 146} | far)),
        day.entry(100, "s-4", type="vitals", **WELL, **AWAKE),
        day.entry(105, "s-5", type="phase", phase="return"),
        day.entry(132, "s-6", type="vitals", **WELL, **AWAKE),
    ]


def _asked_to_file(caller: Caller) -> list[str]:
    """The sessions of which the worklist asks for a form."""
    rows = done(caller.get("/worklist"))["items"]
    told = [r for row in rows for r in row["reasons"] if r["code"] == "rems_form_due"]
    return [f"/sessions/{reason['session_id']}" for reason in told]


def _form_is_whole(day: Afternoon, ravi: Caller) -> None:
    form = done(ravi.get(f"{day.path}/rems-form"))
    assert form["missing"] == [] and form["filed"] is None
    assert (form["total_mg"], {dose["lot"] for dose in form["doses"]}) == (56, {"S-88"})
    taken = [one["drug_class"] for one in form["concomitant"] if one["taken"]]
    assert taken == ["benzodiazepine"]
    assert form["observation"]["minutes"] == 135
    pressures = form["blood_pressure"].values()
    assert [one["systolic_mmhg"] for one in pressures] == [128, 146, 128]
    assert form["vitals_acceptable"] == {"before": True, "after": True}
    occurred = {name: told["occurred"] for name, told in form["effects"].items()}
    assert occurred == {"sedation": True, "dissociation": True, "respiratory_depression": False}
    assert form["would_have_been_ready"]["minutes_after_first_dose"] == 100
