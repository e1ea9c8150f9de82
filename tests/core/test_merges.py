"""Merging: everything of one chart hangs on the other, and returns when they are divided again."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import UniqueConstraint, func, select

from api import clock, db
from api.access.policies import Role
from api.access.users import users
from api.core import (
    accounts,
    care_team,
    changes,
    consents,
    history,
    holds,
    invitations,
    merges,
)
from api.core.integration import goals, insights, journals, moments, replies, steps
from api.core.integration.tables import goal_ratings, journal
from api.core.merges import charts, moving
from api.core.merges.table import patient_merge_moves
from api.core.outcomes.checkins import add_check_in, check_ins
from api.core.patients import change_patient, list_patients, patients, read_patient
from api.errors import Conflict, Invalid, NotFound, NotSignedIn, Refusal
from api.paging import Page
from tests import builders
from tests.builders import Scene
from tests.core import noting
from tests.racing import at_once

WHY = {"reason": "Admitted twice."}
ANSWERED = {"instrument": "gad-7", "answers": {f"gad7-{n}": 1 for n in range(1, 8)}}
ANSWERED |= {"source": "import"}


@pytest.fixture
def twice(scene: Scene) -> db.Values:
    """A second chart of the patient, on the other clinician's list, without a sign-in."""
    with db.transaction():
        named = {"legal_given": "Alma", "legal_family": "Twice"}
        made = builders.make_patient(scene.clinic_id, **named)
        builders.join_team(made, scene["CN"])
        numbers = {"external_ids": [{"system": "urn:mrn", "value": "7"}]}
        change_patient(scene["CA"].actor, made["id"], None, numbers)
        return made


def merge(scene: Scene, twice: db.Values) -> db.Values:
    with db.transaction():
        into = WHY | {"into": scene.patient["id"]}
        return merges.merge_patient(scene["CA"].actor, twice["id"], into)


def unmerge(scene: Scene, twice: db.Values) -> db.Values:
    with db.transaction():
        return merges.unmerge_patient(scene["CA"].actor, twice["id"], WHY)


def refused(kind: type[Refusal], call: Any) -> Refusal:
    with pytest.raises(kind) as told, db.transaction():
        call()
    return told.value


def filled(scene: Scene, chart: db.Values) -> dict[str, db.Values]:
    """A record of many kinds in a chart."""
    with db.transaction():
        by = {"author_id": scene["CN"].user_id, "author_kind": "clinician"}
        goal = builders.make_goal(chart, **by)
        practice = builders.make_practice(goal, **by)
        session = builders.make_session(chart, scene["CN"])
        return {
            "goals": goal,
            "practices": practice,
            "steps": builders.make_step(practice, **by),
            "sessions": session,
        }


def owners(clinic_id: Any) -> dict[str, dict[Any, int]]:
    """How many rows of every table hang on which patient."""
    found: dict[str, dict[Any, int]] = {}
    for table in moving.movable():
        c = table.c.patient_id
        counted = select(c, func.count()).where(table.c.clinic_id == clinic_id).group_by(c)
        found[table.name] = {row[0]: row[1] for row in db.store().execute(counted)}
    db.leave_store()
    return found


def test_everything_goes_along_and_returns(scene: Scene, twice: db.Values) -> None:
    made = filled(scene, twice)
    filled(scene, scene.patient)
    before = owners(scene.clinic_id)
    told = merge(scene, twice)
    assert (told["state"], told["merged"]["id"], told["patient"]["id"]) == (
        "merged",
        twice["id"],
        scene.patient["id"],
    )
    assert told["moved"]["goals"] == told["moved"]["steps"] == told["moved"]["sessions"] == 1
    merged = owners(scene.clinic_id)
    assert [name for name, rows in merged.items() if twice["id"] in rows] == []
    with db.transaction():
        assert goals.read_goal(scene["CT"].actor, made["goals"]["id"])["version"] == 2
        assert steps.read_step(scene["CN"].actor, made["steps"]["id"])["id"]
    assert unmerge(scene, twice)["state"] == "unmerged"
    assert owners(scene.clinic_id) == before
    refused(NotFound, lambda: goals.read_goal(scene["CT"].actor, made["goals"]["id"]))


def test_the_merged_chart_is_gone_and_found_again(scene: Scene, twice: db.Values) -> None:
    ca, number = scene["CA"].actor, "urn:mrn|7"
    merge(scene, twice)
    refused(NotFound, lambda: read_patient(ca, twice["id"]))
    with db.transaction():
        assert list_patients(ca, Page(), q="Twice").items == []
        [found] = list_patients(ca, Page(), external_id=number).items
        assert found["id"] == scene.patient["id"]
        assert {"system": "urn:mrn", "value": "7"} in found["external_ids"]
        since = clock.now() - timedelta(minutes=1)
        left = list_patients(ca, Page(since=since)).tombstones
        assert left is not None and twice["id"] in {row["id"] for row in left}
    unmerge(scene, twice)
    with db.transaction():
        assert [row["id"] for row in list_patients(ca, Page(), q="Twice").items] == [twice["id"]]
        assert [r["id"] for r in list_patients(ca, Page(), external_id=number).items] == [
            twice["id"]
        ]
        assert read_patient(ca, scene.patient["id"])["external_ids"] == (
            scene.patient["external_ids"] or []
        )


def test_what_was_made_under_it_since_returns_too_and_nothing_else(
    scene: Scene, twice: db.Values
) -> None:
    made = filled(scene, twice)
    merge(scene, twice)
    with db.transaction():
        under = steps.log_step(scene["CT"].actor, made["practices"]["id"], {"kind": "done"})
        beside = moments.notice_moment(scene["CT"].actor, scene.patient["id"], {"text": "Later."})
    unmerge(scene, twice)
    with db.transaction():
        assert steps.read_step(scene["CN"].actor, under["id"])["id"] == under["id"]
        assert moments.read_moment(scene["CT"].actor, beside["id"])["id"] == beside["id"]
    refused(NotFound, lambda: steps.read_step(scene["CT"].actor, under["id"]))


def test_history_and_access_log_tell_of_both(scene: Scene, twice: db.Values, call: Any) -> None:
    made = filled(scene, twice)
    with db.transaction():
        goals.change_goal(scene["CN"].actor, made["goals"]["id"], None, {"title": "Other"})
    assert call("CN").get(f"/patients/{twice['id']}").status_code == 200
    merge(scene, twice)
    with db.transaction():
        told = history.list_goal_history(scene["CT"].actor, made["goals"]["id"], Page()).items
        assert [one["version"] for one in told] == [3, 2, 1]
    log = call("PS").get(f"/patients/{scene.patient['id']}/access-log").json["items"]
    assert str(scene["CN"].user_id) in {row["who"]["id"] for row in log if row["who"]}


def test_who_is_on_both_teams_is_on_one(scene: Scene, twice: db.Values) -> None:
    with db.transaction():
        builders.join_team(twice, scene["CT"])
    merge(scene, twice)
    with db.transaction():
        team = care_team.list_care_team(scene["CA"].actor, scene.patient["id"], Page()).items
    who = [member["clinician"]["id"] for member in team]
    assert sorted(who, key=str) == sorted({scene["CT"].user_id, scene["CN"].user_id}, key=str)


def test_an_answer_imported_into_both_is_kept_twice(scene: Scene, twice: db.Values) -> None:
    with db.transaction():
        ours, theirs = (
            add_check_in(scene.clinic_id, chart["id"], ANSWERED | {"import_system": "urn:old"})
            for chart in (scene.patient, twice)
        )
    merge(scene, twice)
    assert imported(ours["id"]) == "urn:old" and imported(theirs["id"]) is None
    unmerge(scene, twice)
    assert imported(theirs["id"]) == "urn:old"


def imported(check_in_id: Any) -> Any:
    with db.transaction() as store:
        c = check_ins.c
        return store.execute(select(c.import_system).where(c.id == check_in_id)).scalar()


def test_while_both_can_sign_in_they_are_two(scene: Scene, twice: db.Values) -> None:
    with db.transaction():
        second = builders.make_person(scene.clinic_id, Role.PATIENT, patient_id=twice["id"])
    assert refused(Conflict, lambda: merge(scene, twice)).extras["missing"] == ["one_sign_in"]
    disable(scene["PS"].user_id)
    assert refused(Conflict, lambda: merge(scene, twice)).extras["missing"] == ["one_sign_in"]
    disable(second.user_id)
    assert merge(scene, twice)["state"] == "merged"


def disable(user_id: Any) -> None:
    with db.transaction() as store:
        mine = users.update().where(users.c.id == user_id)
        store.execute(mine.values(disabled_at=clock.now()))


def test_who_is_invited_to_a_chart_comes_in_or_is_taken_back_before_it_goes(
    scene: Scene, twice: db.Values
) -> None:
    """Accepted later, the invitation would have made a sign-in to a chart that is not there."""
    ca = scene["CA"].actor
    asked = {"email": f"{db.new_id()}@test.example", "role": "patient", "display_name": "Alma"}
    with db.transaction():
        invited = invitations.invite(ca, asked | {"patient_id": twice["id"]})
    told = refused(Conflict, lambda: merge(scene, twice))
    assert told.extras["missing"] == ["no_open_invitation"]
    with db.transaction():
        invitations.withdraw_invitation(ca, invited["id"], None)
    assert merge(scene, twice)["state"] == "merged"


def test_a_sign_in_goes_along(scene: Scene, twice: db.Values) -> None:
    """Alma signs in to the chart that went, and reads the one that stayed."""
    with db.transaction():
        other = builders.make_patient(scene.clinic_id)
    into = WHY | {"into": other["id"]}
    with db.transaction():
        merges.merge_patient(scene["CA"].actor, scene.patient["id"], into)
    with db.transaction():
        actor = builders.Person(
            scene["PS"].user_id, scene.clinic_id, scene["PS"].sign_in_id, scene["PS"].email
        ).actor
        assert read_patient(actor, other["id"])["id"] == other["id"]


def agree(scene: Scene, chart: db.Values, days_ago: int, kind: str = "research") -> db.Values:
    """A consent that was given so many days ago."""
    said = {"kind": kind, "text_version": "1"}
    said |= {"granted_at": clock.now() - timedelta(days=days_ago)}
    with db.transaction():
        by = scene["CN" if chart is not scene.patient else "CT"].actor
        return consents.record_consent(by, chart["id"], said)


def stands(chart: db.Values, kind: str = "research") -> bool:
    with db.transaction() as store:
        store.stand_in(chart["clinic_id"])
        return consents.in_force(store, chart["clinic_id"], chart["id"], kind)


def state_of(scene: Scene, consent: db.Values) -> str:
    with db.transaction():
        return str(consents.read_consent(scene["CT"].actor, consent["id"])["state"])


def withdraw(scene: Scene, consent: db.Values) -> None:
    with db.transaction():
        consents.withdraw_consent(scene["CT"].actor, consent["id"])


def test_a_no_in_one_chart_is_not_undone_by_an_older_yes_in_the_other(
    scene: Scene, twice: db.Values
) -> None:
    older = agree(scene, twice, 30)
    withdraw(scene, agree(scene, scene.patient, 20))
    merge(scene, twice)
    assert not stands(scene.patient) and state_of(scene, older) == "superseded"
    unmerge(scene, twice)
    assert stands(twice) and not stands(scene.patient)


def test_of_two_consents_one_stands_and_one_no_ends_it(scene: Scene, twice: db.Values) -> None:
    ours, theirs = agree(scene, scene.patient, 20), agree(scene, twice, 10)
    other = agree(scene, twice, 10, "touch")
    merge(scene, twice)
    assert [state_of(scene, one) for one in (ours, theirs)] == ["superseded", "in_force"]
    assert state_of(scene, other) == "in_force"
    withdraw(scene, theirs)
    assert not stands(scene.patient)
    unmerge(scene, twice)
    assert stands(scene.patient) and not stands(twice)
    assert stands(twice, "touch") and not stands(scene.patient, "touch")


def test_what_nobody_else_may_count_is_not_counted(scene: Scene) -> None:
    """What the patient kept to themself, psychotherapy notes, holds and emergencies."""
    private = {"shared_with": "me", "text": "Mine."}
    chart, ps = scene.patient["id"], scene["PS"].actor
    with db.transaction():
        noting.note(scene, kind="psychotherapy")
        holds.place_hold(scene["PR"].actor, chart, {"reason": "A claim."})
        goal = builders.make_goal(scene.patient, shared_with="me")
        moment = moments.notice_moment(ps, chart, {"text": "Shared for a while."})
    with db.transaction():
        replies.reply_to_moment(scene["CT"].actor, moment["id"], {"text": "Good."})
        keys = {"clinic_id": scene.clinic_id, "patient_id": chart, "goal_id": goal["id"]}
        rated = {"level": 1, "rated_on": clock.today("UTC"), "rated_by": scene["PS"].user_id}
        db.store().add(goal_ratings, keys | rated)
        moments.change_moment(ps, moment["id"], None, {"shared_with": "me"})
        insights.note_insight(ps, chart, {"text": "Shared."})
        journals.write_journal(ps, chart, private)
        other = builders.make_patient(scene.clinic_id)
    with db.transaction():
        into = WHY | {"into": other["id"]}
        told = merges.merge_patient(scene["CA"].actor, chart, into)
    assert told["moved"] == {"care_team": 1, "insights": 1, "users": 1}
    with db.transaction():
        mine = select(journal.c.id).where(journal.c.patient_id == other["id"])
        assert db.store().row(mine) is not None


def test_a_hold_placed_since_holds_both_charts_when_they_are_divided(
    scene: Scene, twice: db.Values
) -> None:
    made = filled(scene, twice)
    with db.transaction():
        holds.place_hold(scene["PR"].actor, scene.patient["id"], {"reason": "Before."})
    merge(scene, twice)
    with db.transaction():
        holds.place_hold(scene["PR"].actor, scene.patient["id"], {"reason": "Since."})
    unmerge(scene, twice)
    told = refused(Conflict, lambda: steps.remove_step(scene["CN"].actor, made["steps"]["id"], 3))
    assert told.extras["missing"] == ["no_legal_hold"]
    with db.transaction():
        of = (holds.list_holds(scene["PR"].actor, c["id"], Page()) for c in (scene.patient, twice))
        reasons = [[one["reason"] for one in listing.items] for listing in of]
    assert reasons == [["Since.", "Before."], ["Since."]]


def test_who_had_the_merged_chart_is_told_that_it_is_gone(scene: Scene, twice: db.Values) -> None:
    filled(scene, twice)
    with db.transaction():
        before = changes.list_changes(scene["CN"].actor, None, 100)
    merge(scene, twice)
    with db.transaction():
        cn = scene["CN"].actor
        told = changes.list_changes(cn, before["after"], 100)["items"]
        since = clock.now() - timedelta(minutes=1)
        left = list_patients(cn, Page(since=since)).tombstones
    gone = [one["id"] for one in told if one["kind"] == "patient" and one["deleted_at"]]
    assert gone == [twice["id"]]
    assert left is not None and [row["id"] for row in left] == [twice["id"]]


def test_with_whom_a_patient_shares_by_default_goes_along_with_the_sign_in(scene: Scene) -> None:
    ca, ps, chart = scene["CA"].actor, scene["PS"].actor, scene.patient["id"]
    with db.transaction():
        accounts.change_preferences(ps, None, {"default_sharing": "me"})
        other = builders.make_patient(scene.clinic_id)
    with db.transaction():
        merges.merge_patient(ca, chart, WHY | {"into": other["id"]})
    with db.transaction():
        signed_in = scene["PS"].actor
        noted = insights.note_insight(signed_in, other["id"], {"text": "Mine."})
        assert noted["shared_with"] == "me"
    with db.transaction():
        accounts.change_preferences(scene["PS"].actor, None, {"default_sharing": "research"})
    with db.transaction():
        merges.unmerge_patient(ca, chart, WHY)
    with db.transaction():
        noted = insights.note_insight(scene["PS"].actor, chart, {"text": "Again."})
        assert noted["shared_with"] == "research"


def test_what_makes_no_sense_is_refused(scene: Scene, twice: db.Values) -> None:
    ca, chart = scene["CA"].actor, twice["id"]
    with db.transaction():
        elsewhere = builders.make_patient(scene["XT"].clinic_id)["id"]
    for into in (chart, elsewhere, db.new_id()):
        refused(Invalid, lambda into=into: merges.merge_patient(ca, chart, WHY | {"into": into}))
    refused(NotFound, lambda: merges.unmerge_patient(ca, chart, WHY))
    refused(NotFound, lambda: merges.merge_patient(ca, elsewhere, WHY | {"into": chart}))
    merge(scene, twice)
    refused(NotFound, lambda: merge(scene, twice))
    into = WHY | {"into": chart}
    refused(Invalid, lambda: merges.merge_patient(ca, scene.other_patient["id"], into))
    with db.transaction():
        builders.let_sign_in_age(scene["CA"])
    refused(NotSignedIn, lambda: unmerge(scene, twice))
    with db.transaction():
        assert len(merges.list_patient_merges(scene["PR"].actor, Page()).items) == 1


def test_the_access_log_tells_of_a_whole_chain(scene: Scene, twice: db.Values, call: Any) -> None:
    assert call("CN").get(f"/patients/{twice['id']}").status_code == 200
    merge(scene, twice)
    with db.transaction():
        last = builders.make_patient(scene.clinic_id)["id"]
    with db.transaction():
        merges.merge_patient(scene["CA"].actor, scene.patient["id"], WHY | {"into": last})
    log = call("PS").get(f"/patients/{last}/access-log").json["items"]
    assert str(scene["CN"].user_id) in {row["who"]["id"] for row in log if row["who"]}


def test_a_chain_is_divided_from_its_end(scene: Scene, twice: db.Values) -> None:
    made = filled(scene, twice)
    merge(scene, twice)
    with db.transaction():
        into = WHY | {"into": builders.make_patient(scene.clinic_id)["id"]}
        merges.merge_patient(scene["CA"].actor, scene.patient["id"], into)
    refused(Conflict, lambda: unmerge(scene, twice))
    with db.transaction():
        merges.unmerge_patient(scene["CA"].actor, scene.patient["id"], WHY)
    unmerge(scene, twice)
    with db.transaction():
        read = goals.read_goal(scene["CN"].actor, made["goals"]["id"])
    assert read["id"] == made["goals"]["id"]


def test_of_two_merges_at_once_one_is(app: Any, scene: Scene, twice: db.Values) -> None:
    into = [WHY | {"into": scene.patient["id"]}, WHY | {"into": scene.other_patient["id"]}]
    ca = scene["CA"].actor
    answers = at_once(
        app, [lambda one=one: merges.merge_patient(ca, twice["id"], one) for one in into]
    )
    assert sorted(isinstance(answer, Refusal) for answer in answers) == [False, True]


def test_what_was_being_written_meanwhile_is_brought_after_it(
    scene: Scene, twice: db.Values
) -> None:
    merge(scene, twice)
    with db.transaction():
        by = {"author_id": scene["CN"].user_id, "author_kind": "clinician"}
        late = builders.make_goal(twice, **by)
    with db.transaction():
        assert charts.follow_late() is True
    with db.transaction():
        assert charts.follow_late() is False
        assert goals.read_goal(scene["CT"].actor, late["id"])["id"] == late["id"]
        m = patient_merge_moves.c
        noted = select(m.kind).where(m.record_id == late["id"])
        assert db.store().execute(noted).scalar() == "goals"


def test_every_table_of_a_patient_goes_stays_or_follows() -> None:
    """A new table goes along by itself; what stays is named, and there is nothing else."""
    there = {t.name for t in db.metadata.sorted_tables if "patient_id" in t.c}
    named = moving.STAYS | set(moving.BY_RECORD)
    assert named <= there and {t.name for t in moving.movable()} == there - named
    assert patients.name not in there


def test_what_a_chart_has_once_is_known() -> None:
    """A new rule of "one a patient" must say what becomes of the second at a merge."""
    known = {"check_ins", "erasure_requests", "list_confirmations", "users"}
    once = set()
    for table in moving.movable():
        rules = [i.columns.keys() for i in table.indexes if i.unique]
        rules += [c.columns.keys() for c in table.constraints if isinstance(c, UniqueConstraint)]
        rules += [] if "id" in table.c else [table.primary_key.columns.keys()]
        once |= {table.name for names in rules if "patient_id" in names}
    assert once == known | {"client_patients"}
