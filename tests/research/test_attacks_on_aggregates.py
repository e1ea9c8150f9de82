"""Attacks on the cube: what is hidden can't be reckoned, by one table or by several."""

from collections import Counter
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import linprog

from api import db
from api.core.release import cube, deidentify as d
from api.core.release.cube import BY_ROUTE, COURSE, OUTCOMES, Family, Sums
from tests.research import naive

SLACK = (d.ROUND_TO - 1) / 2 + 0.5


def family(groups: list[tuple[int, int]], seed: int = 0) -> tuple[Family, dict[Any, int]]:
    """A family of groups, each of so many people of whom so many responded."""
    made, members, place = Family(), {}, 0
    for number, (people, met) in enumerate(groups):
        bits = sum(1 << n for n in range(place, place + people))
        made.who |= bits
        made.outcomes["response"] |= sum(1 << n for n in range(place, place + met))
        members[BY_ROUTE, f"g{number}"] = bits
        made.sums[BY_ROUTE, f"g{number}"] = Sums(people, 10.0 * people, 120.0 * people)
        place += people
    members[COURSE, cube.ALL] = made.who
    total = sum(people for people, _ in groups)
    made.sums[COURSE, cube.ALL] = Sums(total, 10.0 * total, 120.0 * total)
    return made, members


def told(groups: list[tuple[int, int]]) -> dict[str, list[Any]]:
    made, members = family(groups)
    return {table["cut"]: table["rows"] for table in cube._tables(made, members)}


def test_6_a_naive_table_gives_back_what_it_hides(plain: Path) -> None:
    by_sex = naive.counts(plain, "sex")
    told = {group: n for group, n in by_sex.items() if n >= 11}  # primary suppression alone
    assert by_sex.total() - sum(told.values()) == by_sex["intersex",] == 1


def test_6_ten_are_hidden_and_eleven_shown() -> None:
    hidden = told([(60, 10)])["course"][0]
    assert hidden["response"] is None
    shown = told([(60, 11)])["course"][0]
    assert shown["response"] == {"n": 10, "percent": 17} and shown["n"] == 60
    assert told([(60, 50)])["course"][0]["response"] is None  # ten who did not
    assert told([(10, 0)]) == {}
    assert d.rounded(0) == 0 and d.is_shown(0) and d.masked(0) == 0 and d.masked(10) == "<11"


def test_6_a_group_of_ten_goes_with_others_or_its_table_goes() -> None:
    assert [row["group"] for row in told([(40, 20), (10, 3), (5, 2)])["by_route"]] == [
        "g0",
        "other",
    ]
    assert "by_route" not in told([(40, 20), (10, 3)])
    assert "by_route" not in told([(40, 20)])


def attack(rows: dict[str, list[Any]], merged: int) -> list[tuple[float, float]]:
    """The feasible interval of each group's responders that are hidden, by linear programming.

    Variables are responders and others of each group; what is told holds within its rounding.
    """
    groups = [row["n"] for row in rows["by_route"]]
    size = 2 * len(groups)
    upper, bounds = [], []

    def within(weights: dict[int, float], value: float) -> None:
        line = [weights.get(n, 0.0) for n in range(size)]
        upper.extend([line, [-w for w in line]])
        bounds.extend([value + SLACK, -(value - SLACK)])

    whole = rows["course"][0]
    within(dict.fromkeys(range(size), 1.0), whole["n"])
    if whole["response"] is not None:
        within({2 * n: 1.0 for n in range(len(groups))}, whole["response"]["n"])
    hidden = []
    for number, row in enumerate(rows["by_route"]):
        within({2 * number: 1.0, 2 * number + 1: 1.0}, row["n"])
        if row["response"] is None:
            hidden.append(number)
        else:
            within({2 * number: 1.0}, row["response"]["n"])
    found = []
    for number in hidden:
        aim = np.zeros(size)
        aim[2 * number] = 1
        ends = [
            linprog(sign * aim, A_ub=np.array(upper), b_ub=np.array(bounds), bounds=(0, None))
            for sign in (1, -1)
        ]
        assert all(end.status == 0 for end in ends)
        found.append((ends[0].fun, -ends[1].fun))
    return found


def test_7_linear_programming_gives_back_what_is_hidden_beside_exact_margins(
    plain: Path,
) -> None:
    cells: Counter[tuple[str, str]] = Counter()
    for row in naive.read(plain):
        if row["state"] in ("CO", "UT", "WY"):
            cells[row["first_on"][:7], row["state"]] += 1
    there = sorted(cells)
    hidden = [one for one in there if cells[one] < d.LEAST]  # primary suppression alone
    lines, values = [], []
    for shown in (one for one in there if one not in hidden):
        lines.append([int(one == shown) for one in there])
        values.append(cells[shown])
    for part in (0, 1):  # beside their margins
        for margin in {one[part] for one in there}:
            lines.append([int(one[part] == margin) for one in there])
            values.append(sum(n for one, n in cells.items() if one[part] == margin))
    given_back = []
    for one in hidden:
        aim = np.array([float(one == other) for other in there])
        ends = [linprog(s * aim, A_eq=lines, b_eq=values, bounds=(0, None)) for s in (1, -1)]
        low, high = ends[0].fun, -ends[1].fun
        if high - low < 1e-6:
            given_back.append((cells[one], low))
    assert given_back and all(truth == pytest.approx(low) for truth, low in given_back)


@st.composite
def _groups(draw: Any) -> list[tuple[int, int]]:
    sizes = draw(st.lists(st.integers(0, 60), min_size=1, max_size=5))
    return [(n, draw(st.integers(0, n))) for n in sizes]


@settings(max_examples=60, deadline=None)
@given(_groups())
def test_7_what_is_hidden_may_be_anything_within_eleven(groups: list[tuple[int, int]]) -> None:
    rows = told(groups)
    if "by_route" in rows:
        for low, high in attack(rows, len(groups)):
            met = rows["course"][0]["response"]
            if met is None or 0 < met["n"] < rows["course"][0]["n"]:
                assert high - low >= d.LEAST - 1e-6


def sets_told(tally: cube.Tally, name: str, tables: list[Any]) -> list[int]:
    """The sets of people whose counts one family tells, and who of them there are."""
    found, one = [], tally.families[name]
    for table in tables:
        merged = {row["group"] for row in table["rows"]}
        for row in table["rows"]:
            bits = tally.groups.get((table["cut"], row["group"]))
            if bits is None:
                kept = [
                    b for (c, g), b in tally.groups.items() if c == table["cut"] and g not in merged
                ]
                bits = 0
                for each in kept:
                    bits |= each
            found.append(one.who & bits)
            found += [one.outcomes[o] & one.who & bits for o in OUTCOMES if row[o] is not None]
    return found


def test_8_no_two_figures_differ_by_one_to_ten_people(plain: Path, first: db.Values) -> None:
    rows = naive.read(plain)  # two free filters over the same people, both of many
    wide, less = (sum(int(row["age"]) <= most for row in rows) for most in (120, 89))
    assert less >= 11 and wide - less == 1
    tally = cube.Tally(first, {})
    for name, tables in first["cube"]["tables"].items():
        for a, b in combinations(sets_told(tally, name, tables), 2):
            if a & b in (a, b):
                assert d.is_shown((a ^ b).bit_count()), name


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_8_nor_by_any_data(seed: int) -> None:
    random = Random(seed)
    made, members = family([(random.randrange(0, 50), 0) for _ in range(4)])
    people = [n for n in range(made.who.bit_length())]
    for outcome in OUTCOMES:
        some = random.sample(people, random.randrange(len(people) + 1))
        made.outcomes[outcome] = sum(1 << n for n in some)
    if random.random() < 0.5:  # who remits responds too
        made.outcomes["remission"] &= made.outcomes["response"]
    tally = cube.Tally.__new__(cube.Tally)
    tally.families, tally.groups = {"x": made}, members
    tables = [*cube._tables(made, members)]
    for a, b in combinations(sets_told(tally, "x", tables), 2):
        if a & b in (a, b):
            assert d.is_shown((a ^ b).bit_count())


def test_25_five_people_and_nobody_are_told_alike(plain: Path) -> None:
    by_state = naive.counts(plain, "state")
    assert (by_state["VT",], by_state["AK",]) == (1, 0)  # a naive answer says who is there
    assert told([(5, 2)]) == told([(0, 0)]) == {}


def test_35_the_same_question_has_the_same_answer(plain: Path, first: db.Values) -> None:
    truth, chance = naive.counts(plain, "sex")["intersex",], Random(5)
    noisy = [truth + chance.gauss(0, 2) for _ in range(1000)]  # fresh noise for each asking
    assert round(sum(noisy) / len(noisy)) == truth
    asked = {str(cube.cells(first["cube"], COURSE)) for _ in range(100)}
    assert len(asked) == 1  # there is no noise that a hundred answers would take away


def test_figures_are_those_of_the_rows(first: db.Values, files: Any) -> None:
    rows = [r for r in files["scores"] if r["window"] == "week_04" and r["difference"] != ""]
    cell = next(c for c in cube.cells(first["cube"], COURSE) if c["window"] == "week_04")
    assert cell["n"] == d.rounded(len(rows))
    assert cell["mean"] == pytest.approx(sum(float(r["total"]) for r in rows) / len(rows), abs=0.06)
    met = sum(r["response"] == "true" for r in rows)
    assert cell["response"] == {
        "n": d.rounded(met),
        "percent": round(100 * d.rounded(met) / cell["n"]),
    }
