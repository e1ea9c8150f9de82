"""Purges: who may, when, what stops one, and what is left when one is done."""

from dataclasses import replace as config_of
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api import clock, config, db
from api.access.policies import Role
from api.access.users import accounts, find_account, sign_ins, users
from api.audit.trail import audit_event_patients, audit_events
from api.core import changes, clinic, holds, mail, merges, purges
from api.core.chart_keys import chart_keys
from api.core.integration import insights
from api.core.patients import list_patients, patients, read_patient
from api.core.purges import proposing, removing, working
from api.core.treatment import notes
from api.db import feed
from api.errors import Conflict, NotAllowed, NotFound, NotSignedIn, Refusal
from api.outbox.events import outbox_events
from api.paging import Page
from tests import builders
from tests.builders import Scene
from tests.core import noting, planning
from tests.core.purging import (
    FAR_LATER,
    WHY,
    agreed,
    approve,
    as_it_is,
    follow,
    held_of,
    let_sign_ins_stand,
    officer,
    propose,
    work,
    years_later,
)
from tests.racing import at_once


def refused(kind: type[Refusal], call: Any) -> Refusal:
    with pytest.raises(kind) as told, db.transaction():
        call()
    return told.value


def missing(call: Any) -> list[str]:
    told: list[str] = refused(Conflict, call).extras["missing"]
    return told


def withdraw(scene: Scene, by: Any, row: db.Values) -> db.Values:
    with db.transaction():
        return purges.withdraw_chart_purge(by.actor, row["id"])


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The letters that go meanwhile."""
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(mail, "send", lambda to, kind: sent.append((to, kind)))
    return sent


def test_two_people_and_the_worker_remove_a_chart(
    scene: Scene, letters: list[tuple[str, str]]
) -> None:
    with years_later():
        first, second = officer(scene), officer(scene, Role.ADMINISTRATOR)
        row = propose(first, scene.patient["id"])
        assert (row["state"], row["allowed"]) == ("proposed", ["withdraw"])
        with db.transaction():
            seen = purges.read_chart_purge(second.actor, row["id"])
        assert seen["allowed"] == ["approve", "withdraw"]
        assert seen["patient"]["display_name"] == "Ada Example" and seen["reason"] == WHY["reason"]
        told = approve(second, row)
        assert (told["state"], told["approved_by"]["id"]) == ("approved", second.user_id)
        assert work(scene) > 1 and work(scene) == 0
        with db.transaction():
            [done] = purges.list_chart_purges(first.actor, Page(), state="done").items
    assert done["id"] == row["id"] and done["allowed"] == []
    assert done["patient"] == {"id": scene.patient["id"], "display_name": None}
    assert done["reason"] is None and done["merged_ids"] == [] and done["removed"] == {}
    assert done["proposed_by"]["id"] == first.user_id and done["ended_at"] is not None
    assert done["last_seen_on"] == row["last_seen_on"]
    officers = {first.email, scene["PR"].email}
    assert set(letters) == {
        (scene["PR"].email, "chart_purge_proposed"),
        *((email, "chart_purge_approved") for email in officers),
        *((email, "chart_purge_ended") for email in officers),
    }


def test_before_its_time_nothing_is_proposed(scene: Scene) -> None:
    chart, pr = scene.patient["id"], scene["PR"]
    assert missing(lambda: propose(pr, chart)) == ["retention_over"]
    with years_later():
        second = officer(scene)
        row = propose(officer(scene), chart)
        with db.transaction():
            by = officer(scene, Role.ADMINISTRATOR)
            clinic.change_clinic(by.actor, None, {"retention_years": 30})
        assert missing(lambda: approve(second, row)) == ["retention_over"]


def test_who_proposes_does_not_agree(scene: Scene) -> None:
    with years_later():
        first = officer(scene)
        row = propose(first, scene.patient["id"])
        refused(NotAllowed, lambda: approve(first, row))
        assert as_it_is(row)["state"] == "proposed" and work(scene) == 0


def test_each_takes_a_fresh_sign_in_but_to_take_it_back(scene: Scene) -> None:
    with years_later():
        first, second = officer(scene), officer(scene)
        with db.transaction():
            builders.let_sign_in_age(first)
        refused(NotSignedIn, lambda: propose(first, scene.patient["id"]))
        row = propose(second, scene.patient["id"])
        refused(NotSignedIn, lambda: approve(first, row))
        assert withdraw(scene, first, row)["state"] == "withdrawn"


def test_one_stands_at_a_time_and_is_taken_back_by_either(scene: Scene) -> None:
    chart = scene.patient["id"]
    with years_later():
        first, second = officer(scene), officer(scene)
        row = propose(first, chart)
        told = refused(Conflict, lambda: propose(second, chart))
        assert told.extras["state"] == "proposed"
        assert withdraw(scene, first, row)["withdrawn_by"]["id"] == first.user_id
        refused(Conflict, lambda: approve(second, row))
        again = propose(first, chart)
        assert withdraw(scene, second, approve(second, again))["state"] == "withdrawn"
        assert work(scene) == 0 and held_of(scene.clinic_id, chart)
        done = agreed(scene)
        work(scene)
        refused(Conflict, lambda: withdraw(scene, first, done))
        refused(NotFound, lambda: propose(first, chart))


def test_of_two_who_propose_at_once_one_does(app: Any, scene: Scene) -> None:
    with years_later():
        values = WHY | {"patient_id": scene.patient["id"]}
        people = [officer(scene), officer(scene)]
        deeds = [lambda who=who: purges.propose_chart_purge(who.actor, values) for who in people]
        answers = at_once(app, deeds)
    assert sorted(isinstance(answer, Refusal) for answer in answers) == [False, True]


def test_a_proposal_that_nobody_agrees_to_is_over_after_thirty_days(
    scene: Scene, letters: list[tuple[str, str]]
) -> None:
    chart = scene.patient["id"]
    with years_later() as moved:
        row = propose(officer(scene), chart)
        moved.shift(timedelta(days=30, seconds=1))
        second = officer(scene)
        told = refused(Conflict, lambda: approve(second, row))
        assert told.extras["state"] == "stopped"
        with db.within(scene.clinic_id), db.transaction():
            assert working.stop_expired() and not working.stop_expired()
        assert as_it_is(row)["stopped_for"] == "expired"
        again = propose(second, chart)
        moved.shift(timedelta(days=30, seconds=1))
        third = propose(officer(scene), chart)  # the one before need not be stopped first
        assert as_it_is(again)["stopped_for"] == "expired"
        assert as_it_is(third)["state"] == "proposed"


def test_in_production_a_day_lies_between_agreeing_and_removing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config.from_environment({"PURGE_WAIT_HOURS": "48"}).purge_wait_hours == 48
    assert config.Settings(mode="production").purge_wait_hours == 24
    changed = config_of(config.settings(), purge_hours=24)
    monkeypatch.setattr(proposing, "settings", lambda: changed)
    with years_later() as moved:
        row = agreed(scene)
        assert row["not_before"] - row["approved_at"] == timedelta(hours=24)
        assert work(scene) == 0
        moved.shift(timedelta(hours=24, seconds=1))
        assert work(scene) > 1 and as_it_is(row)["state"] == "done"


def test_words_of_a_proposal_of_before_go_with_the_chart(scene: Scene) -> None:
    with years_later():
        first = officer(scene)
        before = propose(first, scene.patient["id"])
        withdraw(scene, first, before)
        assert as_it_is(before)["reason"] == WHY["reason"]
        agreed(scene)
        work(scene)
        assert as_it_is(before)["reason"] is None
        with db.transaction():
            told = purges.read_chart_purge(first.actor, before["id"])
        assert told["patient"]["display_name"] is None


def test_what_the_worker_writes_by_itself_stops_nothing(scene: Scene) -> None:
    with db.transaction():
        planning.plan(scene)
    with years_later():
        row = agreed(scene)
        with db.transaction() as store:
            plans = db.metadata.tables["check_in_plans"]
            mine = plans.update().where(plans.c.clinic_id == scene.clinic_id)
            store.execute(mine.values(look_at=clock.now()))
        work(scene)
        assert as_it_is(row)["state"] == "done"


@pytest.mark.parametrize("when", ["before", "proposed", "approved"])
def test_a_hold_stops_it_whenever_it_is_placed(scene: Scene, when: str) -> None:
    chart = scene.patient["id"]
    with years_later():
        first, second = officer(scene), officer(scene)

        def hold() -> None:
            with db.transaction():
                holds.place_hold(first.actor, chart, {"reason": "A claim."})

        if when == "before":
            hold()
            assert missing(lambda: propose(first, chart)) == ["no_legal_hold"]
            return
        row = propose(first, chart)
        if when == "proposed":
            hold()
            assert missing(lambda: approve(second, row)) == ["no_legal_hold"]
            return
        approve(second, row)
        before = held_of(scene.clinic_id, chart)
        hold()
        work(scene)
        stopped = as_it_is(row)
        assert (stopped["state"], stopped["stopped_for"]) == ("stopped", "legal_hold")
        assert held_of(scene.clinic_id, chart) == before | {"legal_holds": 1}
        with db.transaction():
            told = holds.list_holds(first.actor, chart, Page()).items
        assert [one["state"] for one in told] == ["held"]


LOST: dict[str, Any] = {
    "disabled": {"disabled_at": datetime(2026, 1, 1, tzinfo=UTC)},
    "deleted": {"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)},
    "another role": {"role": Role.CLINICIAN.value},
}


def lose(person: Any, how: str) -> None:
    with db.transaction() as store:
        store.execute(users.update().where(users.c.id == person.user_id).values(LOST[how]))


@pytest.mark.parametrize("how", LOST)
def test_who_proposed_and_may_no_longer_has_proposed_nothing(scene: Scene, how: str) -> None:
    chart = scene.patient["id"]
    with years_later():
        first, second = officer(scene), officer(scene)
        row = propose(first, chart)
        lose(first, how)
        assert missing(lambda: approve(second, row)) == ["entitled_proposer"]
        withdraw(scene, second, row)
        assert propose(second, chart)["state"] == "proposed"


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("who", [0, 1])
def test_who_decided_and_may_no_longer_removes_nothing(scene: Scene, who: int, how: str) -> None:
    chart = scene.patient["id"]
    with years_later():
        people = officer(scene), officer(scene)
        row = approve(people[1], propose(people[0], chart))
        before = held_of(scene.clinic_id, chart)
        lose(people[who], how)
        work(scene)
        stopped = as_it_is(row)
        assert (stopped["state"], stopped["stopped_for"]) == ("stopped", "no_longer_entitled")
        assert held_of(scene.clinic_id, chart) == before


def test_who_is_enabled_again_has_decided(scene: Scene) -> None:
    with years_later():
        row = agreed(scene)
        for moment in (clock.now(), None):
            with db.transaction() as store:
                mine = users.c.id == row["approved_by"]["id"]
                store.execute(users.update().where(mine).values(disabled_at=moment))
        work(scene)
        assert as_it_is(row)["state"] == "done"


def test_a_patient_who_came_back_stops_it(scene: Scene) -> None:
    chart = scene.patient["id"]
    with years_later():
        with db.transaction():
            back = builders.make_person(scene.clinic_id, patient_id=None)
            builders.join_team(scene.patient, back)
        first, second = officer(scene), officer(scene)
        for step in ("proposed", "approved"):
            row = propose(first, chart)
            if step == "approved":
                approve(second, row)
            with db.transaction():
                noting_by = {"kind": "progress", "text": "They called."}
                notes.write_patient_note(back.actor, chart, noting_by)
            if step == "proposed":
                assert missing(lambda row=row: approve(second, row)) == ["chart_at_rest"]
                withdraw(scene, first, row)
            else:
                before = held_of(scene.clinic_id, chart)
                work(scene)
                assert as_it_is(row)["stopped_for"] == "chart_changed"
                assert held_of(scene.clinic_id, chart) == before


def test_a_patient_who_writes_is_seen_and_the_term_begins_anew(scene: Scene) -> None:
    chart = scene.patient["id"]
    with years_later():
        first = officer(scene)
        row = agreed(scene)
        with db.transaction():
            values = {"text": "I am back.", "author_id": scene["PS"].user_id}
            _insight(scene, values)
        work(scene)
        assert as_it_is(row)["stopped_for"] == "retained"
        assert missing(lambda: propose(first, chart)) == ["retention_over"]


def _insight(scene: Scene, values: db.Values) -> None:
    shared = {"shared_with": "care_team", "chosen_sharing": "care_team", "author_kind": "patient"}
    keys = {"clinic_id": scene.clinic_id, "patient_id": scene.patient["id"]}
    db.store().add(insights.insights, keys | shared | values)


def test_a_patient_who_signs_in_stops_it(scene: Scene) -> None:
    with years_later():
        row = agreed(scene)
        with db.transaction() as store:
            mine = users.c.id == scene["PS"].user_id
            user = store.row(select(users).where(mine))
            assert user is not None
            builders.make_sign_in(user)
        work(scene)
        assert as_it_is(row)["stopped_for"] == "chart_changed"


def test_a_chart_that_was_merged_away_names_the_one_that_stays(scene: Scene) -> None:
    with db.transaction():
        other = builders.make_patient(scene.clinic_id, legal_given="Alma")
    into = {"into": scene.patient["id"], "reason": "Admitted twice."}
    with years_later():
        first, ca = officer(scene), officer(scene, Role.ADMINISTRATOR)
        row = agreed(scene, other["id"])
        with db.transaction():
            merges.merge_patient(ca.actor, other["id"], into)
        told = refused(Conflict, lambda: propose(first, other["id"]))
        assert told.extras["missing"] == ["chart_that_stays"]
        assert str(scene.patient["id"]) in told.detail
        work(scene)
        assert as_it_is(row)["stopped_for"] == "merged"
        assert as_it_is(row)["patient_id"] == other["id"], "what was proposed did not go along"


def test_charts_that_were_merged_into_it_go_too(scene: Scene) -> None:
    with db.transaction():
        other = builders.make_patient(scene.clinic_id, legal_given="Alma")
        builders.join_team(other, scene["CN"])
        text = {"kind": "psychotherapy", "text": "Apart."}
        notes.write_patient_note(scene["CN"].actor, other["id"], text)
        noting.note(scene, kind="psychotherapy")
    with db.transaction():
        into = {"into": scene.patient["id"], "reason": "Admitted twice."}
        merges.merge_patient(scene["CA"].actor, other["id"], into)
    both = (scene.patient["id"], other["id"])
    with years_later():
        row = agreed(scene)
        work(scene)
    done = as_it_is(row)
    assert done["charts"] == [str(one) for one in both]
    assert set(held_of(scene.clinic_id, *both)) <= set(removing.LATER)
    with db.transaction() as store:
        mine = select(patients).where(patients.c.id.in_(both))
        for one in store.rows(mine, opens=patients):
            assert one["deleted_at"] is not None and one["merged_into"] is None
            assert one["legal_given"] == "Removed" and one["birth_on"] is None
        theirs = chart_keys.c.patient_id.in_(both)
        keys = store.rows(select(chart_keys).where(theirs))
    assert len(keys) == 2
    assert {(one["key"], one["reason"]) for one in keys} == {(None, "retention")}


def test_the_patients_sign_in_ends_and_its_address_is_free(scene: Scene) -> None:
    ps = scene["PS"]
    with years_later():
        with db.transaction() as store:
            mine = users.c.id == ps.user_id
            user = store.row(select(users).where(mine))
            assert user is not None
            account_id = user["account_id"]
        agreed(scene)
        work(scene)
        with db.transaction() as store:
            assert find_account(store, ps.email) is None
            assert store.row(select(accounts).where(accounts.c.id == account_id)) is None
            assert store.row(select(sign_ins).where(sign_ins.c.user_id == ps.user_id)) is None
            left = store.row(select(users).where(users.c.id == ps.user_id))
            assert left is not None and left["deleted_at"] is not None
            assert left["display_name"] == "Removed chart" and left["preferences"] == {}
        with db.transaction():
            again = builders.make_patient(scene.clinic_id)
            builders.make_person(
                scene.clinic_id, Role.PATIENT, patient_id=again["id"], email=ps.email
            )


def test_who_signs_in_to_another_clinic_with_the_account_goes_on(scene: Scene) -> None:
    from api.access.users import make_user

    with db.transaction() as store:
        mine = select(users).where(users.c.id == scene["PS"].user_id)
        user = store.row(mine)
        assert user is not None
        elsewhere = builders.make_patient(scene["XT"].clinic_id)
        more = {"patient_id": elsewhere["id"], "display_name": "Ada"}
        account_id = user["account_id"]
        make_user(store, scene["XT"].clinic_id, account_id, Role.PATIENT, **more)
    with years_later():
        agreed(scene)
        work(scene)
    with db.transaction() as store:
        account = find_account(store, scene["PS"].email)
        assert account is not None and account["id"] == account_id
        theirs = users.c.account_id == account_id
        assert [row["patient_id"] for row in store.rows(select(users).where(theirs))] == [
            elsewhere["id"]
        ]


def test_who_had_the_chart_is_told_that_it_is_gone_and_nobody_else(scene: Scene) -> None:
    chart = scene.patient["id"]
    with db.transaction():
        noting.note(scene)
    with years_later() as moved:
        let_sign_ins_stand(scene.clinic_id)
        row = agreed(scene)
        with db.transaction():
            before = changes.list_changes(scene["CT"].actor, None, 100)
            others = changes.list_changes(scene["CN"].actor, None, 100)
        since = clock.now() - timedelta(minutes=1)
        work(scene)
        with db.transaction():
            told = changes.list_changes(scene["CT"].actor, before["after"], 100)["items"]
            unknown = changes.list_changes(scene["CN"].actor, others["after"], 100)["items"]
            listed = changes.list_changes(scene["CA"].actor, None, 100)["items"]
            left = list_patients(scene["CT"].actor, Page(since=since)).tombstones
            assert list_patients(scene["CA"].actor, Page()).items != []
        assert {(one["kind"], one["id"]) for one in told if one["deleted_at"]} == {
            ("patient", chart)
        }
        assert [one["id"] for one in left or []] == [chart] and unknown == []
        mine = [one for one in listed if one["patient_id"] == chart and one["kind"] == "patient"]
        assert [one["deleted_at"] is not None for one in mine] == [True]
        refused(NotFound, lambda: read_patient(scene["CA"].actor, chart))
        assert set(held_of(scene.clinic_id, chart)) == {"care_team"}
        moved.shift(FAR_LATER)
        follow(scene)
        assert held_of(scene.clinic_id, chart) == {}
        assert as_it_is(row)["let_go_at"] is not None
        with db.transaction() as store:
            c = feed.changes.c
            seen = store.rows(select(c.kind, c.deleted).where(c.patient_id == chart))
        assert [(one["kind"], one["deleted"]) for one in seen] == [("patient", True)]


def test_what_is_still_being_written_is_taken_away_after_it(scene: Scene) -> None:
    chart = scene.patient["id"]
    with years_later():
        agreed(scene)
        work(scene)
        with db.transaction():
            _insight(scene, {"text": "Too late.", "author_id": scene["CT"].user_id})
        assert "insights" in held_of(scene.clinic_id, chart)
        follow(scene)
        assert "insights" not in held_of(scene.clinic_id, chart)


def test_the_trail_says_who_did_what(scene: Scene) -> None:
    chart = scene.patient["id"]
    with years_later():
        agreed(scene)
        work(scene)
    e, p = audit_events.c, audit_event_patients.c
    with db.transaction() as store:
        mine = (e.clinic_id == scene.clinic_id, e.action.like("chart_purge:%"))
        events = store.rows(select(e.id, e.action, e.actor_id, e.door).where(*mine))
        named = {
            row["event_id"] for row in store.rows(select(p.event_id).where(p.patient_id == chart))
        }
    [last] = [one for one in events if one["door"] == "worker"]
    assert last["action"] == "chart_purge:carry_out" and last["actor_id"] is None
    assert {one["id"] for one in events} <= named


def test_events_tell_of_it_by_ids_alone_and_of_nothing_that_was(scene: Scene) -> None:
    chart = str(scene.patient["id"])
    with db.transaction() as store:
        from api.outbox import events

        events.append(store, scene.clinic_id, "goal.created", {"patient_id": chart})
        events.append(
            store, scene.clinic_id, "goal.created", {"patient_id": scene.other_patient["id"]}
        )
    with years_later():
        agreed(scene)
        work(scene)
    with db.transaction() as store:
        mine = outbox_events.c.clinic_id == scene.clinic_id
        rows = store.rows(select(outbox_events.c.name, outbox_events.c.subject).where(mine))
    told = {row["name"] for row in rows if chart in str(row["subject"])}
    assert told == {"chart_purge.proposed", "chart_purge.approved", "patient.purged"}
    assert "goal.created" in {row["name"] for row in rows}


def test_the_list_tells_what_may_be_proposed_and_what_stands_in_the_way(scene: Scene) -> None:
    with db.transaction():
        third = builders.make_patient(scene.clinic_id, legal_given="Cleo")
    with years_later():
        first = officer(scene)
        with db.transaction():
            builders.make_session(scene.other_patient)
            holds.place_hold(first.actor, third["id"], {"reason": "A claim."})
        row = propose(first, scene.patient["id"])
        with db.transaction():
            listed = purges.list_charts_past_retention(first.actor, Page(1))
            assert listed.next_after is not None
            rest = purges.list_charts_past_retention(first.actor, Page(5, listed.next_after))
    one, two = *listed.items, *rest.items
    assert (one["patient"]["display_name"], one["legal_hold"]) == ("Ada Example", False)
    assert one["purge"] == {"id": row["id"], "state": "proposed"}
    assert one["retained_until"] == row["retained_until"]
    assert (two["id"], two["legal_hold"], two["purge"]) == (third["id"], True, None)


def test_another_clinics_chart_is_not_there(scene: Scene) -> None:
    with years_later():
        first = officer(scene)
        with db.transaction():
            elsewhere = builders.make_patient(scene["XT"].clinic_id)
        for one in (elsewhere["id"], db.new_id()):
            told = refused(NotFound, lambda one=one: propose(first, one))
            assert told.detail == "There is no such record."
        theirs = officer(Scene(scene["XT"].clinic_id, elsewhere, elsewhere, {}))
        row = propose(first, scene.patient["id"])
        refused(NotFound, lambda: approve(theirs, row))


def test_every_table_that_refers_to_a_patient_goes_or_says_why_it_stays() -> None:
    """A new table goes by itself; what stays is named with its reason, and nothing else."""
    every = {table.name: table for table in db.metadata.sorted_tables}
    gone = {table.name for table in removing.removable()}
    assert set(removing.LATER) <= gone and not gone & set(removing.STAYS)
    assert all(len(why) > 20 for why in [*removing.STAYS.values(), *removing.LATER.values()])
    for name, table in every.items():
        columns = {c.name for c in table.c} & {"patient_id", "for_patient_id", "merged_id"}
        refers = any(k.referred_table is patients for k in table.foreign_key_constraints)
        if columns or refers:
            assert name in gone or name in removing.STAYS, name
        for key in table.foreign_key_constraints:
            if key.referred_table.name in gone:
                assert name in gone, f"{name} would refer to what is gone"
    assert set(removing.STAYS) <= set(every)
    order = [table.name for table in removing.removable()]
    for place, name in enumerate(order):
        parents = {k.referred_table.name for k in every[name].foreign_key_constraints} - {name}
        assert not parents & set(order[:place]), name


def test_what_is_counted_is_what_anybody_may_count() -> None:
    private = {t.name for t in db.metadata.sorted_tables if "shared_with" in t.c}
    private |= {"psychotherapy_notes", "psychotherapy_note_versions", "replies", "goal_ratings"}
    assert not private & set(removing.COUNTED)
    assert set(removing.COUNTED) <= {table.name for table in removing.at_once()}
