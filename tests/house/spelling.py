"""Other spellings of an id: what a lenient parser would take for the same UUID."""

from collections.abc import Callable
from urllib.parse import quote

ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
WIDE = str.maketrans("0123456789abcdef", "".join(chr(ord(c) + 0xFEE0) for c in "0123456789abcdef"))

SPELLINGS: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "braces": lambda one: f"%7B{one}%7D",
    "urn": lambda one: f"urn:uuid:{one}",
    "encoded urn": lambda one: f"urn%3Auuid%3A{one}",
    "no dashes": lambda one: one.replace("-", ""),
    "dashes elsewhere": lambda one: one.replace("-", "")[:30] + "-" + one.replace("-", "")[30:],
    "blank before": lambda one: f"%20{one}",
    "blank behind": lambda one: f"{one}%20",
    "plus behind": lambda one: f"{one}+",
    "line feed behind": lambda one: f"{one}%0A",
    "tab before": lambda one: f"%09{one}",
    "NUL behind": lambda one: f"{one}%00",
    "NUL inside": lambda one: f"{one[:8]}%00{one[9:]}",
    "Arabic digits": lambda one: quote(one.translate(ARABIC)),
    "wide digits": lambda one: quote(one.translate(WIDE)),
    "another dash": lambda one: quote(one.replace("-", "‐")),
    "zero-width": lambda one: quote(f"{one}​"),
    "soft hyphen": lambda one: quote(f"{one}­"),
    "twice encoded": lambda one: f"{one[:35]}%25{ord(one[35]):x}",
    "slash behind": lambda one: f"{one}%2F",
    "dot segment": lambda one: f"{one}%2F..%2F{one}",
    "semicolon": lambda one: f"{one};version=1",
    "quote": lambda one: f"{one}'",
    "as a number": lambda one: str(int(one.replace("-", ""), 16)),
    "0x": lambda one: "0x" + one.replace("-", ""),
    "twice": lambda one: f"{one},{one}",
    "underscore": lambda one: one.replace("-", "_"),
    "too long": lambda one: f"{one}0",
    "too short": lambda one: one[:-1],
}
"""By name; none of them is an id of ours."""


def percent_encoded(one: str) -> str:
    """The same id with every sign encoded: to RFC 3986 the very same path."""
    return "".join(f"%{ord(sign):02X}" for sign in one)
