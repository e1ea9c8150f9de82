"""Mutants: rights, the trail and sealing, changed by a sign at a time until a test sees it.

`python -m tests.mutants` (`make mutants`) has mutmut make the changes in a copy of the code, and
fails when fewer than MUTANTS_LEAST percent (85) of them are found by the tests of pyproject.toml.
Names narrow the changes and paths after `--` the tests:
`python -m tests.mutants 'api.vault.*' -- tests/test_vault.py`.
The tests are collected once, with the application imported and the database made; each change
is then tried in a fork, by the tests that reach the changed function, the quickest first.
With `-k postgres` among them it is tried on PostgreSQL, each time in a copy of the database.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.file_mutation import mutate_file_contents

ROOT = Path(__file__).parent.parent
LEFT_OUT = (".git", ".venv", "var", "web", "node_modules", "__pycache__")
KEEPS = ("cache", "lru_cache", "contextmanager")
"""Decorators that are laid on after the change: mutmut passes over what is decorated."""


def main(names: list[str], tests: list[str]) -> int:
    """Change, test and tell; 0 when enough was found."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder) / "freshtrail"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        sources = sorted({path for p in asked["only_mutate"] for path in copy.glob(p)})
        changes = [name for path in sources for name in _change(path, copy)]
        chosen = [n for n in changes if not names or any(fnmatch(n, one) for one in names)]
        (copy / "mutants.json").write_text(json.dumps(chosen))
        how = ["-p", "tests.mutating", *asked["pytest_add_cli_args"]]
        of = tests or asked["pytest_add_cli_args_test_selection"]
        ended = subprocess.run([sys.executable, "-m", "pytest", *how, *of], cwd=copy, check=False)
        if ended.returncode != 0:
            return ended.returncode
        found = json.loads((copy / "mutants.found.json").read_text())
        _tell_missed(found, copy)
    return _score(found)


def _change(path: Path, copy: Path) -> list[str]:
    """Put every change of a file beside what it changes, asleep; gives their names."""
    plain = _undecorated(path.read_text())
    changed = mutate_file_contents(str(path), plain)
    path.write_text(changed.code)
    module = ".".join(path.relative_to(copy).with_suffix("").parts)
    return [f"{module}.{name}" for name in changed.mutant_names]


def _undecorated(source: str) -> str:
    """The same module, with its memories and contexts laid on below the functions."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef) and len(node.decorator_list) == 1:
            [laid] = node.decorator_list
            named = laid.func if isinstance(laid, ast.Call) else laid
            if isinstance(named, ast.Name) and named.id in KEEPS and node.end_lineno:
                lines.insert(node.end_lineno, f"{node.name} = {ast.unparse(laid)}({node.name})")
                del lines[laid.lineno - 1]
    return "\n".join(lines) + "\n"


def _tell_missed(found: dict[str, Any], copy: Path) -> None:
    for name, how in found.items():
        if how not in ("killed", "timeout"):
            path = copy / (name.rpartition(".")[0].replace(".", "/") + ".py")
            shown = get_diff_for_mutant(name, source=path.read_text(), path=path)
            print(f"-- {name}: {how}\n" + "\n".join(shown.splitlines()[2:]))


def _score(found: dict[str, Any]) -> int:
    least = float(os.environ.get("MUTANTS_LEAST", "85"))
    for module in sorted({name.rpartition(".")[0] for name in found}):
        counted = Counter(how for name, how in found.items() if name.rpartition(".")[0] == module)
        caught = counted["killed"] + counted["timeout"]
        print(
            f"{module:30} {caught:5} of {counted.total():5}, {100 * caught / counted.total():.1f} %"
        )
    caught = sum(how in ("killed", "timeout") for how in found.values())
    score = 100 * caught / max(1, len(found))
    print(f"-- {caught} of {len(found)} found, {score:.1f} %")
    return int(score < least)


if __name__ == "__main__":
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    sys.exit(main(words[:cut], words[cut + 1 :]))
