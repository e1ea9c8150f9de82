"""No core function that takes an actor does anything before the gate has admitted them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "api" / "core"
GATES = {"admit", "find_in_chart", "open_chart", "charts", "identify", "still_reaches"}
"""The gate and its sisters."""
READS = {"one", "of_chart", "within_reach", "in_one_trip"}
"""The methods of `Reading`, and what EHRs ask at once: they carry the gate in their statement."""
THE_GATE = {"gate.py", "one_trip.py", "replay.py"}
"""The gate itself, and what the doors ask after it."""

Function = ast.FunctionDef


def actor_functions() -> Iterator[tuple[str, Function]]:
    """Every public function of the core whose first parameter is the actor, with its file.

    Where a concept is a folder, public is what the folder's `__all__` names.
    """
    for path in sorted(CORE.rglob("*.py")):
        exported = offered_by(path.parent)
        for node in [] if path.name in THE_GATE else ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            if exported is not None and node.name not in exported:
                continue
            if node.args.args and node.args.args[0].arg == "actor":
                yield str(path.relative_to(CORE)), node


def offered_by(folder: Path) -> set[str] | None:
    """What a folder's `__init__` exports; None when it is a shelf of modules that speak alone."""
    for node in ast.parse((folder / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return None


def first_statement(node: Function) -> ast.stmt:
    """The first statement after the docstring."""
    return node.body[1] if ast.get_docstring(node) else node.body[0]


def private_gates(path: str) -> set[str]:
    """The private functions of a file that themselves begin at the gate."""
    tree = ast.parse((CORE / path).read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("_")
        and node.args.args
        and node.args.args[0].arg == "actor"
        and passes_the_gate(first_statement(node), GATES)
    }


def passes_the_gate(statement: ast.stmt, gates: set[str]) -> bool:
    """Whether the statement calls a gate with the actor before anything else is done with it."""
    return any(
        isinstance(node, ast.Call)
        and called(node) in gates | READS
        and any(isinstance(arg, ast.Name) and arg.id == "actor" for arg in node.args)
        for node in ast.walk(statement)
    )


def called(node: ast.Call) -> str:
    """The name of what is called, without its module."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


FOUND = list(actor_functions())


def gated() -> set[str]:
    """The functions that begin at the gate, directly or by another that does."""
    names: set[str] = set()
    while True:
        more = {node.name for path, node in FOUND if is_gated(path, node, names)}
        if more == names:
            return names
        names = more


def is_gated(path: str, node: Function, others: set[str]) -> bool:
    """Whether the function's first statement passes the gate, or one that is known to."""
    gates = GATES | private_gates(path) | (others - {node.name})
    return passes_the_gate(first_statement(node), gates)


GATED = gated()


@pytest.mark.parametrize(("path", "node"), FOUND, ids=lambda v: getattr(v, "name", None) or str(v))
def test_the_first_line_of_every_core_function_that_takes_an_actor_asks_the_gate(
    path: str, node: Function
) -> None:
    assert is_gated(path, node, GATED), f"{path}: {node.name}"


def test_every_core_function_that_takes_an_actor_takes_it_first() -> None:
    for path in sorted(CORE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                names = [arg.arg for arg in node.args.args if arg.arg != "self"]
                assert "actor" not in names[1:], f"{path.name}: {node.name}"


def test_there_are_such_functions() -> None:
    assert {"read_patient", "open_chart", "list_patients"} <= {node.name for _, node in FOUND}
