"""One engine measured: its clinic filled, servers and floors alternated, the results as JSON.

Run by `python -m benchmarks` in a process of its own, for settings are read once a process.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import make_url

from api import config, db
from api.access import tokens
from api.cli import app, make_missing_keys
from benchmarks import clinic as clinics, load, same, servers
from benchmarks.clinic import Clinic

SEED, VARIETY, SIGNED_IN = 2026, 1000, 50
PREFIX = 5


@dataclass(frozen=True)
class Wish:
    """What is measured: on which database, for how long, how often."""

    floor_url: str
    postmaster: int | None
    small: bool
    seconds: float
    rounds: int
    folder: Path
    gunicorn: bool

    @property
    def on_postgres(self) -> bool:
        """Whether the database is PostgreSQL, which has a CPU of its own to count."""
        return self.postmaster is not None

    def database_cpu(self) -> float:
        """CPU seconds of the database server; SQLite runs inside the application."""
        return servers.cpu_of(self.postmaster) if self.postmaster else 0.0


def main() -> None:
    """Measure as the arguments (JSON) say; the last line printed is the result (JSON)."""
    given = json.loads(sys.argv[1])
    wish = Wish(**{**given, "folder": Path(given["folder"])})
    clinic = fill(wish)
    with app.app_context(), ExitStack() as stack:
        statements = same.count(requests_of(clinic, wish.on_postgres))
        running = start(wish, clinic, stack.callback)
        differing = same.compare(running[0], running[2], requests_of(clinic, wish.on_postgres))
        found = dict(measure(wish, clinic, running))
    print(json.dumps({"statements": statements, "differing": differing, "measured": found}))


def say(text: str) -> None:
    """Tell how far it is; on stderr, for the result goes to stdout."""
    print(text, file=sys.stderr, flush=True)


def fill(wish: Wish) -> Clinic:
    """Both databases migrated and filled with the same clinic."""
    make_missing_keys()
    clinic, rows = clinics.imagine(clinics.SMALL if wish.small else clinics.FULL)
    ours = config.settings()
    for url, sealed in ((ours.owner_url, True), (wish.floor_url, False)):
        say(f"Filling {'the database of ours' if sealed else 'that of the floors, in the clear'}:")
        migrate = [sys.executable, "-m", "flask", "--app", "wsgi", "migrate"]
        served = ours.url if sealed else url
        environ = {**os.environ, "DATABASE_URL": served, "MIGRATION_DATABASE_URL": url}
        subprocess.run(migrate, check=True, cwd=servers.ROOT, env=environ, stdout=sys.stderr)
        engine = db.make_engine(url)
        db.metadata.create_all(engine)
        clinics.write(engine, rows, sealed, say if sealed else lambda _text: None)
        engine.dispose()
    return clinic


def start(wish: Wish, clinic: Clinic, later: Callable[[Any], Any]) -> list[servers.Server]:
    """Ours, the floor without and with a trail and with our rows; one is asked at a time."""
    threads = servers.THREADS if wish.on_postgres else 1
    first = clinic.clinicians[0]
    floor = {
        "FLOOR_DATABASE": _plain(wish.floor_url),
        "FLOOR_AS": f"{clinic.id},{first.user_id},{first.sign_in_id}",
    }
    plans: list[tuple[str, Any, str, dict[str, str]]] = [
        ("ours", servers.ours, "wsgi:app", {}),
        ("floor", servers.granian, "benchmarks.floor:app", floor | {"FLOOR_AUDIT": "0"}),
        ("audited floor", servers.granian, "benchmarks.floor:app", floor | {"FLOOR_AUDIT": "1"}),
    ]
    if wish.on_postgres:
        whole = floor | {"FLOOR_AUDIT": "2"}
        plans.append((WITH_OUR_ROWS, servers.granian, "benchmarks.floor:app", whole))
    if wish.gunicorn:
        plans.append((ON_GUNICORN, servers.gunicorn, "wsgi:app", {}))
    running = []
    for name, command, what, more in plans:
        port = servers.free_port()
        running.append(servers.start(name, command(what, port, threads), port, more, wish.folder))
        later(running[-1].stop)
    return running


def _plain(url: str) -> str:
    """What the drivers themselves take: libpq's words, or a file."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        return str(parts.database)
    query = {"dbname": parts.database, "user": parts.username, **parts.query}
    return " ".join(f"{name}={value}" for name, value in query.items() if value)


def measure(
    wish: Wish, clinic: Clinic, running: list[servers.Server]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """For each endpoint and server the rounds, alternated, as one measurement."""
    for endpoint in requests_of(clinic, wish.on_postgres):
        samples: dict[str, list[load.Sample]] = {server.name: [] for server in running}
        for turn in range(-1, wish.rounds):  # the first warms up and is not counted
            wanted = requests_of(clinic, wish.on_postgres)[endpoint]
            file = load.write(wish.folder / "requests", wanted)
            for server in running:
                if endpoint not in ASKED.get(server.name, (endpoint,)):
                    continue
                seconds = max(wish.seconds if turn >= 0 else 1, LEAST_S.get(endpoint, 0))
                run = f"{server.port}-{endpoint[:4].strip()}-{turn}"
                one = load.send(server, file, seconds, run, wish.database_cpu)
                samples[server.name] += [one] if turn >= 0 else []
        found = {name: load.together(rounds) for name, rounds in samples.items() if rounds}
        say(f"  {endpoint}: " + ", ".join(f"{n} {m.rate:,.0f}/s" for n, m in found.items()))
        yield endpoint, {name: asdict(one) for name, one in found.items()}


GET, LIST = "GET a patient", "list 50 check-ins"
SEARCH, POST, SIGN_IN = "search by name prefix", "POST a scored check-in", "sign in"
ON_GUNICORN, WITH_OUR_ROWS = "ours on gunicorn", "floor with our rows"
ASKED = {ON_GUNICORN: (GET, LIST), WITH_OUR_ROWS: (POST,)}
"""What servers are asked that are there for one comparison."""
LEAST_S = {SIGN_IN: 4}
"""Seconds of a round in which something is answered at all: a password takes its time."""


def requests_of(clinic: Clinic, everything: bool) -> dict[str, list[str]]:
    """The requests of each endpoint, each time the same, with fresh tokens."""
    random = Random(SEED)
    asked: dict[str, list[str]] = {GET: [], LIST: [], SEARCH: [], POST: [], SIGN_IN: []}
    people = [
        (one, tokens.issue(one.sign_in_id, one.user_id, clinic.id))
        for one in clinic.clinicians[:SIGNED_IN]
    ]
    for _ in range(VARIETY):
        one, token = random.choice(people)
        family = random.choice(sorted(one.families))
        patient = f"/api/v1/patients/{random.choice(one.families[family])}"
        search = f"/api/v1/patients?q={family[:PREFIX].lower()}&limit=20"
        mine = [p for them in one.families.values() for p in them]
        with_some = random.choice([p for p in mine if p in clinic.measured] or mine)
        without = random.choice([p for p in mine if p not in clinic.measured])
        # Totals near each other: a check-in that raises an alert is another request.
        phq = {f"phq9-{i}": random.randrange(1, 3) for i in range(1, 9)} | {"phq9-9": 0}
        answers = json.dumps({"instrument": "phq-9", "answers": phq, "complete": True}).encode()
        who = json.dumps({"email": one.email, "password": clinics.PASSWORD}).encode()
        asked[GET].append(load.as_http("GET", patient, token))
        listed = f"/api/v1/patients/{with_some}/check-ins?limit=50"
        asked[LIST].append(load.as_http("GET", listed, token))
        asked[SEARCH].append(load.as_http("GET", search, token))
        log = f"/api/v1/patients/{without}/check-ins"
        asked[POST].append(load.as_http("POST", log, token, answers, keyed=True))
        asked[SIGN_IN].append(load.as_http("POST", "/api/v1/auth/token", None, who))
    return asked if everything else {name: asked[name] for name in (GET, LIST)}


if __name__ == "__main__":
    main()
