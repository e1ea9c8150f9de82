"""Mutants: rights, the trail and sealing, changed by a sign at a time until a test sees it.

`python -m tests.mutants` (`make mutants`) has mutmut change a copy of the code, and fails when
fewer than MUTANTS_LEAST percent (85) of the changes are found by the tests of pyproject.toml.
Names after it narrow it: `python -m tests.mutants 'api.vault*'`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LEFT_OUT = (".git", ".venv", "var", "web", "mutants", "node_modules", "__pycache__")
FOUND, MISSED = ("killed", "timeout", "suspicious", "segfault"), ("survived", "no_tests")


def main() -> int:
    """Change, test and tell; 0 when enough was found."""
    least = float(os.environ.get("MUTANTS_LEAST", "85"))
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder) / "freshtrail"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        mutmut = [sys.executable, "-m", "mutmut"]
        children = ["--max-children", os.environ.get("MUTANTS_AT_ONCE", "2")]
        ended = subprocess.run([*mutmut, "run", *children, *sys.argv[1:]], cwd=copy, check=False)
        if ended.returncode != 0:
            return ended.returncode
        told = subprocess.run([*mutmut, "results"], cwd=copy, capture_output=True, text=True)
        subprocess.run([*mutmut, "export-cicd-stats"], cwd=copy, check=True, capture_output=True)
        stats = json.loads((copy / "mutants" / "mutmut-cicd-stats.json").read_text())
    print(told.stdout)
    found = sum(stats.get(name, 0) for name in FOUND)
    missed = sum(stats.get(name, 0) for name in MISSED)
    score = 100 * found / max(1, found + missed)
    print(f"-- {found} of {found + missed} found, {score:.1f} %")
    return int(score < least)


if __name__ == "__main__":
    sys.exit(main())
