"""Tiers: what the rows of a release are by law, what its files hold, and what they say of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.core.release import limited_shapes, shapes
from api.core.release.shapes import Shape
from api.core.release.tables import DEIDENTIFIED, LIMITED


@dataclass(frozen=True)
class Tier:
    """One way to tell rows."""

    title: str
    basis: str
    opening: str
    """What the code book says first."""
    notice: str
    risks: tuple[str, ...]


OF: Final[Mapping[str, Tier]] = {
    DEIDENTIFIED: Tier(
        "De-identified outcomes",
        "De-identified under HIPAA by Safe Harbor, 45 CFR 164.514(b)(2)",
        "Never called anonymous: whoever could reach the key of codes could undo it. Days are"
        " counted from the first dose, where the patient lives; no file holds a day.",
        "Use the newest release: who withdrew is in none that came later.",
        (
            "Who knows the scores of a person at several windows may find their row: totals are"
            " exact.",
            "Who receives two projects may match subjects by the same long run of totals.",
            "Who keeps an older release sees which codes a newer one lacks.",
        ),
    ),
    LIMITED: Tier(
        limited_shapes.NOTICE,
        f"{limited_shapes.NOTICE}. 45 CFR 164.514(e), under a data use agreement",
        "Protected health information: used by whom the agreement names, for what it says, and"
        " nobody is looked for or written to. Dates are those where the patient lives; windows are"
        " counted from the first dose.",
        f"{limited_shapes.NOTICE}. Use the newest release: who withdrew is in none that came later."
        " Nothing may be done with it that the agreement does not say.",
        (
            "It is not de-identified: dates and postal codes may single somebody out.",
            "Who has a de-identified project of the clinic too may match subjects by their totals.",
            "Who keeps an older release sees which codes a newer one lacks.",
        ),
    ),
}
"""By the tier of a project, which is that of all its releases."""


def shapes_of(tier: str) -> Mapping[str, Shape]:
    """The files of a release of this tier, by name."""
    return limited_shapes.shapes() if tier == LIMITED else shapes.shapes()
