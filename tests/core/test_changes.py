"""Changes: a mirror that follows them holds what its reader may see, and never misses any."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from api import clock, db
from api.core import care_team as teams, changes, patients as patients_module
from api.core.integration import goals, practices, ratings, replies, steps, tables
from api.core.outcomes import checkins
from api.core.patients import patients
from api.core.treatment import calendar
from api.core.treatment.sessions import booking, moving as session_moves
from api.db import feed
from api.errors import Stale, Unreadable
from tests import builders
from tests.builders import Person, Scene
from tests.core import planning

WRITERS, ROUNDS = 4, 30


class Mirror:
    """What a front end keeps: the version of each record it was told of."""

    def __init__(self, person: Person, limit: int = 100) -> None:
        self.person, self.limit = person, limit
        self.cursor: Any = None
        self.records: dict[UUID, tuple[str, int]] = {}
        self.pages: list[list[db.Values]] = []

    def follow(self) -> "Mirror":
        """Ask until there is no more."""
        while self.ask():
            pass
        return self

    def ask(self) -> bool:
        """Ask once; tells whether there is more."""
        with db.transaction():
            told = changes.list_changes(self.person.actor, self.cursor, self.limit)
        self.cursor = told["after"]
        self.pages.append(told["items"])
        for item in told["items"]:
            if item["deleted_at"] is None:
                self.records[item["id"]] = (item["kind"], item["version"])
            else:
                self.records.pop(item["id"], None)
        return bool(told["more"])

    def of(self, kind: str) -> dict[UUID, int]:
        """The records of one kind with their versions."""
        return {id: version for id, (k, version) in self.records.items() if k == kind}


@contextmanager
def by(person: Person) -> Iterator[Any]:
    """A transaction of this person."""
    with db.transaction():
        yield person.actor


def new_goal(scene: Scene, person: Person, **more: Any) -> db.Values:
    values = {"title": "Rest", "category": "rest_sleep"} | more
    with by(person) as actor:
        return goals.set_goal(actor, scene.patient["id"], values)


def test_a_restored_dump_is_followed_from_its_start(on_postgres_alone: None, scene: Scene) -> None:
    """A file that is put back keeps the order of its rows."""
    mirror = Mirror(scene["CT"]).follow()
    c = feed.changes.c
    with db.transaction() as store:
        mine = feed.changes.update().where(c.clinic_id == scene.clinic_id)
        store.execute(mine.values(xid=c.xid + 10**12))
    assert Mirror(scene["CT"]).follow().records == {}
    with db.transaction() as store:
        store.execute(feed.bring_home())
    assert Mirror(scene["CT"]).follow().records == mirror.records


def test_a_place_that_was_never_reached_is_refused(scene: Scene) -> None:
    mirror = Mirror(scene["CT"]).follow()
    mirror.cursor = tuple(number + 10**12 for number in mirror.cursor)
    with pytest.raises(Unreadable):
        mirror.ask()


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_each_sees_what_is_in_their_reach(scene: Scene, limit: int) -> None:
    goal = new_goal(scene, scene["CT"])
    mirrors = {name: Mirror(scene[name], limit).follow() for name in scene.people if name in TELLS}
    mine, other = scene.patient["id"], scene.other_patient["id"]
    assert mirrors["PS"].of("patient") == mirrors["CT"].of("patient") == {mine: 1}
    assert mirrors["PO"].of("patient") == {other: 1}
    assert mirrors["CA"].of("patient") == {mine: 1, other: 1}
    assert mirrors["CN"].records == {}
    assert mirrors["PS"].of("goal") == mirrors["CT"].of("goal") == {goal["id"]: 1}
    assert mirrors["CA"].of("goal") == {}, "runs the clinic, sees no clinical data"
    assert not {mine, other} & set(mirrors["XT"].records)
    assert not {mine, other} & set(mirrors["XA"].records)


TELLS = ("PS", "PO", "CT", "CN", "CA", "XT", "XA", "XP")


def test_a_mirror_goes_on_from_where_it_was(scene: Scene) -> None:
    mirror = Mirror(scene["CT"]).follow()
    assert mirror.follow().pages[-1] == []
    goal = new_goal(scene, scene["PS"])
    with by(scene["CT"]) as actor:
        goals.change_goal(actor, goal["id"], 1, {"matters_because": "Evenings."})
    [told] = mirror.follow().pages[-1]
    assert (told["id"], told["kind"], told["version"]) == (goal["id"], "goal", 2)
    assert told["patient_id"] == scene.patient["id"] and told["deleted_at"] is None


def test_each_record_stands_once_at_its_latest_version(scene: Scene) -> None:
    goal = new_goal(scene, scene["CT"])
    for version in range(1, 6):
        with by(scene["CT"]) as actor:
            goals.change_goal(actor, goal["id"], version, {"title": f"Rest {version}"})
    mirror = Mirror(scene["CT"], 1).follow()
    told = [item["id"] for page in mirror.pages for item in page]
    assert len(told) == len(set(told))
    assert mirror.of("goal") == {goal["id"]: 6}


def test_what_is_removed_is_a_tombstone(scene: Scene) -> None:
    goal = new_goal(scene, scene["CT"])
    with by(scene["CT"]) as actor:
        practice = practices.start_practice(actor, goal["id"], {"new_trail": "Lie down"})
        step = steps.log_step(actor, practice["id"], {"kind": "done"})
    mirror = Mirror(scene["CT"]).follow()
    assert mirror.of("step") == {step["id"]: 1}
    with by(scene["CT"]) as actor:
        steps.remove_step(actor, step["id"], 1)
    [told] = mirror.follow().pages[-1]
    assert told["id"] == step["id"] and told["deleted_at"] is not None
    assert mirror.of("step") == {}
    late = Mirror(scene["CT"]).follow()
    assert [i["id"] for page in late.pages for i in page if i["deleted_at"]] == [step["id"]]


def test_what_was_always_private_is_told_to_nobody_else(scene: Scene) -> None:
    goal = new_goal(scene, scene["PS"], shared_with="me")
    with by(scene["PS"]) as actor:
        goals.change_goal(actor, goal["id"], 1, {"title": "Still mine"})
    others = Mirror(scene["CT"]).follow()
    assert str(goal["id"]) not in str(others.pages)
    assert Mirror(scene["PS"]).follow().of("goal") == {goal["id"]: 2}


def test_what_becomes_private_is_gone_for_others_and_comes_back(scene: Scene) -> None:
    goal = new_goal(scene, scene["PS"], shared_with="care_team")
    with by(scene["PS"]) as actor:
        practice = practices.start_practice(actor, goal["id"], {"new_trail": "Lie down"})
        step = steps.log_step(actor, practice["id"], {"kind": "done"})
    mirror, own = Mirror(scene["CT"]).follow(), Mirror(scene["PS"]).follow()
    kept = {goal["id"], practice["id"], step["id"]}
    assert kept <= set(mirror.records)
    with by(scene["PS"]) as actor:
        goals.change_goal(actor, goal["id"], 1, {"shared_with": "me"})
    told = mirror.follow().pages[-1]
    assert {item["id"] for item in told if item["deleted_at"]} == kept
    assert not kept & set(mirror.records) and kept <= set(own.follow().records)
    with by(scene["PS"]) as actor:
        goals.change_goal(actor, goal["id"], 2, {"title": "Nobody's business"})
    assert mirror.follow().pages[-1] == []
    late = Mirror(scene["CT"]).follow()
    assert not kept & set(late.records)
    assert all(item["deleted_at"] for page in late.pages for item in page if item["id"] in kept)
    with by(scene["PS"]) as actor:
        goals.change_goal(actor, goal["id"], 3, {"shared_with": "care_team"})
    assert kept <= set(mirror.follow().records)
    assert kept <= set(own.follow().records)


def test_a_chart_that_closes_is_the_tombstone_of_its_patient(scene: Scene) -> None:
    with db.transaction():
        membership = builders.join_team(scene.patient, scene["CN"])
    mirror = Mirror(scene["CN"]).follow()
    mine = scene.patient["id"]
    assert mirror.of("patient") == {mine: 1}
    with by(scene["CA"]) as actor:
        teams.end_membership(actor, mine, membership["id"])
    [told] = mirror.follow().pages[-1]
    assert (told["id"], told["kind"], told["version"]) == (mine, "patient", None)
    assert told["deleted_at"] is not None and mirror.of("patient") == {}


@pytest.mark.parametrize("how", ["clinicians", "moved", "cancelled"])
def test_who_is_taken_off_a_session_is_told_that_the_chart_is_gone(scene: Scene, how: str) -> None:
    at = clock.now() + timedelta(hours=2)
    times = {"starts_at": at, "ends_at": at + timedelta(hours=1)}
    with db.transaction():
        booked = builders.make_session(scene.patient, scene["CN"], **times)
    mine, since = scene.patient["id"], db.Page(100, since=clock.now())
    mirror = Mirror(scene["CN"]).follow()
    assert mirror.of("patient") == {mine: 1}
    with by(scene["CT"]) as actor:
        if how == "cancelled":
            session_moves.cancel_session(actor, booked["id"], {"reason": "patient_asked"})
        else:
            later = {name: value + timedelta(days=30) for name, value in times.items()}
            others = {"clinician_ids": [scene["CT"].user_id]}
            booking.change_session(actor, booked["id"], 1, others if how == "clinicians" else later)
    [told] = [item for item in mirror.follow().pages[-1] if item["deleted_at"]]
    assert (told["id"], told["kind"], told["version"]) == (mine, "patient", None)
    assert mirror.of("patient") == {}
    with by(scene["CN"]) as actor:
        gone = patients_module.list_patients(actor, since).tombstones
        assert [row["id"] for row in gone or []] == [mine]
    with by(scene["CN"]) as actor:
        gone = calendar.read_calendar(actor, since).tombstones
        assert booked["id"] in [row["id"] for row in gone or []]
    with by(scene["CT"]) as actor:
        assert patients_module.list_patients(actor, since).tombstones == []


def test_what_hangs_on_an_entry_is_followed_as_far_as_the_entry_is_seen(scene: Scene) -> None:
    goal = new_goal(scene, scene["PS"])
    with by(scene["PS"]) as actor:
        practice = practices.start_practice(actor, goal["id"], {"new_trail": "Lie down"})
        step = steps.log_step(actor, practice["id"], {"kind": "done"})
    with by(scene["CT"]) as actor:
        reply = replies.reply_to_step(actor, step["id"], {"text": "Glad."})
    with by(scene["CT"]) as actor:
        rating = ratings.rate_goal(actor, goal["id"], {"level": 1})
    mirror, own = Mirror(scene["CT"]).follow(), Mirror(scene["PS"]).follow()
    assert mirror.of("reply") == own.of("reply") == {reply["id"]: 1}
    assert mirror.of("goal_rating") == {rating["id"]: 1} and own.of("goal_rating") == {}
    with by(scene["PS"]) as actor:
        goals.change_goal(actor, goal["id"], None, {"shared_with": "me"})
    late = Mirror(scene["CT"]).follow()
    assert late.of("reply") == late.of("goal_rating") == {}
    assert not {reply["id"], rating["id"]} & {i["id"] for page in late.pages for i in page}
    assert Mirror(scene["PS"]).follow().of("reply") == {reply["id"]: 1}


def test_what_came_of_a_plan_and_what_was_corrected_are_followed(scene: Scene) -> None:
    with db.transaction():
        planning.plan(scene, rule="once", n=0)
    with db.transaction():
        done = planning.answer(scene)
    values = {"answers": {"gad7-1": 2}, "reason": "Misheard."}
    with by(scene["CT"]) as actor:
        checkins.correct_checkin(actor, done["id"], values)
    mirror, own = Mirror(scene["CT"]).follow(), Mirror(scene["PS"]).follow()
    assert len(mirror.of("check_in_occurrence")) == len(own.of("check_in_occurrence")) == 1
    assert len(mirror.of("check_in_correction")) == 1 and own.of("check_in_correction") == {}
    assert Mirror(scene["CN"]).follow().records == {}


def test_every_way_to_write_is_followed(scene: Scene) -> None:
    with db.transaction() as store:
        row = store.row(select(patients).where(patients.c.id == scene.patient["id"]))
        assert row is not None
        store.change(patients, row, {"pronouns": "they"})
    with db.transaction() as store:
        again = store.row(select(patients).where(patients.c.id == scene.patient["id"]))
        assert again is not None
        store.remove(patients, again)
    c = feed.changes.c
    with db.transaction() as store:
        told = store.rows(
            select(c.version, c.deleted).where(c.record_id == row["id"]).order_by(c.version)
        )
    assert told == [{"version": version, "deleted": version == 3} for version in (1, 2, 3)]


def test_what_is_undone_was_never_told(scene: Scene) -> None:
    mirror = Mirror(scene["CT"]).follow()
    with pytest.raises(RuntimeError), by(scene["CT"]) as actor:
        goals.set_goal(actor, scene.patient["id"], {"title": "x", "category": "other"})
        raise RuntimeError
    assert mirror.follow().pages[-1] == []


def test_one_statement_writes_record_event_and_change(scene: Scene, database: str) -> None:
    said: list[str] = []
    with db.transaction():
        actor = scene["CT"].actor
        db.watchers.append(said.append)
        try:
            goals.set_goal(actor, scene.patient["id"], {"title": "x", "category": "other"})
        finally:
            db.watchers.remove(said.append)
    writes = [text for text in said if "INSERT INTO" in text]
    assert len(writes) == (1 if database == "postgres" else 3)
    for table in ("goals", "changes", "outbox_events"):
        assert sum(f"INSERT INTO {table} " in text for text in writes) == 1


class Slow:
    """Writers that hold their transactions open, each for another while.

    Some begin to write long before they change the goal, so that transactions end in another order
    than they began.
    """

    def __init__(self, app: Flask, scene: Scene) -> None:
        self.app, self.scene = app, scene
        self.truth: dict[UUID, int | None] = {}
        self.lock = threading.Lock()
        self.made: list[UUID] = []

    def write(self, seed: int) -> None:
        """Set goals, change those of others, remove a few, and undo some of it."""
        dice = random.Random(seed)
        with self.app.app_context():
            for _ in range(ROUNDS):
                try:
                    self._once(dice)
                except (OperationalError, Stale):
                    continue

    def _once(self, dice: random.Random) -> None:
        undone = dice.random() < 0.2
        with self.lock:
            chosen = dice.choice(self.made) if self.made and dice.random() < 0.6 else None
        try:
            with db.transaction() as store:
                if dice.random() < 0.5:
                    builders.make_patient(self.scene["XT"].clinic_id)
                time.sleep(dice.random() * 0.01)
                row = self._new(store) if chosen is None else self._changed(store, chosen, dice)
                time.sleep(dice.random() * 0.01)
                if undone:
                    raise LookupError
        except LookupError:
            return
        with self.lock:
            known = self.truth.get(row["id"], 0)
            if known is not None:
                gone = row["deleted_at"] is not None
                self.truth[row["id"]] = None if gone else max(known, row["version"])
            if chosen is None:
                self.made.append(row["id"])

    def _new(self, store: db.Store) -> db.Values:
        person = self.scene["CT"]
        by_whom = {"author_id": person.user_id, "author_kind": "clinician"}
        shared = {"shared_with": "care_team", "chosen_sharing": "care_team"}
        keys = {"clinic_id": self.scene.clinic_id, "patient_id": self.scene.patient["id"]}
        goal = {"title": "x", "category": "other"}
        states = {"lifecycle_status": "active", "achievement_status": "in_progress"}
        return store.add(tables.goals, keys | by_whom | shared | goal | states)

    def _changed(self, store: db.Store, goal_id: UUID, dice: random.Random) -> db.Values:
        row = store.row(select(tables.goals).where(tables.goals.c.id == goal_id))
        if row is None or row["deleted_at"] is not None:
            raise LookupError
        time.sleep(dice.random() * 0.005)
        if dice.random() < 0.15:
            return store.remove(tables.goals, row)
        return store.change(tables.goals, row, {"category": dice.choice(("other", "nature"))})


def test_a_mirror_misses_nothing_while_many_write(app: Flask, scene: Scene) -> None:
    slow, mirror = Slow(app, scene), Mirror(scene["CT"], 7)
    threads = [threading.Thread(target=slow.write, args=(seed,)) for seed in range(WRITERS)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        mirror.ask()
    for thread in threads:
        thread.join()
    mirror.follow()
    standing = {id: version for id, version in slow.truth.items() if version is not None}
    assert len(standing) > WRITERS
    assert mirror.of("goal") == standing
    assert len(mirror.pages) > WRITERS, "asked while they wrote"
