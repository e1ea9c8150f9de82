"""The protocols of this release: examples that a clinic's medical director makes their own."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from api.core.treatment.protocols.definition import Protocol, protocol_from

IN_USE: Final = "ketamine"
"""The protocol by which the window is reckoned of a dose that began with no version; the other
shipped ones have its window and its words."""
ALIKE: Final = ("window", "patient_instructions")
FOLDER: Final = Path(__file__).parent


@cache
def shipped_as_data() -> dict[str, dict[str, Any]]:
    """The JSON of every shipped protocol, whole, by key."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")]
    by_key = {str(one["key"]): one for one in found}
    alike = {name: by_key[IN_USE][name] for name in ALIKE}
    return {key: alike | by_key[key] for key in sorted(by_key)}


@cache
def shipped() -> dict[str, Protocol]:
    """Every shipped protocol, by key."""
    return {key: protocol_from(told) for key, told in shipped_as_data().items()}


def in_use() -> Protocol:
    """The protocol by which a window is reckoned where no other was fixed."""
    return shipped()[IN_USE]
