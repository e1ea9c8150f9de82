"""`python -m benchmarks.research`: score rows to files, their peak memory, and the time of `COPY`.

Rows are made as the worker freezes them, on a PostgreSQL of our own, and exported in a process of
its own, so that its peak is that of the export alone. `COPY` writes the same rows as CSV.
"""

import argparse
import json
import os
import random
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from tests import postgres

ROWS, MOST_MB = 5_000_000, 300
WINDOWS = ("baseline", "week_01", "week_02", "week_04", "week_12")
INSTRUMENTS = ("phq-9", "gad-7")
VERSIONS = ("1.0.0", "1.0.0")
AT_ONCE = 500
COLUMNS = (
    "subject text, instrument text, version text, scoring text, time text, total float, band text,"
    " missing text, difference float, response bool, remission bool, reliable text, worse bool"
)


def main() -> None:
    """Make the rows, export them, copy them, and say what each took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.research", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--export", metavar="RELEASE", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.export:
        export(json.loads(asked.export))
        return
    cluster = postgres.start()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-research-") as folder:
            _measure(cluster, asked.rows, folder)
    finally:
        cluster.stop()


def _measure(cluster: postgres.Cluster, rows: int, folder: str) -> None:
    url = cluster.create("bench")
    os.environ.update(FRESHTRAIL_MODE="test", FRESHTRAIL_DATA=folder, DATABASE_URL=url)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    release, made = _prepare(Path(folder), rows)
    command = [sys.executable, "-m", "benchmarks.research", "--export", json.dumps(release)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    copied, size = _copy(url, release)
    print(f"{made:,} rows; files in {told['seconds']:.1f} s, {told['bytes']:,} bytes")
    print(f"peak {told['peak_mb']} MB (of which {told['before_mb']} MB before), under {MOST_MB}")
    print(f"COPY of the same rows {copied:.1f} s, {size:,} bytes")
    print(f"ratio to COPY: {told['seconds'] / copied:.1f} for three formats")
    print(f"ratio to COPY: {told['rows_seconds'] / copied:.1f} for reading and sorting rows alone")
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    if told["peak_mb"] >= MOST_MB:
        sys.exit(f"peak memory of {told['peak_mb']} MB is not under {MOST_MB} MB")


def _prepare(folder: Path, rows: int) -> tuple[dict[str, str], int]:
    """A release whose frozen rows are in the database; answers it and how many there are."""
    from api import db, field_keys, schema
    from api.access import keys
    from api.access.policies import Role
    from api.core import release
    from api.core.release import frozen
    from tests import builders

    schema.upgrade()
    field_keys.make_keys(folder / "keys")
    keys.make_keys(folder / "keys")
    with db.transaction():
        clinic_id = builders.make_clinic()
    with db.within(clinic_id), db.transaction():
        officer = builders.make_person(clinic_id, Role.PRIVACY_OFFICER)
        analyst = builders.make_person(clinic_id, Role.ANALYST)
        body = {"title": "t", "purpose": "p", "analyst_ids": [analyst.user_id]}
        project = release.open_project(officer.actor, body)
        asked = release.request_release(analyst.actor, project["id"])
    found = {"clinic_id": str(clinic_id), "id": str(asked["id"]), "project_id": str(project["id"])}
    with db.within(clinic_id):
        copying, made = frozen.Copying(_release(found)), 0
        for some in subjects(rows):
            copying.take(some)
            made += len(some["scores"])
        copying.end()
    return found, made


def _release(told: dict[str, str]) -> dict[str, Any]:
    more = {"number": 1, "tier": "B", "collapsed": {}}
    return {name: UUID(value) for name, value in told.items()} | more


def subjects(rows: int) -> Iterator[dict[str, Any]]:
    """Rows of some hundred subjects at a time, as gathering makes them, until there are enough."""
    chance, made = random.Random(1), 0
    told = ("30-39", "female", "CO", "unknown", "intramuscular", "ketamine", "yes", "no")
    while made < rows:
        who = [secrets.token_hex(16) for _ in range(AT_ONCE)]
        scores = [
            [
                code,
                key,
                "1.0.0",
                "1.0.0",
                window,
                chance.randrange(25),
                "mild",
                None,
                *later(window),
            ]
            for code in who
            for key in INSTRUMENTS
            for window in WINDOWS
        ]
        yield {"subjects": [[code, *told, "in_treatment"] for code in who], "scores": scores}
        made += len(scores)


def later(window: str) -> tuple[Any, ...]:
    """A difference and its verdicts; none at the baseline."""
    return (None,) * 5 if window == WINDOWS[0] else (-5, True, False, "improved", False)


def export(told: dict[str, str]) -> None:
    """Make the files, and print how long it took and the most memory this process had."""
    from api import db
    from api.core.release import frozen, shelf

    release, before = _release(told), _peak_mb()
    with db.within(release["clinic_id"]):
        rows_seconds = _seconds(lambda: sum(map(len, frozen.rows_of(release, "scores"))))
        seconds = _seconds(lambda: shelf.make(release))
    size = sum(path.stat().st_size for path in shelf.folder(release).glob("scores.*"))
    found = {"seconds": seconds, "rows_seconds": rows_seconds, "bytes": size}
    print(json.dumps(found | {"peak_mb": _peak_mb(), "before_mb": before}))


def _copy(url: str, told: dict[str, str]) -> tuple[float, int]:
    """How long `COPY` takes to write the same rows as CSV, and how many bytes it writes."""
    from api import db
    from api.core.release import frozen

    release = _release(told)
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute(f"CREATE TABLE copied ({COLUMNS})".encode())
        with (
            db.within(release["clinic_id"]),
            connection.cursor().copy("COPY copied FROM STDIN") as into,
        ):
            for rows in frozen.rows_of(release, "scores"):
                for row in rows:
                    into.write_row(row)
        began, size = time.perf_counter(), 0
        with connection.cursor().copy("COPY copied TO STDOUT (FORMAT csv)") as out:
            for block in out:
                size += len(block)
        return time.perf_counter() - began, size


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _peak_mb() -> int:
    """The most memory that this process had, in megabytes of 10^6 bytes.

    Linux tells it since the program began (`VmHWM`); elsewhere it holds what the parent had, too.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return round(int(lines["VmHWM"].split()[0]) * 1024 / 10**6)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 10**6)


if __name__ == "__main__":
    main()
