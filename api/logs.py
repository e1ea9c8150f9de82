"""Logs: a JSON object a line, made of what can't hold a word of a patient.

An exception is told by its type and its place, never by its message: a database's complaint quotes
the values that it did not like, and SQLAlchemy's the whole statement. Of what a message was given,
only ids, numbers and booleans are written.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

HOUSE = Path(__file__).parent.parent
SAFE = (bool, int, float, UUID)
TOLD = ("request_id", "method", "route", "status", "duration_ms")
"""What a record may carry beside its message; all of it is made by the server."""
FRAMES = 12
"""Places told of one exception, the innermost last."""


class OneLine(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _event(record),
        }
        told |= {name: getattr(record, name) for name in TOLD if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            told["error"] = _error(record.exc_info[1])
        return json.dumps(told, ensure_ascii=False, default=str)


def _event(record: logging.LogRecord) -> str:
    """The message; what it was given is written only where it can't be anybody's words."""
    given = record.args
    if not given:
        return str(record.msg)
    values = tuple(given.values()) if isinstance(given, dict) else given
    if all(isinstance(value, SAFE) for value in values):
        return record.getMessage()
    return str(record.msg)


def _error(error: BaseException) -> dict[str, Any]:
    """What went wrong and where: its type, the database's code, and the places in the code."""
    origin = getattr(error, "orig", None) or error
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    code = getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorname", None)
    return {
        "type": type(error).__name__,
        "origin": type(origin).__name__,
        "code": code,
        "at": [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _short(path: str) -> str:
    """A file's path within the house, or its last two parts."""
    file = Path(path)
    if file.is_relative_to(HOUSE / "api"):
        return str(file.relative_to(HOUSE))
    return "/".join(file.parts[-2:])


def prepare(level: str) -> None:
    """Write everything of `level` and above to the standard error, a line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each.formatter, OneLine)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # others tell too much of what they are given
    logging.getLogger("freshtrail").setLevel(level.upper())
