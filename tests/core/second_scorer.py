"""A second scorer: the forms by heart, in fractions. It reads no definition and none of our code.

It takes the answers as a plain list in the order of the form, None for each that is missing.
"""

from fractions import Fraction
from math import floor
from typing import Any

Marks = list[int | None]
Figures = dict[str, Any]
Table = list[tuple[int, str]]

PHQ: Table = [
    *((4, "minimal"), (9, "mild"), (14, "moderate"), (19, "moderately_severe"), (27, "severe")),
]
GAD: Table = [(4, "minimal"), (9, "mild"), (14, "moderate"), (21, "severe")]
TWO: Table = [(2, "negative"), (6, "positive")]
PCL: Table = [(32, "below_cutoff"), (80, "at_or_above_cutoff")]
ISI: Table = [(7, "none"), (14, "subthreshold"), (21, "moderate"), (28, "severe")]
K10: Table = [(19, "low"), (24, "mild"), (29, "moderate"), (50, "severe")]
WSAS: Table = [(9, "subclinical"), (20, "significant"), (40, "moderately_severe")]
WHO: Table = [(28, "very_low"), (50, "reduced"), (100, "adequate")]
QIDS: Table = [(5, "none"), (10, "mild"), (15, "moderate"), (20, "severe"), (27, "very_severe")]
REVERSED: Table = [(9, "low"), (20, "high")]
# Up to which total each word reaches, the least and most of an item, how many may be missing.
SUMS: dict[str, tuple[Table, int, int, int]] = {
    "phq-9": (PHQ, 0, 3, 2),
    "phq-2": (TWO, 0, 3, 0),
    "gad-7": (GAD, 0, 3, 1),
    "gad-2": (TWO, 0, 3, 0),
    "pcl-5": (PCL, 0, 4, 4),
    "isi": (ISI, 0, 4, 0),
    "k10": (K10, 1, 5, 0),
    "wsas": (WSAS, 0, 8, 1),
    "x-fixture-reverse": (REVERSED, 0, 4, 1),
}
POSITIVE = {
    "phq-9": (10, "phq9_screen_positive"),
    "phq-2": (3, "phq2_screen_positive"),
    "gad-7": (10, "gad7_screen_positive"),
    "gad-2": (3, "gad2_screen_positive"),
    "pcl-5": (33, "pcl5_cutoff_positive"),
    "x-fixture-reverse": (10, "xrev_high"),
}
DASS = {
    "depression": ([3, 5, 10, 13, 16, 17, 21], [9, 13, 20, 27, 42]),
    "anxiety": ([2, 4, 7, 9, 15, 19, 20], [7, 9, 14, 19, 42]),
    "stress": ([1, 6, 8, 11, 12, 14, 18], [14, 18, 25, 33, 42]),
}
DASS_WORDS = ["normal", "mild", "moderate", "severe", "extremely_severe"]


def second_score(key: str, marks: Marks, sex: str) -> Figures:
    """What the form `key` comes to."""
    if key in SUMS:
        figures = _sum(key, marks)
    else:
        figures = {
            "audit-c": lambda: _audit_c(marks, sex),
            "who-5": lambda: _who_5(marks),
            "srbai": lambda: _srbai(marks),
            "qids-sr16": lambda: _qids(marks),
            "dass-21": lambda: _dass(marks),
            "c-ssrs-screener": lambda: _c_ssrs(marks),
        }[key]()
    return figures | {"flags": sorted(figures["flags"])}


def _half_up(number: Fraction, decimals: int = 0) -> Any:
    tens = 10**decimals
    whole = floor(number * tens + Fraction(1, 2))
    return whole if decimals == 0 else whole / tens


def _word(table: Table, total: Any) -> str | None:
    return None if total is None else [word for most, word in table if total <= most][0]


def _counts(marks: Marks) -> Figures:
    gaps = marks.count(None)
    status = "incomplete" if gaps else "complete"
    return {"status": status, "answered": len(marks) - gaps, "missing": gaps, "flags": []}


def _known(marks: Marks) -> list[int]:
    return [mark for mark in marks if mark is not None]


def _plain(marks: Marks, table: Table, least: int, most: int, may_miss: int) -> Figures:
    """The figures of a simple sum."""
    known, gaps = _known(marks), marks.count(None)
    low, high = sum(known) + gaps * least, sum(known) + gaps * most
    total = None if gaps else low
    mean = None
    if known and 0 < gaps <= may_miss:
        mean = _half_up(Fraction(sum(known), len(known)) * len(marks))
    figures = {"min_possible": low, "max_possible": high, "total": total}
    more = {"prorated_total": mean, "prorated_band": _word(table, mean)}
    return _counts(marks) | figures | more | {"band": _word(table, total)}


def _sum(key: str, marks: Marks) -> Figures:
    if key == "x-fixture-reverse":
        marks = [4 - m if place in (1, 3) and m is not None else m for place, m in enumerate(marks)]
    figures = _plain(marks, *SUMS[key])
    line, flag = POSITIVE.get(key, (1000, ""))
    flags = [flag] if figures["min_possible"] >= line else []
    if key == "x-fixture-reverse":
        figures["subscales"] = {"one": _all(marks[:2]), "two": _all(marks[2:])}
    if key == "phq-9":
        figures |= _syndromes(marks)
        flags += _suicidality(marks[8])
    if key == "pcl-5":
        figures |= _clusters(marks)
        flags += ["review_risk_taking_item"] if (marks[15] or 0) >= 2 else []
    return figures | {"flags": flags}


def _all(marks: Marks) -> int | None:
    return None if None in marks else sum(_known(marks))


def _suicidality(mark: int | None) -> list[str]:
    if mark is None:
        return ["safety_item_unanswered"]
    return ["suicidality_item_positive", "suicidality_item_high"][: min(mark, 2)]


def _syndromes(marks: Marks) -> Figures:
    if None in marks:
        return {"provisional_mds": None, "provisional_ods": None}
    symptoms = [str(mark) in "23" for mark in marks[:8]] + [marks[8] != 0]
    core, count = any(symptoms[:2]), sum(symptoms)
    return {"provisional_mds": core and count > 4, "provisional_ods": core and 1 < count < 5}


def _clusters(marks: Marks) -> Figures:
    """The four clusters, and whether at least 1, 1, 2 and 2 of their items are at 2 or more."""
    parts = {"B": marks[0:5], "C": marks[5:7], "D": marks[7:14], "E": marks[14:20]}
    needed = {"B": 1, "C": 1, "D": 2, "E": 2}
    at_best = [
        sum(m is None or m >= 2 for m in part) >= needed[name] for name, part in parts.items()
    ]
    at_worst = [
        sum(m is not None and m >= 2 for m in part) >= needed[name] for name, part in parts.items()
    ]
    said = True if all(at_worst) else None if all(at_best) else False
    sums = {name: _all(part) for name, part in parts.items()}
    return {"subscales": sums, "provisional_ptsd": said}


def _audit_c(marks: Marks, sex: str) -> Figures:
    if marks[0] == 0:
        marks = [0 if mark is None else mark for mark in marks]
    line = 4 if sex == "male" else 3
    figures = _plain(marks, [(line - 1, "negative"), (12, "positive")], 0, 4, 0)
    flags = ["auditc_positive"] if figures["min_possible"] >= line else []
    if flags and None not in marks and marks[1] == marks[2] == 0:
        flags.append("auditc_q1_only")
    return figures | {"flags": flags}


def _who_5(marks: Marks) -> Figures:
    raw = _plain(marks, WHO, 0, 5, 0)
    times = {name: raw[name] * 4 for name in ("min_possible", "max_possible")}
    total = None if raw["total"] is None else raw["total"] * 4
    lines = {"who5_low": 50, "who5_very_low": 28}
    flags = [flag for flag, line in lines.items() if times["max_possible"] <= line]
    more = {"total": total, "raw": raw["total"], "band": _word(WHO, total), "flags": flags}
    return raw | times | more


def _srbai(marks: Marks) -> Figures:
    known, gaps = _known(marks), marks.count(None)
    low, high = (_half_up(Fraction(sum(known) + gaps * end, 4), 2) for end in (1, 7))
    total = None if gaps else low
    mean = _half_up(Fraction(sum(known), 3), 2) if gaps == 1 else None
    figures = {"min_possible": low, "max_possible": high, "total": total, "prorated_total": mean}
    return _counts(marks) | figures | {"band": _ease(total), "prorated_band": _ease(mean)}


def _ease(mean: float | None) -> str | None:
    if mean is None:
        return None
    return "effortful" if mean < 3 else "becoming_easier" if mean < 5 else "familiar"


def _qids(marks: Marks) -> Figures:
    domains = [marks[0:4], marks[4:5], marks[5:9], *([m] for m in marks[9:14]), marks[14:16]]
    low, high = (
        sum(max(gap if m is None else m for m in domain) for domain in domains) for gap in (0, 3)
    )
    total = None if None in marks else low
    figures = {"min_possible": low, "max_possible": high, "total": total}
    none = {"prorated_total": None, "prorated_band": None}
    more = {"band": _word(QIDS, total), "flags": _suicidality(marks[11])}
    return _counts(marks) | figures | none | more


NO_TOTAL = dict.fromkeys(
    ("min_possible", "max_possible", "total", "band", "prorated_total", "prorated_band")
)


def _dass(marks: Marks) -> Figures:
    sums: Figures = {}
    words: Figures = {}
    means: Figures = {}
    for name, (places, edges) in DASS.items():
        part = [marks[place - 1] for place in places]
        known = _known(part)
        sums[name] = None if None in part else 2 * sum(known)
        words[name] = _word(list(zip(edges, DASS_WORDS, strict=True)), sums[name])
        means[name] = _half_up(Fraction(14 * sum(known), 6)) if len(known) == 6 else None
    parts = {"subscales": sums, "subscale_bands": words, "prorated_subscales": means}
    return _counts(marks) | NO_TOTAL | parts


TIERS = ["none", "low", "moderate", "high"]


def _c_ssrs(marks: Marks) -> Figures:
    """Items 1 to 6, then 6 within three months; 3 to 5 only after 2, the last only after 6."""
    due = [0, 1, 5] + ([2, 3, 4] if marks[1] == 1 else []) + ([6] if marks[5] == 1 else [])
    missing = [place for place in due if marks[place] is None]
    worst = [1 if mark is None else mark for mark in marks]
    if marks[1] == 0:
        worst[2:5] = [mark or 0 for mark in marks[2:5]]
    if marks[5] == 0:
        worst[6] = marks[6] or 0
    tier = _tier([mark or 0 for mark in marks])
    flags = [f"suicide_risk_{tier}"] if tier != "none" else []
    flags += ["suicide_screen_incomplete"] if missing else []
    flags += ["cssrs_branch_inconsistent"] if marks[1] == 0 and 1 in marks[2:5] else []
    counts = {"answered": len(_known(marks)), "missing": len(missing), "flags": flags}
    status = {"status": "incomplete" if missing else "complete"}
    return status | counts | NO_TOTAL | {"tier": tier, "tier_upper": _tier(worst)}


def _tier(yes: list[int]) -> str:
    if yes[3] or yes[4] or yes[6]:
        return "high"
    if yes[2] or yes[5]:
        return "moderate"
    return "low" if yes[0] or yes[1] else "none"
