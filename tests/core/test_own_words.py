"""Words are their author's: what a clinician wrote of a patient is not the patient's to rewrite."""

from typing import Any

import pytest

from api import db
from api.core.integration import insights, moments
from api.errors import NotAllowed
from tests.builders import Scene

KINDS = [
    (insights.note_insight, insights.change_insight, insights.remove_insight),
    (moments.notice_moment, moments.change_moment, moments.remove_moment),
]


@pytest.mark.parametrize(("write", "change", "remove"), KINDS)
def test_a_clinicians_text_is_neither_changed_nor_removed_by_the_patient(
    scene: Scene, write: Any, change: Any, remove: Any
) -> None:
    made = write(scene["CT"].actor, scene.patient["id"], {"text": "She said no, kindly."})
    with pytest.raises(NotAllowed):
        change(scene["PS"].actor, made["id"], 1, {"text": "I did not."})
    with pytest.raises(NotAllowed):
        remove(scene["PS"].actor, made["id"], 1)
    shared = change(scene["PS"].actor, made["id"], 1, {"shared_with": "research"})
    assert (shared["text"], shared["shared_with"]) == ("She said no, kindly.", "research")
    remove(scene["CT"].actor, made["id"], shared["version"])
    db.store().rollback()
