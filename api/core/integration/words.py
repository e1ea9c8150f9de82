"""The words that patients read about their trail, by locale, with the date of their next review."""

import json
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DEFAULT = "en"


@cache
def _all() -> dict[str, dict[str, Any]]:
    return dict(json.loads((HERE / "words.json").read_text(encoding="utf-8")))


def say(locale: str, part: str, name: str, **values: Any) -> str:
    """The words for `name` in the language of `locale`, or in English where there are none yet."""
    spoken = _all().get(locale.split("-")[0], _all()[DEFAULT])
    return str(spoken[part][name]).format(**values)


def of_trail(locale: str, stage: str | None, furthest: str | None) -> str:
    """Kind words about a stage: never a figure, and never that something was lost."""
    name = "none" if stage is None else stage if stage == furthest else "further_before"
    return f"{say(locale, 'trail', name)} {say(locale, 'trail', 'measures')}"


def of_return(locale: str, days: int) -> str:
    """Kind words for the first step after a detour, `days` days later."""
    return say(locale, "step", "return_one" if days == 1 else "return_other", n=days)
