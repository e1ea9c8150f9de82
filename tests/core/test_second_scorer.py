"""Two scorers that share nothing agree on ten thousand forms of every instrument."""

import random
from typing import Any

import pytest

from api.core.outcomes.instruments.scoring import score
from tests.core.second_scorer import Marks, second_score
from tests.core.test_scoring import ALL

FORMS = 10_000
SEXES = ("female", "male", "unknown")


@pytest.mark.parametrize("key", sorted(ALL))
def test_a_second_scorer_agrees_on_ten_thousand_forms(key: str) -> None:
    one, chance = ALL[key], random.Random(f"second scorer {key}")
    ids = [item.link_id for item in one.scored_items]
    values = [sorted(item.values) for item in one.scored_items]
    for _ in range(FORMS):
        marks, sex = _marks(chance, values), chance.choice(SEXES)
        answers: dict[str, Any] = dict(zip(ids, marks, strict=True))
        left = {link_id for link_id, mark in answers.items() if mark is None}
        for link_id in left:
            if chance.random() < 0.5:
                del answers[link_id]
        assert score(one, answers, sex) == second_score(key, marks, sex), (marks, sex)


def _marks(chance: random.Random, values: list[list[int]]) -> Marks:
    """Answers in the order of the form: whole, or with gaps; anyhow, or near one end."""
    gaps = chance.choice([0.0, 0.0, 0.1, 0.3])
    near = chance.choice([1.0, 1.0, 0.4, 2.5])
    return [
        None if chance.random() < gaps else there[int(len(there) * chance.random() ** near)]
        for there in values
    ]
