"""Today: one small step and seldom a question, reckoned from the patient's own day and entries."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine

from api import clock, db
from api.core import accounts, today as days
from api.core.integration import practices
from api.core.patients import patients
from api.core.words import words_for
from api.errors import NotAllowed
from tests import builders
from tests.builders import Scene
from tests.core import planning
from tests.core.walking import DAY, asked_of_the_database, dose, goal, moment, practice, step, today

MOST_QUERIES = 20
ASKED = "Now that your brain is more open to change, what do you want to practise?"
BESIDE = "How long this lasts for you is not known."
DIFFERENTLY = "Was there a moment you handled differently, perhaps without trying?"
SILENT = "It has been quiet here. A rest, a hard time, or does it walk by itself now?"
FORBIDDEN = (
    *("late", "missed", "overdue", "deterioration", "no_show", "weight", "percent", "streak"),
    *("until", "countdown", "closes_on", "left", "ends_on"),
)


def read(scene: Scene, who: str = "PS") -> db.Values:
    return days.read_today(scene[who].actor)


def question(scene: Scene) -> str | None:
    asked = read(scene)["question"]
    return None if asked is None else str(asked["key"])


@contextmanager
def in_days(number: int) -> Iterator[None]:
    """So many days from now."""
    with time_machine.travel(clock.now() + number * DAY, tick=False):
        yield


def course(scene: Scene, number: int) -> list[str | None]:
    """The question of each of the next days."""
    asked = []
    for day in range(number):
        at = clock.now() + day * DAY
        with time_machine.travel(at, tick=False):
            where = builders.sign_ins.c.user_id == scene["PS"].user_id
            later = {"ends_at": at + DAY, "auth_time": at}
            db.store().execute(builders.sign_ins.update().where(where).values(**later))
            asked.append(question(scene))
    return asked


def test_on_the_day_of_a_dose_nothing_is_asked_and_the_protocol_speaks(scene: Scene) -> None:
    step(scene, practice(scene, goal(scene)), 20)
    planning.plan(scene, rule="once", n=0)
    dose(scene)
    found = read(scene)
    assert found["window"] == {"phase": "rest", "words": "Nothing is asked of you today. Rest."}
    assert found["after"] and "Nothing is asked of you today" in found["after"][0]
    assert (found["question"], found["next_step"], found["due"], found["quote"]) == (
        *(None, None, [], None),
    )
    assert found["crisis"]["emergency"]


def test_in_the_window_without_a_practice_it_asks_what_to_practise(scene: Scene) -> None:
    dose(scene, 2)
    asked = read(scene)["question"]
    assert (asked["text"], asked["beside"], asked["answer_with"]) == (ASKED, BESIDE, "goal")
    practice(scene, goal(scene))
    assert question(scene) != "what_to_practise"


def test_outside_the_window_it_does_not_ask_what_to_practise(scene: Scene) -> None:
    dose(scene, 8)
    assert "what_to_practise" not in course(scene, 12)


def test_it_asks_for_a_moment_about_once_in_ten_days_and_never_more(scene: Scene) -> None:
    asked = [day for day, key in enumerate(course(scene, 60)) if key == "handled_differently"]
    gaps = {later - day for day, later in zip(asked, asked[1:], strict=False)}
    assert len(asked) == 6 and gaps == {10}


def test_reading_again_changes_nothing_and_an_answer_ends_the_question(scene: Scene) -> None:
    first = course(scene, 10).index("handled_differently")
    with in_days(first):
        assert read(scene)["question"] == read(scene)["question"]
        assert read(scene)["question"]["text"] == DIFFERENTLY
        moment(scene)
        assert question(scene) is None


def silent(scene: Scene, ago: int) -> db.Values:
    walked = practice(scene, goal(scene))
    where = practices.practices.c.id == walked["id"]
    times = dict.fromkeys(("created_at", "updated_at"), clock.now() - (ago + 5) * DAY)
    db.store().execute(practices.practices.update().where(where).values(**times))
    for day in range(3):
        step(scene, walked, ago + day)
    return walked


def test_a_practice_silent_past_its_grace_is_asked_about_once(scene: Scene) -> None:
    walked = silent(scene, 3)
    asked = course(scene, 15)
    assert [day for day, key in enumerate(asked) if key == "quiet"] == list(range(1, 8))
    with in_days(1):
        found = read(scene)
        assert found["question"]["text"] == SILENT
        statuses = [answer["status"] for answer in found["question"]["answers"]]
        assert statuses == ["paused", "active", "familiar"]
        assert found["question"]["practice"]["id"] == walked["id"]
        practices.change_practice(scene["PS"].actor, walked["id"], None, {"status": "active"})
        assert question(scene) != "quiet"


@pytest.mark.parametrize("kind", ["done", "detour", "skipped"])
def test_whatever_is_written_down_ends_a_silence(scene: Scene, kind: str) -> None:
    walked = silent(scene, 5)
    assert question(scene) == "quiet"
    step(scene, walked, kind=kind)
    assert question(scene) != "quiet"


@pytest.mark.parametrize("status", ["paused", "familiar", "released"])
def test_a_practice_that_rests_is_left_alone(scene: Scene, status: str) -> None:
    walked = silent(scene, 5)
    practices.change_practice(scene["PS"].actor, walked["id"], None, {"status": status})
    assert question(scene) != "quiet" and read(scene)["next_step"] is None


def test_silence_shows_no_lower_stage(scene: Scene) -> None:
    walked = practice(scene, goal(scene))
    for ago in range(60, 76):
        step(scene, walked, ago)
    assert practices.read_trail(scene["PS"].actor, walked["id"])["stage"] != "path"
    assert read(scene)["next_step"]["stage"] == "path"


def test_the_next_step_is_the_one_whose_turn_it_is(scene: Scene) -> None:
    aim = goal(scene)
    daily = practice(scene, aim, new_trail="Breathe", smallest_step="One breath")
    cued = practice(scene, aim, new_trail="Say no", interval_days=None)
    assert read(scene)["next_step"]["practice"]["id"] == daily["id"]
    step(scene, daily, 1)
    step(scene, cued, 5)
    assert read(scene)["next_step"]["smallest_step"] == "One breath"
    step(scene, daily)
    assert read(scene)["next_step"]["practice"] == {"id": cued["id"], "title": "Say no"}
    step(scene, cued)
    assert read(scene)["next_step"] is None


def test_what_can_be_answered_is_there_and_what_cannot_be_shown_is_not(scene: Scene) -> None:
    made = planning.plan(scene, rule="once", n=0)
    planning.plan(scene, rule="once", n=0, instrument="isi")
    [due] = read(scene)["due"]
    assert (due["plan_id"], due["instrument"], due["due_on"]) == (made["id"], "gad-7", today(scene))
    planning.answer(scene)
    assert read(scene)["due"] == []


def test_on_a_quiet_day_a_moment_of_theirs_may_be_quoted(scene: Scene) -> None:
    old = [
        moment(scene, text=f"Moment {n}", noticed_at=clock.now() - 20 * DAY, shared_with="me")
        for n in range(3)
    ]
    moment(scene, "CT", text="Not theirs", noticed_at=clock.now() - 20 * DAY)
    quotes = []
    for day in range(10):
        with in_days(day) if day == 0 else time_machine.travel(clock.now() + day * DAY, tick=False):
            where = builders.sign_ins.c.user_id == scene["PS"].user_id
            later = {"ends_at": clock.now() + DAY}
            db.store().execute(builders.sign_ins.update().where(where).values(**later))
            quotes.append(read(scene)["quote"])
    told = {quote["moment_id"] for quote in quotes if quote}
    assert told == {one["id"] for one in old} and quotes.count(None) == 1, "a day for a question"
    accounts.change_preferences(scene["PS"].actor, None, {"quote_my_moments": False})
    assert read(scene)["quote"] is None


def test_the_next_visit_is_told_as_its_patient_may_see_it(scene: Scene) -> None:
    assert read(scene)["next_visit"] is None
    builders.make_session(
        scene.patient,
        scene["CT"],
        starts_at=clock.now() + 9 * DAY,
        ends_at=clock.now() + 9 * DAY + timedelta(hours=1),
    )
    soon = builders.make_session(scene.patient, scene["CT"])
    found = read(scene)["next_visit"]
    assert found["id"] == soon["id"] and "reason" not in found


def test_after_discharge_today_stays_and_asks_for_no_check_in(scene: Scene) -> None:
    planning.plan(scene, rule="once", n=0)
    practice(scene, goal(scene))
    where = patients.c.id == scene.patient["id"]
    db.store().execute(patients.update().where(where).values(status="discharged"))
    found = read(scene)
    assert found["due"] == [] and found["next_step"] and found["crisis"]


def test_it_is_the_patients_alone(scene: Scene) -> None:
    for who in ("CT", "CA", "AY"):
        with pytest.raises(NotAllowed):
            read(scene, who)


def test_a_day_takes_a_bounded_number_of_queries(scene: Scene) -> None:
    def full(number: int) -> int:
        aim = goal(scene)
        for _each in range(number):
            step(scene, practice(scene, aim), 1)
            moment(scene, noticed_at=clock.now() - 20 * DAY)
            builders.make_session(scene.patient, scene["CT"])
        return asked_of_the_database(lambda: read(scene))

    dose(scene, 3)
    planning.plan(scene, rule="after_dose", n=2)
    assert full(1) == full(6) <= MOST_QUERIES


def test_no_word_of_the_day_counts_down_or_blames() -> None:
    texts = words_for("en-US")
    said = str(texts["today"]) + str(texts["window"])
    for word in FORBIDDEN:
        assert not re.search(rf"(?<![a-z]){word}(?![a-z])", said, re.IGNORECASE), word
