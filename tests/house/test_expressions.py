"""No regular expression of ours takes more than its share of time, whatever it is given."""

import ast
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

API = Path(__file__).parents[2] / "api"
ASKED = {"compile", "fullmatch", "match", "search", "sub", "split", "findall", "finditer", "Regexp"}
PIECES = (
    *(
        "a",
        "A",
        "0",
        "1",
        "-",
        ".",
        " ",
        "_",
        "a-",
        "a.",
        "a1",
        "0.",
        "(",
        "()",
        "\n",
        "|",
        "a|",
        "+",
    ),
    *(
        "a@",
        "\u00e9",
        "\x00",
        "T",
        "Z",
        ":",
        "00:",
        "total ",
        "total <= 1 (",
        "-a",
        "aa.",
        "a" * 63 + ".",
    ),
)
ENDS = ("", "!", "\x00", "\u0130")
ENOUGH_S = 0.002
"""Less than this can't be told from noise."""
LONGEST = 40_000
MOST = 1.3
"""The exponent with which time may grow: 1 is linear."""


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression that stands in the code, with where."""
    for path in sorted(API.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                of_re = getattr(node.func.value, "id", "") in ("re", "validate")
                if of_re and node.func.attr in ASKED and isinstance(first, ast.Constant):
                    yield f"{path.relative_to(API)}:{node.lineno}", str(first.value)


FOUND = list(expressions())


def taken(expression: re.Pattern[str], piece: str, end: str, length: int) -> float:
    """The seconds of CPU that it takes, the best of three."""
    text = piece * (length // len(piece)) + end
    best = math.inf
    for _ in range(3):
        began = time.process_time()
        expression.fullmatch(text)
        expression.match(text)
        for _found in expression.finditer(text):
            pass
        best = min(best, time.process_time() - began)
    return best


def growth(expression: re.Pattern[str], piece: str, end: str) -> float:
    """The exponent with which time grows with length; 1 where it is too quick to tell."""
    length = 500
    while (short := taken(expression, piece, end, length)) < ENOUGH_S:
        length *= 4
        if length > LONGEST:
            return 1.0
    return math.log(taken(expression, piece, end, 4 * length) / short, 4)


def test_the_expressions_are_found() -> None:
    assert len(FOUND) >= 25


@pytest.mark.parametrize(("where", "said"), FOUND)
def test_time_grows_as_the_text_does(where: str, said: str) -> None:
    expression = re.compile(said)
    for piece in PIECES:
        for end in ENDS:
            for _ in range(5):  # again: somebody else may have been busy
                if (exponent := growth(expression, piece, end)) <= MOST:
                    break
            assert exponent <= MOST, f"{where}: {said!r} on {piece!r}... grows by {exponent:.2f}"


def test_an_expression_that_goes_back_and_forth_would_be_found() -> None:
    assert growth(re.compile(r"\s*x"), " ", "!") > MOST
