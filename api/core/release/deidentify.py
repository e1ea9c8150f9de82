"""De-identify: bands, windows and codes: enough for outcomes, too little of anybody. Pure.

Safe Harbor, 45 CFR 164.514(b)(2): no date but as a window from the first dose, no place below a
state, no age above 89 but as "90 or older". Every value that leaves is a word of a closed list.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

POLICY_VERSION: Final = "1.1.0"
"""Of the rules in this folder; it changes with any of them."""
LEAST: Final = 11
"""The fewest patients that a published group holds (CMS: no cell of 1 to 10)."""
ROUND_TO: Final = 5
MOST_OFFSET: Final = 3650
"""Days before or after the first dose beyond which nothing is told."""
WITHHELD, OTHER = "withheld", "other"

OLDEST: Final = 90
BANDS: Final = ("18-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90+")
WIDE_BANDS: Final = ("18-39", "40-69", "70+")
SEXES: Final = ("female", "male")
_STATES: Final = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ"
    " NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY PR"
)
STATES: Final = frozenset(_STATES.split())
"""USPS codes of the states, the district and Puerto Rico."""
DIAGNOSES: Final = ("depression", "bipolar", "ptsd", "anxiety", "ocd", "substance_use", OTHER)
GROUPS: Final = (
    ("depression", ("F32", "F33", "F341")),
    ("bipolar", ("F30", "F31")),
    ("ptsd", ("F431",)),
    ("ocd", ("F42",)),
    ("anxiety", ("F40", "F41")),
    ("substance_use", tuple(f"F{n}" for n in range(10, 20))),
)
"""Groups of ICD-10-CM codes by how they begin; the first that fits."""

ZIP3: Final = (
    "006-007 009-035 037-054 056-058 060-089 100-101 103-191 193-201 206-212 214-268 270-310"
    " 312-331 333-339 341-342 344 346-347 349-352 354-368 370-374 376-398 400-418 420-427 430-458"
    " 460-508 510-516 520-528 530-532 534-535 537-551 553-554 557-567 570-577 580-588 590-620"
    " 622-631 633-641 644-648 650-658 660-662 664-681 683-691 693 700-701 703-708 710-714 716-731"
    " 734-741 743-752 754-770 773-816 820 822 824-838 840-841 843-847 850-853 855-857 859-860"
    " 863-865 870-871 873-875 877 880-883 890-891 894-895 897-898 900 902-908 910-928 930-937"
    " 939-941 943-961 967-968 970-986 988-999"
)
"""The prefixes of more than 20,000 people in the census of 2020; whatever is not here is 000."""


def _prefixes(text: str) -> frozenset[str]:
    spans = (part.partition("-") for part in text.split())
    return frozenset(
        f"{n:03}" for first, _, last in spans for n in range(int(first), int(last or first) + 1)
    )


ALLOWED_ZIP3: Final = _prefixes(ZIP3)


@dataclass(frozen=True)
class Window:
    """A stretch of days from the first dose, and the day that stands for all of it."""

    code: str
    nominal: int
    first: int
    last: int


WINDOWS: Final = (
    Window("baseline", 0, -14, 0),
    Window("week_01", 7, 1, 10),
    Window("week_02", 14, 11, 20),
    Window("week_04", 28, 21, 42),
    Window("week_12", 84, 63, 112),
    Window("week_24", 168, 140, 196),
)
BASELINE: Final = WINDOWS[0].code
CODES: Final = tuple(window.code for window in WINDOWS)
DOSES: Final = ("under_0.5", "0.5_to_0.74", "0.75_to_0.99", "1.0_and_more")
"""Bands of a dose in mg per kg."""
COUNTS: Final = ("1", "2", "3+")


def age_band(birth_on: date | None, on: date) -> str | None:
    """The band of an age on one day, the first dose's; the oldest are one class, 90 or older."""
    age = years(birth_on, on)
    if age is None or age == OLDEST:
        return BANDS[-1] if age else None
    return BANDS[max(0, age // 10 - 2)]


def wide_band(band: str) -> str:
    """The same in three bands."""
    place = BANDS.index(band)
    return WIDE_BANDS[(place > 1) + (place > 4)]


def state_of(region: str | None, country: str | None) -> str | None:
    """The state's code, or None for anything that is not one; free text never passes."""
    code = (region or "").strip().upper()
    return code if code in STATES and (country or "US") in ("US", "USA") else None


def zip3(postal_code: str | None) -> str:
    """The first three digits where more than 20,000 people live behind them, else 000."""
    digits = (postal_code or "").strip()
    sound = len(digits) >= 5 and digits[:5].isascii() and digits[:5].isdigit()
    return digits[:3] if sound and digits[:3] in ALLOWED_ZIP3 else "000"


def zip5(postal_code: str | None, country: str | None) -> str | None:
    """Five digits of a postal code of the United States, or None; for limited data sets alone."""
    digits = (postal_code or "").strip()[:5]
    sound = len(digits) == 5 and digits.isascii() and digits.isdigit()
    return digits if sound and (country or "US") in ("US", "USA") else None


def years(birth_on: date | None, on: date) -> int | None:
    """The age on a day, of the oldest 90; None for somebody who is not of age."""
    if birth_on is None:
        return None
    age = on.year - birth_on.year - ((on.month, on.day) < (birth_on.month, birth_on.day))
    return None if age < 18 else min(age, OLDEST)


def diagnosis_group(codes: Iterable[str]) -> str | None:
    """The group of the first diagnosis that has one; `other` where there are diagnoses of none."""
    flat = [code.replace(".", "").upper() for code in codes]
    for name, starts in GROUPS:
        if any(code.startswith(starts) for code in flat):
            return name
    return OTHER if flat else None


def window_of(offset: int) -> Window | None:
    """The window that a day lies in, counted from the first dose (day 0); None between windows."""
    return next((w for w in WINDOWS if w.first <= offset <= w.last), None)


def dose_band(mg_per_kg: float | None) -> str | None:
    """The band of a dose."""
    if mg_per_kg is None:
        return None
    return DOSES[sum(mg_per_kg >= edge for edge in (0.5, 0.75, 1.0))]


def count_band(count: int) -> str:
    """How often, up to three and more."""
    return COUNTS[min(count, len(COUNTS)) - 1]


def rounded(count: int, to: int = ROUND_TO) -> int:
    """A count to the nearest multiple of five; halves go up."""
    return (2 * count + to) // (2 * to) * to


def is_shown(count: int, least: int = LEAST) -> bool:
    """Whether a count of patients may be published: nobody, or at least eleven."""
    return count == 0 or count >= least


def masked(count: int, least: int = LEAST) -> int | str:
    """A count as a manifest tells it: those of 1 to 10 only as such."""
    return count if is_shown(count, least) else f"<{least}"
