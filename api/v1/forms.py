"""The forms of v1: strict fields and the two kinds of schema, what is asked and what is shown."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import marshmallow as ma
from marshmallow import validate

DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2})(?:(\.\d{1,6})\d{0,30})?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
BAD_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
BAD_IN_LINE = re.compile(r"[\t\n\r\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What breaks a line, or makes it read otherwise than it is written."""
LINE = 500
"""Text of at most so many characters is one line: a name, a title, an address."""
EARLIEST, LATEST = date(1850, 1, 1), date(2200, 1, 1)
Field = ma.fields.Field[Any]


class Ask(ma.Schema):
    """What a client sends: unknown fields are refused, nothing is dropped silently."""

    class Meta:
        """Unknown fields are errors."""

        unknown = ma.RAISE

    error_messages = {"unknown": "This field is not known here or can't be written."}


class Show(ma.Schema):
    """What a client gets: it may grow, so readers ignore what they don't know."""

    class Meta:
        """Readers ignore what they do not know, and so do we."""

        unknown = ma.EXCLUDE


class Words(ma.fields.String):
    """Text without NUL, lone surrogates or control characters, at most `most` characters long.

    It is not blank. Up to `LINE` characters it is one line; longer text may have newlines.
    """

    def __init__(self, most: int = 200, least: int = 1, **kwargs: Any) -> None:
        self.is_line = most <= LINE
        rules = [validate.Length(min=least, max=most), *_listed(kwargs.pop("validate", []))]
        super().__init__(validate=rules, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if BAD_CHARACTERS.search(value):
            raise ma.ValidationError("Contains a character that can't be stored.")
        if self.is_line and BAD_IN_LINE.search(value):
            raise ma.ValidationError("Contains a character that has no place in one line.")
        if value and not any(c.isprintable() and not c.isspace() for c in value):
            raise ma.ValidationError("Is blank.")
        return value


def _listed(rules: Any) -> list[Any]:
    return list(rules) if isinstance(rules, list | tuple) else [rules]


class Choice(ma.fields.String):
    """One of a closed set of lower_snake words."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        self.choices = [str(choice) for choice in choices]
        super().__init__(validate=validate.OneOf(self.choices), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        return value


class Whole(ma.fields.Integer):
    """A whole number between `least` and `most`; "5" and 5.0 are not numbers here."""

    def __init__(self, least: int | None = None, most: int | None = None, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(least, most), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ma.ValidationError("Not a whole number.")
        return value


class Amount(ma.fields.Float):
    """A finite number between `least` and `most`."""

    def __init__(self, least: float, most: float, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(least, most), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ma.ValidationError("Not a number.")
        return float(value)


class Number(ma.fields.Float):
    """A number as it is: a whole one is shown without a point."""

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:
        return value


class Flag(ma.fields.Boolean):
    """true or false, and nothing that looks like them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ma.ValidationError("Not true or false.")
        return value


class QueryFlag(ma.fields.Boolean):
    """`true` or `false` in a query."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if value not in ("true", "false"):
            raise ma.ValidationError("Not true or false.")
        return bool(value == "true")


class QueryWhole(Whole):
    """A whole number in a query: ASCII digits alone."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"\d{1,9}", value, re.ASCII):
            raise ma.ValidationError("Not a whole number.")
        return int(value)


class Id(ma.fields.UUID):
    """A UUID in its canonical lower-case form."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or not ID.fullmatch(value):
            raise ma.ValidationError("Not an id.")
        return UUID(value)


class Day(ma.fields.Date):
    """A calendar date, `2026-11-25`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> date:
        try:
            if not DAY.fullmatch(value):
                raise ValueError
            day = date.fromisoformat(value)
        except (ValueError, TypeError):
            raise ma.ValidationError("Not a date (YYYY-MM-DD).") from None
        if not EARLIEST <= day <= LATEST:
            raise ma.ValidationError(f"Not between {EARLIEST} and {LATEST}.")
        return day

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:
        return value.isoformat() if isinstance(value, date) else value


class Instant(ma.fields.AwareDateTime):
    """An RFC 3339 instant; shown in UTC with `Z`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        return parse_instant(value)

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:
        return show_instant(value) if isinstance(value, datetime) else value


def parse_instant(value: Any) -> datetime:
    """The instant, in UTC; raises marshmallow's error for anything but RFC 3339 with an offset."""
    try:
        given = INSTANT.fullmatch(value)
        if given is None:
            raise ValueError
        exact = "".join(part or "" for part in given.groups())  # to the microsecond, no finer
        moment = datetime.fromisoformat(exact.upper().replace("Z", "+00:00")).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise ma.ValidationError("Not an instant (RFC 3339 with an offset).") from None
    if not EARLIEST <= moment.date() <= LATEST:
        raise ma.ValidationError(f"Not between {EARLIEST} and {LATEST}.")
    return moment


def show_instant(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Zone(Words):
    """An IANA time zone name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(most=64, validate=_is_zone, **kwargs)


def _is_zone(name: str) -> None:
    from zoneinfo import available_timezones

    if name not in available_timezones():
        raise ma.ValidationError("Not an IANA time zone.")


class Many(ma.fields.List[Any]):
    """A list with a length limit, checked before its items are."""

    def __init__(self, inner: Any, most: int = 100, least: int = 0, **kwargs: Any) -> None:
        self.most = most
        super().__init__(inner, validate=validate.Length(min=least, max=most), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self.most:
            raise ma.ValidationError(f"At most {self.most} items.")
        return list(super()._deserialize(value, attr, data, **kwargs))


def shown(field: Any, nullable: bool = False, **kwargs: Any) -> Any:
    """The same field in an answer: always there, perhaps null."""
    return field(required=True, allow_none=nullable, **kwargs)


MAX_POINTER = 500
"""How much of a name that was sent is told again."""


def writable(text: str) -> str:
    """Text that can be written down whatever was sent: what has no encoding is a `?`."""
    return text.encode("utf-8", "replace").decode()


def point_out(messages: Mapping[Any, Any] | list[Any], at: str = "") -> list[tuple[str, str]]:
    """Marshmallow's nested messages as flat (JSON pointer, detail) pairs, fit to be answered."""
    if isinstance(messages, list):
        where = writable(at[:MAX_POINTER]) or "/"
        return [(where, writable(str(message))) for message in messages]
    pairs: list[tuple[str, str]] = []
    for key, inner in messages.items():
        step = "" if key == "_schema" else "/" + str(key).replace("~", "~0").replace("/", "~1")
        nested = inner if isinstance(inner, Mapping | list) else [inner]
        pairs += point_out(nested, at + step)
    return pairs
