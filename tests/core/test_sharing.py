"""Sharing: the patient decides, and for everybody else a `me` entry is as if it were not there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from api import db
from api.core import accounts
from api.core.integration import goals, insights, moments, practices, steps, trail as pure, words
from api.core.integration.trail import WEIGHTS, Params, Pause, Walk
from api.errors import Invalid, NotFound
from tests import builders
from tests.builders import Scene
from tests.core.walking import (
    DAY,
    EVER,
    goal,
    insight,
    moment,
    practice,
    refused_at,
    step,
    today,
    trail,
)

ME, CARE_TEAM, RESEARCH = {"shared_with": "me"}, {"shared_with": "care_team"}, "research"
ON_ONE_SCENE = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CHANGE: dict[str, Callable[..., db.Values]] = {
    "insight": insights.change_insight,
    "goal": goals.change_goal,
    "practice": practices.change_practice,
    "step": steps.change_step,
    "moment": moments.change_moment,
}
READ: dict[str, Callable[..., db.Values]] = {
    "insight": insights.read_insight,
    "goal": goals.read_goal,
    "practice": practices.read_practice,
    "step": steps.read_step,
    "moment": moments.read_moment,
}
KINDS = tuple(CHANGE)


def one_of(scene: Scene, kind: str, who: str = "PS", **more: Any) -> db.Values:
    """An entry of the kind under shared parents; the patient has written those."""
    if kind in ("insight", "goal", "moment"):
        return {"insight": insight, "goal": goal, "moment": moment}[kind](scene, who, **more)
    under = goal(scene)
    if kind == "practice":
        return practice(scene, under, who, **more)
    return step(scene, practice(scene, under), 0, who, **more)


def share(scene: Scene, kind: str, row: db.Values, value: str, who: str = "PS") -> db.Values:
    """The entry shared otherwise, whatever its version."""
    return CHANGE[kind](scene[who].actor, row["id"], None, {"shared_with": value})


def is_there(scene: Scene, kind: str, row: db.Values, who: str = "CT") -> bool:
    """Whether somebody can read the entry."""
    try:
        READ[kind](scene[who].actor, row["id"])
    except NotFound:
        return False
    return True


def listed(scene: Scene, who: str, kind: str, row: db.Values) -> db.Listing:
    """Every change to the list that holds entries such as this one."""
    actor, chart = scene[who].actor, scene.patient["id"]
    if kind == "practice":
        return practices.list_practices(actor, row["goal_id"], EVER)
    if kind == "step":
        return steps.list_steps(actor, row["practice_id"], EVER)
    lists = {
        "insight": insights.list_insights,
        "goal": goals.list_goals,
        "moment": moments.list_moments,
    }
    return lists[kind](actor, chart, EVER)


def seen(scene: Scene, who: str, kind: str, row: db.Values) -> tuple[bool, bool]:
    """Whether the entry is in the list of changes, and whether its tombstone is."""
    found = listed(scene, who, kind, row)
    return (
        row["id"] in [one["id"] for one in found.items],
        row["id"] in [one["id"] for one in found.tombstones or []],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_is_shared_with_the_care_team_unless_the_patient_says_otherwise(
    scene: Scene, kind: str
) -> None:
    assert one_of(scene, kind)["shared_with"] == "care_team"
    for value in ("me", "care_team", "research"):
        made = one_of(scene, kind, shared_with=value)
        assert made["shared_with"] == value
        assert READ[kind](scene["PS"].actor, made["id"])["shared_with"] == value
        assert is_there(scene, kind, made) == (value != "me")


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_of_the_patient_is_honoured_and_staff_have_none(
    scene: Scene, kind: str
) -> None:
    def prefer(value: str | None) -> None:
        accounts.change_preferences(scene["PS"].actor, None, {"default_sharing": value})

    prefer("research")
    assert one_of(scene, kind)["shared_with"] == "research"
    assert one_of(scene, kind, shared_with="care_team")["shared_with"] == "care_team"
    assert one_of(scene, kind, "CT")["shared_with"] == "care_team"
    prefer(None)
    assert one_of(scene, kind)["shared_with"] == "care_team"
    shared_goal = goal(scene, shared_with="care_team")
    shared = practice(scene, shared_goal, shared_with="care_team")
    prefer("me")
    private = {
        "insight": lambda: insight(scene),
        "goal": lambda: goal(scene),
        "practice": lambda: practice(scene, shared_goal),
        "step": lambda: step(scene, shared),
        "moment": lambda: moment(scene),
    }[kind]()
    assert private["shared_with"] == "me" and not is_there(scene, kind, private)
    assert private["reading"]["by"] == "nobody"


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_patient_decides_and_what_staff_wrote_cannot_be_kept_from_staff(
    scene: Scene, kind: str
) -> None:
    for value in ("me", "research"):
        with pytest.raises(Invalid) as refusal:
            one_of(scene, kind, "CT", shared_with=value)
        assert refused_at(refusal) == ["/shared_with"]
    staffs = one_of(scene, kind, "CT")
    for value in ("me", "care_team", "research"):
        with pytest.raises(Invalid):
            share(scene, kind, staffs, value, "CT")
    with pytest.raises(Invalid) as refusal:
        share(scene, kind, staffs, "me")
    assert refused_at(refusal) == ["/shared_with"]
    assert share(scene, kind, staffs, "research")["shared_with"] == "research"


@pytest.mark.parametrize("kind", KINDS)
def test_what_becomes_private_is_a_tombstone_once_and_what_always_was_is_nothing(
    scene: Scene, kind: str
) -> None:
    always = one_of(scene, kind, **ME)
    assert seen(scene, "CT", kind, always) == (False, False)
    assert seen(scene, "PS", kind, always) == (True, False)
    row = one_of(scene, kind)
    assert seen(scene, "CT", kind, row) == (True, False)
    share(scene, kind, row, "me")
    first = listed(scene, "CT", kind, row).tombstones
    assert seen(scene, "CT", kind, row) == (False, True)
    assert seen(scene, "PS", kind, row) == (True, False)
    share(scene, kind, row, "me")
    assert listed(scene, "CT", kind, row).tombstones == first, "later changes never show"
    if kind in ("insight", "step", "moment"):
        remove = {
            "insight": insights.remove_insight,
            "step": steps.remove_step,
            "moment": moments.remove_moment,
        }[kind]
        remove(scene["PS"].actor, row["id"], None)
        assert listed(scene, "CT", kind, row).tombstones == first, "nor does its removal"
        return
    share(scene, kind, row, "research")
    assert seen(scene, "CT", kind, row) == (True, False)


@pytest.mark.parametrize(
    ("kind", "change", "asked"),
    [
        ("goal", {"category": "grief_repair"}, {"category": "grief_repair"}),
        ("practice", {"status": "released"}, {"status": "released"}),
        ("step", {"kind": "detour"}, {"kind": "detour"}),
        ("moment", "practice_id", "practice_id"),
        ("insight", "session_id", "session_id"),
        ("moment", "session_id", "session_id"),
    ],
)
def test_a_filter_tells_nothing_of_what_a_private_entry_became(
    scene: Scene, kind: str, change: Any, asked: Any
) -> None:
    there = {
        "practice_id": practice(scene, goal(scene))["id"],
        "session_id": builders.make_session(scene.patient, scene["CT"])["id"],
    }
    given_change = {change: there[change]} if isinstance(change, str) else change
    given_asked = {asked: there[asked]} if isinstance(asked, str) else asked
    row = one_of(scene, kind)
    share(scene, kind, row, "me")

    def tombstones() -> Any:
        actor, chart = scene["CT"].actor, scene.patient["id"]
        found = {
            "goal": lambda: goals.list_goals(actor, chart, EVER, **given_asked),
            "insight": lambda: insights.list_insights(actor, chart, EVER, **given_asked),
            "moment": lambda: moments.list_moments(actor, chart, EVER, **given_asked),
            "practice": lambda: practices.list_practices(
                actor, row["goal_id"], EVER, **given_asked
            ),
            "step": lambda: steps.list_steps(actor, row["practice_id"], EVER, **given_asked),
        }[kind]()
        assert found.items == []
        return found.tombstones

    before = tombstones()
    CHANGE[kind](scene["PS"].actor, row["id"], None, given_change)
    assert tombstones() == before


def test_under_a_private_parent_all_is_private(scene: Scene) -> None:
    alone = goal(scene, **ME)
    under = practice(scene, alone, **CARE_TEAM)
    made = step(scene, under, shared_with="research")
    noticed = moment(scene, practice_id=under["id"], **CARE_TEAM)
    assert {one["shared_with"] for one in (under, made, noticed)} == {"me"}
    for kind, row in (("practice", under), ("step", made), ("moment", noticed)):
        assert not is_there(scene, kind, row)
    for asking in (
        lambda: practices.list_practices(scene["CT"].actor, alone["id"], db.Page()),
        lambda: practices.start_practice(scene["CT"].actor, alone["id"], {"new_trail": "x"}),
        lambda: steps.list_steps(scene["CT"].actor, under["id"], db.Page()),
        lambda: step(scene, under, 0, "CT"),
        lambda: trail(scene, under, "CT"),
    ):
        with pytest.raises(NotFound):
            asking()
    with pytest.raises(Invalid):
        moment(scene, "CT", practice_id=under["id"])
    assert share(scene, "step", made, "care_team")["shared_with"] == "me"


def test_what_hangs_on_a_goal_follows_it_there_and_back(scene: Scene) -> None:
    under_goal = goal(scene)
    under = practice(scene, under_goal)
    shared, studied = step(scene, under), step(scene, under, 1, shared_with="research")
    private = step(scene, under, 2, **ME)
    noticed, by_staff = moment(scene, practice_id=under["id"]), step(scene, under, 3, "CT")
    followers = [
        ("practice", under),
        ("step", shared),
        ("step", studied),
        ("moment", noticed),
        ("step", by_staff),
    ]
    assert share(scene, "goal", under_goal, "me")["shared_with"] == "me"
    for kind, row in followers:
        assert not is_there(scene, kind, row), kind
        now = READ[kind](scene["PS"].actor, row["id"])
        assert now["shared_with"] == "me" and now["version"] == row["version"] + 1
    meanwhile = step(scene, under, 4)
    share(scene, "goal", under_goal, "care_team")
    values = [READ[k](scene["CT"].actor, row["id"])["shared_with"] for k, row in followers]
    assert values == ["care_team", "care_team", "research", "care_team", "care_team"]
    assert not is_there(scene, "step", private) and not is_there(scene, "step", meanwhile)


def test_a_practice_kept_private_stays_so_when_its_goal_comes_back(scene: Scene) -> None:
    under_goal = goal(scene)
    under = practice(scene, under_goal)
    made = step(scene, under)
    share(scene, "practice", under, "me")
    share(scene, "goal", under_goal, "me")
    share(scene, "goal", under_goal, "care_team")
    assert not is_there(scene, "practice", under) and not is_there(scene, "step", made)
    share(scene, "practice", under, "care_team")
    assert is_there(scene, "practice", under) and is_there(scene, "step", made)


def test_a_moment_of_staff_cannot_be_hidden_behind_a_private_practice(scene: Scene) -> None:
    private = practice(scene, goal(scene), **ME)
    staffs, theirs = moment(scene, "CT"), moment(scene)
    hang = {"practice_id": private["id"]}
    with pytest.raises(Invalid) as refusal:
        moments.change_moment(scene["PS"].actor, staffs["id"], 1, hang)
    assert refused_at(refusal) == ["/practice_id"]
    after = moments.change_moment(scene["PS"].actor, theirs["id"], 1, hang)
    assert after["shared_with"] == "me" and seen(scene, "CT", "moment", theirs) == (False, True)


def test_a_private_insight_is_named_to_nobody_else(scene: Scene) -> None:
    grew = insight(scene)
    made = goal(scene, "CT", insight_id=grew["id"])
    insights.change_insight(scene["PS"].actor, grew["id"], 1, ME)
    assert made["insight_id"] == grew["id"]
    read = goals.read_goal(scene["CT"].actor, made["id"])
    (row,) = goals.list_goals(scene["CT"].actor, scene.patient["id"], db.Page()).items
    changed = goals.change_goal(scene["CT"].actor, made["id"], 1, {"clinician_comment": "Fine."})
    assert {one["insight_id"] for one in (read, row, changed)} == {None}
    assert goals.read_goal(scene["PS"].actor, made["id"])["insight_id"] == grew["id"]
    with pytest.raises(Invalid):
        goal(scene, "CT", insight_id=grew["id"])


@pytest.mark.parametrize("chosen", ["care_team", "research", "me"])
@pytest.mark.parametrize("kind", ["goal", "practice", "step", "moment"])
def test_what_grew_from_an_insight_goes_with_it_when_it_is_kept_and_comes_back(
    scene: Scene, kind: str, chosen: str
) -> None:
    grew = insight(scene)
    under: dict[str, db.Values] = {"goal": goal(scene, insight_id=grew["id"])}
    under["practice"] = practice(scene, under["goal"])
    under["step"] = step(scene, under["practice"])
    under["moment"] = moment(scene, practice_id=under["practice"]["id"])
    was_seen = chosen != "me"
    share(scene, kind, under[kind], chosen)
    before = {name: is_there(scene, name, row) for name, row in under.items()}
    assert before[kind] == was_seen
    share(scene, "insight", grew, "me")
    for name, row in under.items():
        assert READ[name](scene["PS"].actor, row["id"])["shared_with"] == "me"
        assert not is_there(scene, name, row)
    for name in ("goal", "moment"):  # lists of the chart; the others went with their parents
        assert seen(scene, "CT", name, under[name]) == (False, True)
    share(scene, "insight", grew, "care_team")
    assert {name: is_there(scene, name, row) for name, row in under.items()} == before
    if was_seen:
        assert READ[kind](scene["PS"].actor, under[kind]["id"])["shared_with"] == chosen


def test_what_the_care_team_set_is_not_kept_from_it_by_what_it_grew_from(scene: Scene) -> None:
    grew = insight(scene)
    theirs = goal(scene, "CT", insight_id=grew["id"])
    walked = practice(scene, theirs)
    share(scene, "insight", grew, "me")
    assert is_there(scene, "goal", theirs) and is_there(scene, "practice", walked)


entries = st.tuples(
    st.integers(0, 80),
    st.sampled_from(sorted(WEIGHTS)),
    st.sampled_from(["me", "care_team", "research"]),
)


@ON_ONE_SCENE
@given(
    logged=st.lists(entries, max_size=12),
    interval=st.none() | st.integers(1, 9),
    noticed=st.lists(st.sampled_from(["me", "care_team"]), max_size=3),
    rest=st.none() | st.tuples(st.integers(0, 80), st.integers(0, 80)),
)
def test_everybody_reads_the_pure_trail_over_what_they_may_see(
    scene: Scene,
    logged: list[tuple[int, str, str]],
    interval: int | None,
    noticed: list[str],
    rest: tuple[int, int] | None,
) -> None:
    day = today(scene)
    of = practice(scene, goal(scene), interval_days=interval)
    for ago, kind, shared in logged:
        step(scene, of, ago, kind=kind, shared_with=shared)
    for shared in noticed:
        moment(scene, practice_id=of["id"], shared_with=shared)
    pauses = []
    if rest is not None:
        spans = [day - ago * DAY for ago in sorted(rest, reverse=True)]
        for status, on in zip(("paused", "active"), spans, strict=True):
            values = {"status": status, "status_from_on": on}
            practices.change_practice(scene["CT"].actor, of["id"], None, values)
        pauses = [Pause(*spans)]
    for who in ("PS", "CT"):
        mine = [one for one in logged if who == "PS" or one[2] != "me"]
        walks = [Walk(day - ago * DAY, WEIGHTS[kind]) for ago, kind, _ in mine]
        taken = [day - ago * DAY for ago, kind, _ in mine if kind == "detour"]
        assert trail(scene, of, who) | {"practice": None} == expected(
            walks, taken, pauses, day, Params(interval_days=interval)
        ) | {"moments_count": sum(who == "PS" or one != "me" for one in noticed)}


def expected(
    walks: list[Walk], taken: list[Any], pauses: list[Pause], day: Any, params: Params
) -> db.Values:
    """The answer that follows from the pure formula alone."""
    strength = pure.strength(walks, pauses, day, params)
    stage = pure.stage(strength, pure.steps_logged(walks, day))
    furthest = pure.furthest_stage(walks, pauses, day, params)
    detours = pure.detours(taken, walks, day)
    points = pure.curve(walks, pauses, day, params)
    return {
        "practice": None,
        "on": day,
        "strength": round(strength, 6),
        "stage": stage,
        "furthest_stage": furthest,
        "formula": "lally-1",
        "steps_total": sum(walk.weight > 0 for walk in walks),
        "detours": {name: getattr(detours, name) for name in detours.__slots__},
        "words": words.of_trail("en-US", stage, furthest),
        "curve": [{"on": one.on, "strength": round(one.strength, 6)} for one in points],
    }


choices = st.tuples(st.integers(0, 9), st.sampled_from(["me", "care_team", "research"]))


@ON_ONE_SCENE
@given(st.lists(choices, min_size=1, max_size=12))
def test_whatever_the_patient_chooses_others_see_the_visible_part_and_nothing_of_the_rest(
    scene: Scene, chosen: list[tuple[int, str]]
) -> None:
    with taken_back():
        tree = a_tree(scene)
        copy: set[Any] = set()
        ever = dict.fromkeys((row["id"] for _, row in tree), False)
        for number, value in [(0, "care_team"), *chosen]:
            kind, row = tree[number % len(tree)]
            share(scene, kind, row, value)
            now = {r["id"]: READ[k](scene["PS"].actor, r["id"]) for k, r in tree}
            visible = {i for i, one in now.items() if one["shared_with"] != "me"}
            assert {r["id"] for k, r in tree if is_there(scene, k, r)} == visible
            for _, row_ in tree:
                parent = row_.get("practice_id") or row_.get("goal_id")
                assert parent not in ever or parent in visible or row_["id"] not in visible
            ever |= dict.fromkeys(visible, True)
            found = changes(scene, tree)
            copy = (copy | found["items"]) - found["tombstones"]
            assert found["items"] == visible
            assert found["tombstones"] <= {i for i, was in ever.items() if was} - visible
            assert copy & visible == visible


@contextmanager
def taken_back() -> Iterator[None]:
    """What an example writes is undone, or the next one walks longer lists."""
    undone = db.store().connection.begin_nested()
    try:
        yield
    finally:
        undone.rollback()


def a_tree(scene: Scene) -> list[tuple[str, db.Values]]:
    """A goal with two practices, each with steps and a moment; everything the patient's own."""
    top = goal(scene)
    tree = [("goal", top)]
    for _ in range(2):
        one = practice(scene, top)
        tree += [("practice", one), ("step", step(scene, one)), ("step", step(scene, one, 1))]
        tree.append(("moment", moment(scene, practice_id=one["id"])))
    return tree


def changes(scene: Scene, tree: list[tuple[str, db.Values]]) -> dict[str, set[Any]]:
    """What the care team's lists answer to somebody who asks for all changes of these entries."""
    ids = {row["id"] for _, row in tree}
    found: dict[str, set[Any]] = {"items": set(), "tombstones": set()}
    for kind, row in tree:
        try:
            one = listed(scene, "CT", kind, row)
        except NotFound:
            continue
        found["items"] |= {r["id"] for r in one.items} & ids
        found["tombstones"] |= {r["id"] for r in one.tombstones or []} & ids
    return found
