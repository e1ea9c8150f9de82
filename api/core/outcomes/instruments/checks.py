"""Whether a definition can be used: the JSON Schema first, then what a schema can't say."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from api.core.outcomes.instruments.catalogue import SCHEMA
from api.core.outcomes.instruments.fitting import misfits

MAX_FAULTS = 50
MAX_DETAIL = 200
Faults = list[tuple[str, str]]
"""Where and why: a JSON pointer into the definition, and what is wrong there."""


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of every definition."""
    read: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return read


@cache
def validator() -> Validator:
    """A validator of the schema to which 5.0 and true are no whole numbers."""
    strict = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, v: type(v) is int)
    kind = extend(Draft202012Validator, type_checker=strict)
    return kind(schema())


def faults(definition: Mapping[str, Any]) -> Faults:
    """Everything that is wrong with a definition; empty for one that can be used."""
    broken = _breaches(validator().iter_errors(definition))
    return broken or list(misfits(definition))[:MAX_FAULTS]


def _breaches(errors: Iterable[ValidationError]) -> Faults:
    found = []
    for error in errors:
        nearest = best_match([error]) or error
        found.append((pointer(*nearest.absolute_path), _detail(nearest)))
        if len(found) == MAX_FAULTS:
            break
    return found


def pointer(*steps: Any) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(s).replace("~", "~0").replace("/", "~1") for s in steps)


def _detail(error: ValidationError) -> str:
    """What is wrong, without repeating what was sent but for names."""
    rule, value = str(error.validator), error.validator_value
    if rule in ("required", "additionalProperties"):
        return _short(re.sub(r"^Additional properties are", "Unknown names are", error.message))
    return _short(f"Does not meet the schema: {rule} {json.dumps(value, default=str)}.")


def _short(text: str) -> str:
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"
