"""The journal is the patient's own; the care team's replies are read where they were given."""

from typing import Any

import pytest
from sqlalchemy import select

from api import db
from api.core import accounts
from api.core.integration import journals, moments, replies, steps, tables
from api.errors import Invalid, NotAllowed, NotFound, Stale
from tests.builders import Scene
from tests.core.walking import (
    DAY,
    EVER,
    asked_of_the_database,
    goal,
    moment,
    practice,
    refused_at,
    step,
    today,
)


def page(scene: Scene, **more: Any) -> db.Values:
    """A page of the journal of the scene's patient."""
    values = {"text": "Light on the snow."} | more
    return journals.write_journal(scene["PS"].actor, scene.patient["id"], values)


def pages(scene: Scene, who: str, asked: db.Page | None = None) -> db.Listing:
    """The journal as somebody reads it."""
    actor, chart = scene[who].actor, scene.patient["id"]
    return journals.list_journal(actor, chart, asked or db.Page())


def test_a_page_is_the_patients_own_whatever_they_prefer_for_other_entries(scene: Scene) -> None:
    accounts.change_preferences(scene["PS"].actor, None, {"default_sharing": "care_team"})
    made = page(scene)
    assert (made["shared_with"], made["written_on"]) == ("me", today(scene))
    assert made["reading"]["by"] == "nobody" and made["mood"] is None
    assert pages(scene, "CT").items == [] and len(pages(scene, "PS").items) == 1
    with pytest.raises(NotFound):
        journals.read_journal(scene["CT"].actor, made["id"])


def test_a_shared_page_is_read_until_it_is_taken_back(scene: Scene) -> None:
    made = page(scene, shared_with="care_team", mood=7)
    assert journals.read_journal(scene["CT"].actor, made["id"])["mood"] == 7
    journals.change_journal(scene["PS"].actor, made["id"], 1, {"shared_with": "me"})
    with pytest.raises(NotFound):
        journals.read_journal(scene["CT"].actor, made["id"])
    changes = pages(scene, "CT", EVER)
    assert changes.items == [] and [t["id"] for t in changes.tombstones or []] == [made["id"]]


def test_nobody_else_writes_in_the_journal(scene: Scene) -> None:
    shared = page(scene, shared_with="care_team")
    actor = scene["CT"].actor
    for asking in (
        lambda: journals.write_journal(actor, scene.patient["id"], {"text": "Mine."}),
        lambda: journals.change_journal(actor, shared["id"], 1, {"text": "Mine."}),
        lambda: journals.remove_journal(actor, shared["id"], 1),
    ):
        with pytest.raises(NotAllowed):
            asking()
    with pytest.raises(Stale):
        journals.remove_journal(scene["PS"].actor, shared["id"], 2)
    journals.remove_journal(scene["PS"].actor, shared["id"], 1)
    assert pages(scene, "PS").items == []


def test_a_page_has_a_text_a_mood_or_both_and_a_day_that_has_come(scene: Scene) -> None:
    made = journals.write_journal(scene["PS"].actor, scene.patient["id"], {"mood": 0})
    assert (made["text"], made["mood"]) == (None, 0)
    for values in ({}, {"text": None}):
        with pytest.raises(Invalid):
            journals.write_journal(scene["PS"].actor, scene.patient["id"], values)
    with pytest.raises(Invalid):
        journals.change_journal(scene["PS"].actor, made["id"], 1, {"mood": None})
    with pytest.raises(Invalid) as refusal:
        page(scene, written_on=today(scene) + DAY)
    assert refused_at(refusal) == ["/written_on"]
    older = page(scene, written_on=today(scene) - 9 * DAY)
    listed = pages(scene, "PS").items
    assert [one["id"] for one in listed] == [made["id"], older["id"]]


def test_pages_and_replies_lie_sealed(scene: Scene) -> None:
    page(scene, text="Snowdrop under the lamp")
    under = step(scene, practice(scene, goal(scene)))
    replies.reply_to_step(scene["CT"].actor, under["id"], {"text": "Snowdrop under the lamp"})
    for table in (tables.journal, tables.replies):
        (raw,) = db.store().rows(select(table).where(table.c.clinic_id == scene.clinic_id))
        assert raw["text"] and "Snowdrop" not in str(raw)


def test_the_patient_reads_a_reply_where_it_was_given(scene: Scene) -> None:
    of = practice(scene, goal(scene))
    walked, other, noticed = step(scene, of), step(scene, of, 1), moment(scene)
    assert walked["replies"] == noticed["replies"] == []
    actor = scene["CT"].actor
    said = replies.reply_to_step(actor, walked["id"], {"text": "I was glad to read this."})
    also = replies.reply_to_moment(actor, noticed["id"], {"text": "So was I."})
    assert said["clinician"] == {"id": scene["CT"].user_id, "display_name": "Clinician Test"}
    for who in ("PS", "CT"):
        reader = scene[who].actor
        read = steps.read_step(reader, walked["id"])
        assert (read["replies"], read["version"]) == ([said], 2)
        assert moments.read_moment(reader, noticed["id"])["replies"] == [also]
        listed = steps.list_steps(reader, of["id"], db.Page()).items
        assert [one["replies"] for one in listed] == [[said], []]
    second = replies.reply_to_step(actor, walked["id"], {"text": "Again."})
    assert steps.read_step(scene["PS"].actor, walked["id"])["replies"] == [said, second]
    assert steps.read_step(scene["PS"].actor, other["id"])["replies"] == []


def test_replies_are_given_within_reach_and_never_to_what_is_private(scene: Scene) -> None:
    of = practice(scene, goal(scene))
    walked, noticed = step(scene, of), moment(scene)
    kept = step(scene, of, shared_with="me")
    for who in ("PS", "PO"):
        with pytest.raises(NotAllowed):
            replies.reply_to_step(scene[who].actor, walked["id"], {"text": "Mine."})
    for who in ("CN", "XT"):
        with pytest.raises(NotFound):
            replies.reply_to_moment(scene[who].actor, noticed["id"], {"text": "Mine."})
    with pytest.raises(NotFound):
        replies.reply_to_step(scene["CT"].actor, kept["id"], {"text": "Mine."})
    replies.reply_to_step(scene["CT"].actor, walked["id"], {"text": "Good."})
    private = {"shared_with": "me"}
    after = steps.change_step(scene["PS"].actor, walked["id"], None, private)
    assert [one["text"] for one in after["replies"]] == ["Good."]
    assert steps.list_steps(scene["CT"].actor, of["id"], db.Page()).items == []


def test_a_long_list_with_replies_costs_no_more_questions(scene: Scene) -> None:
    of = practice(scene, goal(scene))

    def asking() -> Any:
        return steps.list_steps(scene["CT"].actor, of["id"], db.Page(100))

    def add() -> None:
        made = step(scene, of)
        replies.reply_to_step(scene["CT"].actor, made["id"], {"text": "Good."})

    add()
    few = asked_of_the_database(asking)
    for _ in range(4):
        add()
    assert asked_of_the_database(asking) == few <= 6
    assert {len(one["replies"]) for one in asking().items} == {1}


def test_whose_words_a_moment_is_told_in_is_kept(scene: Scene) -> None:
    assert moment(scene)["in_words_of"] == "patient"
    told = moment(scene, "CT", in_words_of="companion", noticed_by="companion")
    assert (told["in_words_of"], told["created_by"]) == ("companion", "clinician")
    assert moment(scene, "CT")["in_words_of"] == "clinician"
