"""What a patient agreed to: newer words replace older ones, and a no counts at once."""

from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.core import consents
from api.errors import Conflict, NotAllowed, NotFound


def agree(scene: Any, persona: str = "CT", kind: str = "research", **more: Any) -> db.Values:
    with db.transaction():
        values = {"kind": kind, "text_version": "1"} | more
        return consents.record_consent(scene[persona].actor, scene.patient["id"], values)


def withdraw(scene: Any, consent: db.Values, persona: str = "PS") -> db.Values:
    with db.transaction():
        return consents.withdraw_consent(scene[persona].actor, consent["id"])


def stands(scene: Any, kind: str = "research") -> bool:
    with db.transaction() as store:
        return consents.in_force(store, scene.clinic_id, scene.patient["id"], kind)


def test_a_consent_is_in_force_until_it_is_withdrawn_and_can_be_given_again(scene: Any) -> None:
    assert not stands(scene)
    given = agree(scene)
    assert stands(scene) and not stands(scene, "touch")
    withdraw(scene, given)
    assert not stands(scene)
    agree(scene)
    assert stands(scene)


def test_newer_words_supersede_the_older_and_one_no_ends_it(scene: Any) -> None:
    old, new = agree(scene), agree(scene, text_version="2")
    with db.transaction():
        states = [consents.read_consent(scene["CT"].actor, c["id"])["state"] for c in (old, new)]
    assert states == ["superseded", "in_force"]
    with pytest.raises(Conflict):
        withdraw(scene, old)
    withdraw(scene, new)
    assert not stands(scene)


def test_the_same_words_are_not_agreed_to_twice(scene: Any) -> None:
    agree(scene)
    with pytest.raises(Conflict):
        agree(scene)


def test_a_paper_signed_before_a_no_does_not_undo_it(scene: Any) -> None:
    withdraw(scene, agree(scene))
    yesterday = clock.now() - timedelta(days=1)
    with pytest.raises(Conflict):
        agree(scene, granted_at=yesterday)
    assert not stands(scene)


def test_an_old_paper_does_not_replace_newer_words(scene: Any) -> None:
    agree(scene, text_version="2")
    with pytest.raises(Conflict):
        agree(scene, text_version="1", granted_at=clock.now() - timedelta(days=400))


def test_only_patient_and_care_team_sign_and_withdraw(scene: Any) -> None:
    for persona, refusal in (
        ("CN", NotFound),
        ("PO", NotFound),
        ("XT", NotFound),
        ("CA", NotAllowed),
        ("PR", NotAllowed),
        ("AY", NotAllowed),
    ):
        with pytest.raises(refusal):
            agree(scene, persona)
    given = agree(scene, "PS")
    for persona, refusal in (("CN", NotFound), ("PO", NotFound), ("CA", NotAllowed)):
        with pytest.raises(refusal):
            withdraw(scene, given, persona)
    assert stands(scene)


def test_what_was_said_is_sealed(scene: Any) -> None:
    given = agree(scene, shown_as="Read aloud in the kitchen.")
    from sqlalchemy import text

    with db.transaction() as store:
        [raw] = [
            r[0]
            for r in store.execute(
                text(
                    "SELECT shown_as FROM consents WHERE shown_as LIKE 'v1.%' AND kind = 'research'"
                    " ORDER BY created_at DESC LIMIT 1"
                )
            )
        ]
        assert "kitchen" not in raw
        read = consents.read_consent(scene["PS"].actor, given["id"])
    assert read["shown_as"] == "Read aloud in the kitchen."


def test_what_stands_already_says_what_may_be_done_with_it(scene: Any) -> None:
    agree(scene)
    with pytest.raises(Conflict) as refused:
        agree(scene)
    assert refused.value.extras["state"] == "in_force"
    assert refused.value.extras["allowed"] == ["reaffirm", "withdraw"]
