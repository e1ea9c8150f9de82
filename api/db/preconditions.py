"""What must hold of a record before anything is done with it: it is there, and as it was read."""

from collections.abc import Mapping
from typing import Any

from api.errors import NotFound, Stale
from api.paging import Values


def match(record: Mapping[str, Any], version: int | None) -> None:
    """Raise `Stale` unless the record is at `version`; None matches any."""
    if version is not None and record["version"] != version:
        raise Stale("The record was changed since you read it.")


def found(row: Values | None) -> Values:
    """The row, or `NotFound`, in the same words for absent and out of reach."""
    if row is None:
        raise NotFound("There is no such record.")
    return row
