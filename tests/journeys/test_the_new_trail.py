"""The new trail over HTTP, day by day: a dose, what is practised after it, whether it helped."""

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
from tests.journeys.test_a_course_of_treatment import sign_in

DAY = timedelta(days=1)


def phq9(total: int, item_9: int = 0) -> dict[str, int]:
    """Answers to a PHQ-9 that add up to a total."""
    answers, rest = {"phq9-9": item_9}, total - item_9
    for number in range(1, 9):
        answers[f"phq9-{number}"] = min(3, rest)
        rest -= answers[f"phq9-{number}"]
    return answers


class Story:
    """A clinic with Nora who treats and Alma who is treated; day 0 is that of the first dose."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.day_0 = (clock.now() + 3 * DAY).replace(hour=17, minute=0, second=0, microsecond=0)
        with db.transaction():
            clinic_id = builders.make_clinic("Birch House")
            alma = builders.make_patient(clinic_id, legal_given="Alma", legal_family="Firnfeld")
            may = {"privileges": [Privilege.PRESCRIBE]}
            self.nora_is = builders.make_person(clinic_id, display_name="Nora Stein", **may)
            alma_is = builders.make_person(clinic_id, Role.PATIENT, patient_id=alma["id"])
            builders.join_team(alma, self.nora_is)
        self.emails = {"nora": self.nora_is.email, "alma": alma_is.email}
        self.chart, self.practice, self.alert = f"/patients/{alma['id']}", "", ""

    @contextmanager
    def day(self, number: int) -> Iterator[tuple[Caller, Caller]]:
        """Nora and Alma, both signed in on that day."""
        with time_machine.travel(self.day_0 + number * DAY, tick=True):
            yield sign_in(self.app, self.emails["nora"]), sign_in(self.app, self.emails["alma"])

    def book(self, nora: Caller, kind: str, in_days: int) -> str:
        """A session so many days from day 0."""
        starts: datetime = self.day_0 + in_days * DAY
        body = {
            "kind": kind,
            "starts_at": starts.isoformat(),
            "ends_at": (starts + timedelta(hours=2)).isoformat(),
            "clinician_ids": [str(self.nora_is.user_id)],
            "mode": "in_person",
        }
        return f"/sessions/{done(nora.post(f'{self.chart}/sessions', body), 201)['id']}"

    def make_ready(self, nora: Caller, dose: str) -> None:
        """Everything that a dose of today asks for: screened, planned, measured."""
        while unsigned := self.unsigned(nora, dose):
            said = {"item": unsigned[0], "answer": "no", "decision": "no_concern"}
            done(nora.post(f"{self.chart}/screenings", said), 201)
        done(nora("PUT", f"{dose}/dose-plan", readying.PLAN))
        now = clock.now().isoformat()
        taken = {"client_event_id": "baseline", "measured_at": now} | readying.VITALS
        done(nora.post(f"{dose}/vitals", taken), 201)

    def unsigned(self, nora: Caller, dose: str) -> list[str]:
        """The items of the screening that nobody signed."""
        told = done(nora.get(f"{dose}/readiness"))["reasons"]
        return [item for r in told if r["code"] == "eligibility_unsigned" for item in r["about"]]

    def why(self, nora: Caller) -> list[str]:
        """Why Alma is on the worklist."""
        rows = done(nora.get("/worklist"))["items"]
        return [reason["code"] for row in rows for reason in row["reasons"]]

    def answer(self, alma: Caller, answers: dict[str, int]) -> Any:
        """Alma answers a PHQ-9 that her day asks for."""
        body = {"instrument": "phq-9", "answers": answers, "complete": True}
        return done(alma.post(f"{self.chart}/check-ins", body), 201)


def done(answer: Any, status: int = 200) -> Any:
    """The JSON of an answer with that status."""
    assert answer.status_code == status, answer.text
    return answer.json


def hold(nora: Caller, path: str) -> None:
    """A session from arrival to its end."""
    for move in ("arrive", "start", "complete"):
        done(nora.post(f"{path}/{move}"))


def sign(nora: Caller, path: str) -> None:
    """Every part of a session's record that is owed, by whoever may."""
    for part in done(nora.get(f"{path}/signatures"))["missing"]:
        done(nora.post(f"{path}/signatures", {"part": part}), 201)


@pytest.fixture
def story(app: Flask) -> Story:
    return Story(app)


def test_the_new_trail(story: Story) -> None:
    first = _before_the_dose(story)
    _on_the_day_of_the_dose(story, first)
    _missed_on_the_worklist(story)
    _agreed_in_an_integration_session(story)
    _walked_with_a_detour_and_its_return(story)
    _it_helped(story)
    second = _an_answer_holds_the_next_dose(story)
    _somebody_saw_to_it(story, second)
    with story.day(9) as (nora, _):
        assert done(nora.get(second))["state"] == "in_progress"
        assert len(done(nora.get(f"{story.practice}/steps"))["items"]) == 3


def _before_the_dose(story: Story) -> str:
    with story.day(-2) as (nora, _):
        assert story.why(nora) == ["treatment_consent_missing"]
        for kind in ("treatment", "off_label_medicine"):
            consent = {"kind": kind, "text_version": "1"}
            done(nora.post(f"{story.chart}/consents", consent), 201)
        for n in (-1, 1, 3, 7):
            plan = {"instrument": "phq-9", "rule": "after_dose", "n": n, "answer_within_days": 1}
            done(nora.post(f"{story.chart}/check-in-plans", plan), 201)
        first = story.book(nora, "dosing", 0)
        assert story.why(nora) == []
    with story.day(-1) as (_, alma):
        today = done(alma.get("/me/today"))
        assert [due["instrument"] for due in today["due"]] == ["phq-9"]
        assert f"/sessions/{today['next_visit']['id']}" == first
        story.answer(alma, phq9(18))
        assert done(alma.get("/me/today"))["due"] == []
    return first


def _on_the_day_of_the_dose(story: Story, first: str) -> None:
    with story.day(0) as (nora, alma):
        story.make_ready(nora, first)
        hold(nora, first)
        sign(nora, first)
        today = done(alma.get("/me/today"))
        assert today["window"]["phase"] == "rest" and today["after"]
        assert (today["question"], today["next_step"], today["due"]) == (None, None, [])
        [window] = done(nora.get(f"{story.chart}/windows"))["items"]
        assert (window["open"], window["window_day"]) == (True, 0)


def _missed_on_the_worklist(story: Story) -> None:
    with story.day(1) as (nora, alma):
        missed = done(nora.get("/patients?window=open&needs=integration"))["items"]
        assert [one["display_name"] for one in missed] == ["Alma Firnfeld"]
        assert story.why(nora) == ["window_without_integration"]
        today = done(alma.get("/me/today"))
        assert today["question"]["key"] == "what_to_practise"
        assert today["question"]["beside"] == "How long this lasts for you is not known."
        assert len(today["due"]) == 1
        story.answer(alma, phq9(12))


def _agreed_in_an_integration_session(story: Story) -> None:
    with story.day(2) as (nora, alma):
        path = story.book(nora, "integration", 2)
        hold(nora, path)
        sign(nora, path)
        aim = {"title": "Say no kindly", "category": "boundaries"}
        aim |= {"session_id": path.rpartition("/")[2]}
        goal = done(nora.post(f"{story.chart}/goals", aim), 201)
        new = {"new_trail": "Take a breath and say: not today", "smallest_step": "One breath"}
        made = done(nora.post(f"/goals/{goal['id']}/practices", new), 201)
        story.practice = f"/practices/{made['id']}"
        assert story.why(nora) == []
        assert done(alma.get("/me/today"))["next_step"]["smallest_step"] == "One breath"


def _walked_with_a_detour_and_its_return(story: Story) -> None:
    with story.day(3) as (_, alma):
        story.answer(alma, phq9(7))
        step = done(alma.post(f"{story.practice}/steps", {"kind": "done"}), 201)
        assert step["window_day"] == 3
    with story.day(4) as (_, alma):
        away = done(alma.post(f"{story.practice}/steps", {"kind": "detour"}), 201)
        assert away["words"] == "The old trail, this time. Noticing it is part of the new one."
    with story.day(6) as (_, alma):
        back = done(alma.post(f"{story.practice}/steps", {"kind": "done"}), 201)
        assert back["words"] == "You found your way back after 2 days."
        moment = {"text": "I laughed instead.", "practice_id": story.practice.rpartition("/")[2]}
        done(alma.post(f"{story.chart}/moments", moment), 201)


def _it_helped(story: Story) -> None:
    with story.day(7) as (nora, alma):
        assert len(done(alma.get("/me/today"))["due"]) == 1
        story.answer(alma, phq9(3))
        told = done(nora.get(f"{story.chart}/outcomes?instrument=phq-9"))
        assert [point["total"] for point in told["series"]] == [18, 12, 7, 3]
        assert (told["baseline"]["total"], told["baseline"]["before_first_dose"]) == (18, True)
        change = told["change"]
        assert (change["difference"], change["improvement"]) == (-15, 15)
        assert change["response"]["verdict"] is True and change["remission"]["verdict"] is True
        assert change["reliable"]["verdict"] == "improved"
        assert change["deterioration"]["verdict"] is False
        assert change["response"]["parameters"]["share_at_least"] == 0.5
        assert change["remission"]["parameters"]["value"] == 5
        assert change["reliable"]["parameters"]["points"] > 0
        _read_before_the_door_opens(story, nora, change)


def _read_before_the_door_opens(story: Story, nora: Caller, change: Any) -> None:
    between = done(nora.get(f"{story.chart}/between?since=last_session"))
    assert between["session"]["kind"] == "integration" and between["window"]["window_day"] == 7
    [walked] = between["practices"]
    assert (walked["steps"]["done"], walked["steps"]["detour"]) == (2, 1)
    assert [detour["return_days"] for detour in walked["detours"]] == [2]
    assert [one["text"] for one in between["moments"]] == ["I laughed instead."]
    assert [one["total"] for one in between["check_ins"]] == [3, 7]
    assert between["check_ins"][0]["change"] == change
    assert between["agreed"]["goals"][0]["title"] == "Say no kindly"


def _an_answer_holds_the_next_dose(story: Story) -> str:
    with story.day(8) as (nora, alma):
        second = story.book(nora, "dosing", 9)
        told = story.answer(alma, phq9(5, item_9=2))
        assert told["crisis"]["emergency"] and "scores" not in told
        assert story.why(nora)[0] == "alert_open"
        row = done(nora.get("/worklist"))
        reason = row["items"][0]["reasons"][0]
        assert (reason["priority"], reason["state"]) == ("immediate", "open")
        assert row["escalation"]["running"] is False
        story.alert = f"/alerts/{reason['alert_id']}"
    with story.day(9) as (nora, _):
        done(nora.post(f"{second}/arrive"))
        story.make_ready(nora, second)
        refused = done(nora.post(f"{second}/start"), 409)
        assert [reason["code"] for reason in refused["reasons"]] == ["alert_open"]
    return second


def _somebody_saw_to_it(story: Story, second: str) -> None:
    with story.day(9) as (nora, _):
        seen = done(nora.post(f"{story.alert}/acknowledge", {"note": "I am with her."}))
        assert seen["state"] == "acknowledged"
        done(nora.post(f"{second}/start"), 409)
        note = {"note": "We spoke.", "disposition": "safety_plan_made"}
        assert done(nora.post(f"{story.alert}/resolve", note))["state"] == "resolved"
        done(nora.post(f"{second}/start"))
        assert "alert_open" not in story.why(nora)
