"""Purges at their edges: what is asked, written or agreed to at the same moment, or was before."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import select

from api import clock, db
from api.access.policies import Role
from api.access.users import clinics, find_account, users
from api.core import alerts, chart_keys, consents, holds, merges, purges, retention
from api.core.outcomes import checkins, plans
from api.core.purges.table import chart_purges
from api.errors import Conflict, NotFound, Refusal
from api.paging import Page
from tests import builders
from tests.builders import Scene
from tests.core.purging import (
    YEARS,
    agreed,
    as_it_is,
    follow,
    officer,
    propose,
    work,
    years_later,
)
from tests.racing import at_once

NAMING = {"reason": "Ada Example was last seen long ago."}


def refused(kind: type[Refusal], call: Any) -> Refusal:
    with pytest.raises(kind) as told, db.transaction():
        call()
    return told.value


def test_the_words_of_what_was_proposed_before_go_too(scene: Scene) -> None:
    """Of this chart, and of one that was merged into it."""
    with db.transaction():
        other = builders.make_patient(scene.clinic_id, legal_given="Alma")
    with years_later():
        first, ca = officer(scene), officer(scene, Role.ADMINISTRATOR)
        rows = []
        for chart in (scene.patient["id"], other["id"]):
            with db.transaction():
                asked = NAMING | {"patient_id": chart}
                rows.append(purges.propose_chart_purge(first.actor, asked))
            with db.transaction():
                purges.withdraw_chart_purge(first.actor, rows[-1]["id"])
        with db.transaction():
            into = {"into": scene.patient["id"], "reason": "Admitted twice."}
            merges.merge_patient(ca.actor, other["id"], into)
    with years_later(2 * YEARS):
        agreed(scene)
        work(scene)
        reader = officer(scene)
        with db.transaction():
            told = [purges.read_chart_purge(reader.actor, row["id"]) for row in rows]
    assert [one["state"] for one in told] == ["withdrawn", "withdrawn"]
    assert [one["reason"] for one in told] == [None, None]
    assert [one["patient"]["display_name"] for one in told] == [None, None]


@pytest.mark.parametrize("deed", ["set", "changed"])
def test_a_plan_that_somebody_set_or_changed_stops_it(scene: Scene, deed: str) -> None:
    plan = {"instrument": "phq-9", "rule": "every_n_days", "n": 7}
    with db.transaction():
        old = plans.plan_check_ins(scene["CT"].actor, scene.patient["id"], plan)
    with years_later():
        with db.transaction():
            back = builders.make_person(scene.clinic_id)
            builders.join_team(scene.patient, back)
        row = agreed(scene)
        with db.transaction():
            if deed == "set":
                plans.plan_check_ins(
                    back.actor, scene.patient["id"], plan | {"instrument": "gad-7"}
                )
            else:
                plans.change_check_in_plan(back.actor, old["id"], None, {"n": 14})
        work(scene)
        assert as_it_is(row)["stopped_for"] == "chart_changed"


def test_a_consent_is_kept_six_years_after_it_was_last_said(scene: Scene) -> None:
    chart = scene.patient["id"]
    with years_later(timedelta(days=11 * 365)), db.transaction():
        back = builders.make_person(scene.clinic_id)
        builders.join_team(scene.patient, back)
        said = {"kind": "ehr_sharing", "text_version": "1"}
        consents.record_consent(back.actor, chart, said)
    with years_later():
        first = officer(scene)
        assert retention.kept(scene.clinic_id, chart).by_state < clock.now().date()
        told = refused(Conflict, lambda: propose(first, chart))
        assert told.extras["missing"] == ["retention_over"]
        with db.transaction():
            listed = purges.list_charts_past_retention(first.actor, Page(100)).items
        assert chart not in {one["id"] for one in listed}


def test_a_chart_is_not_divided_again_once_its_removal_began(scene: Scene) -> None:
    with db.transaction():
        other = builders.make_patient(scene.clinic_id, legal_given="Alma")
    with db.transaction():
        into = {"into": scene.patient["id"], "reason": "Admitted twice."}
        merges.merge_patient(scene["CA"].actor, other["id"], into)
    with years_later():
        ca = officer(scene, Role.ADMINISTRATOR)
        agreed(scene)
        assert work(scene, 1) == 1
        why = {"reason": "Two people."}
        refused(NotFound, lambda: merges.unmerge_patient(ca.actor, other["id"], why))
        work(scene)
        refused(NotFound, lambda: merges.unmerge_patient(ca.actor, other["id"], why))


def test_who_proposes_while_another_decides_is_told_so_at_once(
    on_postgres_alone: None, app: Any, scene: Scene
) -> None:
    """Of two that wait for each other PostgreSQL would end one, with an error."""
    with years_later():
        row = propose(officer(scene), scene.patient["id"])
        second = officer(scene)
        with db.transaction() as store:
            store.hold(chart_purges, {"clinic_id": scene.clinic_id, "id": row["id"]})
            [told] = at_once(app, [lambda: _proposed(second, scene)])
    assert isinstance(told, Conflict), told


def _proposed(who: Any, scene: Scene) -> Any:
    return purges.propose_chart_purge(who.actor, NAMING | {"patient_id": scene.patient["id"]})


def test_no_hold_is_promised_on_a_chart_that_is_closed_meanwhile(
    on_postgres_alone: None, app: Any, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart, real = scene.patient["id"], holds.open_chart
    with years_later():
        first = officer(scene)
        agreed(scene)

        def opened(*given: Any) -> Any:
            row = real(*given)
            monkeypatch.setattr(holds, "open_chart", real)
            at_once(app, [lambda: _closed(scene)])
            return row

        monkeypatch.setattr(holds, "open_chart", opened)
        with pytest.raises(NotFound), db.transaction():
            holds.place_hold(first.actor, chart, {"reason": "A claim."})


def _closed(scene: Scene) -> None:
    db.leave_store()
    assert work(scene, 1) == 1


def test_who_came_in_as_it_was_closed_is_ended_too(scene: Scene) -> None:
    with db.transaction():
        chart = builders.make_patient(scene.clinic_id, legal_given="Alma")
    with years_later():
        agreed(scene, chart["id"])
        work(scene)
        with db.transaction():
            late = builders.make_person(scene.clinic_id, Role.PATIENT, patient_id=chart["id"])
        follow(scene)
        with db.transaction() as store:
            assert find_account(store, late.email) is None
            left = store.row(select(users).where(users.c.id == late.user_id))
        assert left is not None and left["deleted_at"] is not None


def test_a_key_that_was_made_as_it_was_closed_is_destroyed_too(scene: Scene) -> None:
    chart = scene.patient["id"]
    with years_later():
        agreed(scene)
        work(scene)
        with db.transaction():
            chart_keys.make(scene.clinic_id, chart)
        follow(scene)
    with db.transaction() as store:
        k = chart_keys.chart_keys.c
        mine = select(k.key, k.reason).where(k.clinic_id == scene.clinic_id, k.patient_id == chart)
        assert [(row["key"], row["reason"]) for row in store.rows(mine)] == [(None, "retention")]


def test_the_last_day_is_whole_where_the_clinic_is(scene: Scene) -> None:
    """Half past four in the afternoon in Los Angeles is the next day in UTC."""
    with db.transaction() as store:
        mine = clinics.update().where(clinics.c.id == scene.clinic_id)
        store.execute(mine.values(time_zone="America/Los_Angeles"))
        until = retention.kept(scene.clinic_id, scene.patient["id"]).until
    evening = datetime.combine(until, time(16, 30), ZoneInfo("America/Los_Angeles"))
    for at, is_over in ((evening, False), (evening + timedelta(days=1), True)):
        with time_machine.travel(at):
            first = officer(scene)
            with db.transaction():
                listed = purges.list_charts_past_retention(first.actor, Page(100)).items
            assert (scene.patient["id"] in {one["id"] for one in listed}) == is_over
            if is_over:
                assert propose(first, scene.patient["id"])["retained_until"] == until
            else:
                refused(Conflict, lambda by=first: propose(by, scene.patient["id"]))


def test_an_alert_that_somebody_attended_to_stops_it(scene: Scene) -> None:
    with db.transaction():
        answers = {f"phq9-{number}": 1 for number in range(1, 10)}
        said = {"instrument": "phq-9", "answers": answers, "complete": True}
        checkins.log_checkin(scene["PS"].actor, scene.patient["id"], said)
    with years_later():
        with db.transaction():
            back = builders.make_person(scene.clinic_id)
            builders.join_team(scene.patient, back)
        row = agreed(scene)
        with db.transaction():
            [alert] = alerts.list_alerts(back.actor, Page()).items
            alerts.acknowledge_alert(back.actor, alert["id"], {"note": "I am calling."})
        work(scene)
        assert as_it_is(row)["stopped_for"] == "chart_changed"
