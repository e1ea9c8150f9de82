"""Who may import whom: the contracts of pyproject.toml hold."""

from pathlib import Path

from click.testing import CliRunner
from importlinter import cli

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_every_floor_imports_only_from_floors_below_it() -> None:
    told = CliRunner().invoke(cli.lint_imports_command, [str(PYPROJECT), "--no-cache", "--no-logo"])
    assert told.exit_code == 0, told.output
    assert " 0 broken" in told.output
