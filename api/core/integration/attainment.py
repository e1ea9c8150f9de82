"""Goal Attainment Scaling: one figure for how far several goals were attained. Pure.

Kiresuk and Sherman 1968, doi:10.1007/BF01530764. Turner-Stokes 2009 printed the formula with
errors and corrected it in an erratum; this is the original.
"""

from collections.abc import Iterable
from math import sqrt
from typing import Final

FORMULA: Final = "gas-t-1"
RHO: Final = 0.3  # the correlation between scales that the authors assume
EXPECTED: Final = 50.0
PER_LEVEL: Final = 10.0
LEVEL_NAMES: Final = ("much_less", "less", "expected", "more", "much_more")
"""The five levels from -2 to +2; 0 is the outcome that was expected."""
PLACES: Final = 2


def t_score(rated: Iterable[tuple[float, int]], rho: float = RHO) -> float | None:
    """The T-score of goals given as (weight, level -2 to 2): 50 is what was expected of all.

    Null with no goal, or when every weight is 0.
    """
    pairs = list(rated)
    total = sum(weight for weight, _ in pairs)
    if total <= 0:
        return None
    spread = (1 - rho) * sum(weight**2 for weight, _ in pairs) + rho * total**2
    return EXPECTED + PER_LEVEL * sum(weight * level for weight, level in pairs) / sqrt(spread)


def rounded(score: float | None) -> float | None:
    """A T-score as it is shown."""
    return None if score is None else round(score, PLACES)
