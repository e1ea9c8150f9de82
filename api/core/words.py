"""Words as data: names of codes and the questions that are asked, by locale, with a review date."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from api.access.policies import Actor
from api.core import gate
from api.db import Values

FALLBACK = "en-US"


@cache
def _texts() -> dict[str, Any]:
    texts: dict[str, Any] = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))
    return texts


def words_for(locale: str | None) -> Values:
    """Everything there is in a locale: `vocabularies`, `prompts`, `review_on`; else en-US."""
    found = locale if locale in _texts() else FALLBACK
    texts: Values = _texts()[found]
    return {"locale": found} | texts


def locale_of_region(region: str | None) -> str | None:
    """The first locale of a region that there are words in, or None."""
    return next((each for each in sorted(_texts()) if each.split("-")[1:] == [region]), None)


def prompt(key: str, locale: str | None = None) -> Values:
    """One question: `{key, text, beside, answer_with}`; KeyError when there is none of that key."""
    by_key: dict[str, Values] = {entry["key"]: entry for entry in words_for(locale)["prompts"]}
    return by_key[key]


def read_vocabularies(actor: Actor, locale: str | None = None) -> Values:
    """The names of every code in a locale; a patient is not shown those for staff alone."""
    gate.admit(actor, "words:read")
    texts = words_for(locale)
    return texts | {
        "vocabularies": {
            name: [word for word in words if not (actor.rights.is_patient and "staff" in word)]
            for name, words in texts["vocabularies"].items()
        }
    }


def read_prompts(actor: Actor, locale: str | None = None) -> Values:
    """The questions asked of patients in a locale."""
    gate.admit(actor, "words:read")
    return words_for(locale)
