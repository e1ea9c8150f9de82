"""`python -m benchmarks`: start the databases, measure each engine, write the table."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import load, servers, table
from tests import postgres, roles

UNLIMITED = str(10**6)


def main() -> None:
    """Measure as asked; writes `benchmarks/README.md` unless the run was a quick one."""
    asked = arguments()
    if not load.has_wrk():
        sys.exit("The benchmarks send their load with wrk: apt install wrk, or brew install wrk.")
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        found = {name: _measure(name, asked, Path(folder) / name) for name in asked.engines}
    text = table.as_markdown(found, asked.seconds, asked.rounds, asked.quick)
    print(text)
    if not asked.quick:
        table.write(text)
        print("Written to benchmarks/README.md.")
    sys.exit(table.failed(found))


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little data, short rounds")
    parser.add_argument("--engines", nargs="+", default=["postgres", "sqlite"], metavar="ENGINE")
    parser.add_argument("--seconds", type=float, default=None, help="of one round (5, quick 1)")
    parser.add_argument("--rounds", type=int, default=None, help="of each server (5, quick 1)")
    parser.add_argument("--no-gunicorn", action="store_true", help="leave gunicorn out")
    asked = parser.parse_args()
    asked.seconds = asked.seconds or (1 if asked.quick else 5)
    asked.rounds = asked.rounds or (1 if asked.quick else 5)
    return asked


def _measure(engine: str, asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    print(f"Measuring on {engine}.", file=sys.stderr)
    if engine == "sqlite":
        urls = [f"sqlite:///{folder / name}.sqlite" for name in ("ours", "floor")]
        return _run(urls, None, asked, folder, gunicorn=False)
    cluster = postgres.start(durable=True)
    try:
        roles.make_roles(cluster.url())
        urls = [cluster.create(name) for name in ("ours", "floor")]
        pid = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
        return _run(urls, pid, asked, folder, gunicorn=not asked.no_gunicorn)
    finally:
        cluster.stop()


def _run(
    urls: list[str], pid: int | None, asked: argparse.Namespace, folder: Path, gunicorn: bool
) -> dict[str, Any]:
    wish = {
        "floor_url": urls[1],
        "postmaster": pid,
        "small": asked.quick,
        "seconds": asked.seconds,
        "rounds": asked.rounds,
        "folder": str(folder),
        "gunicorn": gunicorn,
    }
    limits = ("RATE_PER_PRINCIPAL", "RATE_PER_CLINIC", "RATE_SIGN_IN")
    environ = {**os.environ, **dict.fromkeys(limits, UNLIMITED), "DATABASE_URL": urls[0]}
    if urls[0].startswith("postgresql"):  # ours is served as the application's role
        environ["DATABASE_URL"] = roles.as_role(urls[0], roles.APPLICATION)
        environ["MIGRATION_DATABASE_URL"] = urls[0]
    environ |= {"FRESHTRAIL_MODE": "production", "FRESHTRAIL_DATA": str(folder)}
    environ["REQUIRE_TOTP"] = "off"  # who signs in here has a password alone
    environ.pop("FRESHTRAIL_CLOCK", None)
    command = [sys.executable, "-m", "benchmarks.engine", json.dumps(wish)]
    told = subprocess.run(command, cwd=servers.ROOT, env=environ, stdout=subprocess.PIPE)
    if told.returncode != 0:
        sys.exit(told.returncode)
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
