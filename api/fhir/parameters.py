"""Search parameters: how each kind of them is read, and whether a resource answers to one.

FHIR R4 search, https://hl7.org/fhir/R4/search.html, asked of the resource as it would be sent.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from unicodedata import category, normalize

from api.fhir import dates

Json = dict[str, Any]
TOKEN, STRING, DATE, REFERENCE, URI = "token", "string", "date", "reference", "uri"


class BadParam(ValueError):
    """A parameter can't be asked for, or not with this value; its message may be shown."""


@dataclass(frozen=True)
class Param:
    """A search parameter of a type: its kind, the elements it looks at, what it may point to."""

    kind: str
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ()
    definition: str = ""


def token(*paths: str) -> Param:
    """A parameter that looks for a code or an identifier."""
    return Param(TOKEN, paths)


def string(*paths: str) -> Param:
    """A parameter that looks for the beginning of words."""
    return Param(STRING, paths)


def date(*paths: str) -> Param:
    """A parameter that looks for a time."""
    return Param(DATE, paths)


def reference(path: str, *targets: str) -> Param:
    """A parameter that looks for what a resource points to."""
    return Param(REFERENCE, (path,), targets)


def patient(path: str = "subject") -> dict[str, Param]:
    """The parameter for the patient whose chart it hangs on."""
    return {"patient": reference(path, "Patient")}


COMMON: Final[Mapping[str, Param]] = {"_id": token("id"), "_lastUpdated": date("meta.lastUpdated")}


@dataclass(frozen=True)
class Filter:
    """What one parameter of a query asks: any of its values."""

    name: str
    param: Param
    modifier: str
    values: tuple[str, ...]


def filter_of(name: str, param: Param, modifier: str, text: str) -> Filter:
    """A filter as it was sent; raises `BadParam` for a modifier or a value that has no meaning."""
    allowed = MODIFIERS[param.kind]
    if modifier and modifier not in (*allowed, "missing", *param.targets):
        raise BadParam(f"The modifier :{modifier} is not supported for {name}.")
    values = tuple(split(text))
    if not all(values):
        raise BadParam(f"The parameter {name} has no value.")
    if modifier == "missing":
        if text not in ("true", "false"):
            raise BadParam(f"{name}:missing is true or false.")
        return Filter(name, param, modifier, values)
    if param.kind == DATE:
        _check_dates(name, values)
    return Filter(name, param, modifier, values)


def _check_dates(name: str, values: tuple[str, ...]) -> None:
    try:
        for value in values:
            dates.asked(value)
    except dates.BadDate:
        raise BadParam(f"{name} is a date, such as 2026-01-31.") from None


MODIFIERS: Final = {
    TOKEN: ("not",),
    STRING: ("exact", "contains"),
    DATE: (),
    REFERENCE: (),
    URI: (),
}


def split(text: str) -> Iterator[str]:
    """The values of a parameter: a comma parts them, unless it is escaped."""
    return iter(re.split(r"(?<!\\),", text))


def plain(value: str) -> str:
    """A value without its escapes."""
    if "\\" not in value:
        return value
    return re.sub(r"\\([\\,|$])", r"\1", value)


def answers(filter_: Filter, resource: Json, base: str) -> bool:
    """Whether the resource answers to the filter; `base` is where our own references begin."""
    there = [v for path in filter_.param.paths for v in found(resource, path)]
    if filter_.modifier == "missing":
        return (not there) == (filter_.values[0] == "true")
    test = TESTS[filter_.param.kind]
    hit = any(test(filter_, value, one, base) for value in filter_.values for one in there)
    return not hit if filter_.modifier == "not" else hit


def found(resource: Any, path: str) -> list[Any]:
    """Every value at a dotted path, through lists."""
    values = [resource]
    for step in path.split("."):
        values = [
            one
            for value in values
            if isinstance(value, dict) and step in value
            for one in (value[step] if isinstance(value[step], list) else [value[step]])
        ]
    return values


def _token(_filter: Filter, asked: str, value: Any, _base: str) -> bool:
    system, bar, code = _halves(asked)
    for has_system, has_code in _codes(value):
        if bar and system != (has_system or ""):
            continue
        if code.casefold() == has_code.casefold() if code else bool(bar):
            return True
    return False


def _halves(asked: str) -> tuple[str, str, str]:
    parts = re.split(r"(?<!\\)\|", asked, maxsplit=1)
    if len(parts) == 1:
        return "", "", plain(parts[0])
    return plain(parts[0]), "|", plain(parts[1])


def _codes(value: Any) -> Iterator[tuple[str | None, str]]:
    """Every `(system, code)` of a code, coding, concept, identifier, contact or boolean."""
    if isinstance(value, bool):
        yield None, str(value).lower()
    elif isinstance(value, str):
        yield None, value
    elif isinstance(value, dict):
        for one in value.get("coding", []):
            yield from _codes(one)
        code = value.get("code", value.get("value"))
        if isinstance(code, str):
            yield value.get("system"), code


def _string(filter_: Filter, asked: str, value: Any, _base: str) -> bool:
    wanted = plain(asked)
    for text in _texts(value):
        if filter_.modifier == "exact":
            if text == wanted:
                return True
        elif filter_.modifier == "contains":
            if folded(wanted) in folded(text):
                return True
        elif folded(text).startswith(folded(wanted)):
            return True
    return False


def _texts(value: Any) -> Iterator[str]:
    """Every text of a string, a name or an address."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in ("use", "period", "type"):
                for one in inner if isinstance(inner, list) else [inner]:
                    yield from _texts(one)


def folded(text: str) -> str:
    """Text as it is compared: case, accents and runs of spaces do not count."""
    bare = "".join(c for c in normalize("NFKD", text) if category(c) != "Mn")
    return " ".join(bare.casefold().split())


def _date(_filter: Filter, asked: str, value: Any, _base: str) -> bool:
    return dates.answers(asked, value)


def _reference(filter_: Filter, asked: str, value: Any, base: str) -> bool:
    told = value.get("reference", "") if isinstance(value, dict) else str(value)
    wanted = plain(asked)
    if not isinstance(value, dict):
        return wanted in (told, told.split("|")[0])
    wanted = wanted.removeprefix(base + "/")
    if filter_.modifier:
        wanted = f"{filter_.modifier}/{wanted.removeprefix(filter_.modifier + '/')}"
    kind, _, record_id = told.partition("/")
    if filter_.param.targets and kind not in filter_.param.targets:
        return False
    return wanted in (told, record_id)


def _uri(_filter: Filter, asked: str, value: Any, _base: str) -> bool:
    return bool(plain(asked) == value)


TESTS: Final[Mapping[str, Callable[[Filter, str, Any, str], bool]]] = {
    TOKEN: _token,
    STRING: _string,
    DATE: _date,
    REFERENCE: _reference,
    URI: _uri,
}


def sort_key(param: Param, resource: Json) -> str | None:
    """By what a resource is ordered for a parameter: its first value; None without one."""
    there = [v for path in param.paths for v in found(resource, path)]
    texts = [text for value in there for text in _sortable(param.kind, value)]
    return min(texts) if texts else None


def _sortable(kind: str, value: Any) -> Iterator[str]:
    if kind == DATE:
        yield from dates.ordered(value)
    elif kind == TOKEN:
        yield from (code for _, code in _codes(value))
    elif kind == REFERENCE:
        yield value.get("reference", "") if isinstance(value, dict) else str(value)
    else:
        yield from map(folded, _texts(value))
