"""`python -m benchmarks.doors`: the same rows asked of door 1 and of door 2, by CPU.

It starts a PostgreSQL of its own and a production server, and asks each door in turn, round after
round: one patient, and a page of fifty check-ins of one patient, which door 2 gives as
QuestionnaireResponses. CPU is that of the server's processes and of the database's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import bulk, servers
from tests import postgres, roles

PAGE, INNER, UNLIMITED = 50, "BENCH_DOORS_INNER", str(10**6)
MOST = 1.5
"""How many times the CPU of door 1 door 2 may need for the same rows."""
V1, FHIR = "/api/v1", "/fhir/R4"


def main() -> None:
    """Start the database and measure in a process of its own, for settings are read once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doors", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it works")
    asked = parser.parse_args()
    if os.environ.get(INNER):
        print(json.dumps(measure(Path(os.environ["FRESHTRAIL_DATA"]), asked.quick)))
        return
    cluster = postgres.start(durable=True)
    try:
        roles.make_roles(cluster.url())
        pid = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            found = _apart(cluster.create("doors"), folder, pid, asked.quick)
    finally:
        cluster.stop()
    print(report(found))
    sys.exit(0 if asked.quick else any(ratio > MOST for ratio in ratios(found).values()))


def _apart(url: str, folder: str, postmaster: int, quick: bool) -> dict[str, Any]:
    limits = ("RATE_PER_PRINCIPAL", "RATE_PER_CLINIC", "RATE_SIGN_IN")
    port = str(servers.free_port())
    environ = {**os.environ, **dict.fromkeys(limits, UNLIMITED), INNER: str(postmaster)}
    environ |= {"FRESHTRAIL_MODE": "production", "FRESHTRAIL_DATA": folder, "PORT": port}
    environ |= {"PUBLIC_URL": f"http://127.0.0.1:{port}", "MIGRATION_DATABASE_URL": url}
    environ["DATABASE_URL"] = roles.as_role(url, roles.APPLICATION)
    environ.pop("FRESHTRAIL_CLOCK", None)
    command = [sys.executable, "-m", "benchmarks.doors", *(["--quick"] if quick else [])]
    told = subprocess.run(command, cwd=servers.ROOT, env=environ, stdout=subprocess.PIPE)
    if told.returncode != 0:
        sys.exit(told.returncode)
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def measure(folder: Path, quick: bool) -> dict[str, dict[str, float]]:
    """CPU milliseconds a request, of each question at each door: the median of the rounds."""
    clinic, key, client_id = bulk.fill(bulk.PATIENTS * bulk.EACH * PAGE)
    port, rounds, times = int(os.environ["PORT"]), (3 if quick else 15), (20 if quick else 100)
    server = servers.start("ours", servers.ours("", port), port, {}, folder)
    try:
        asked = questions(clinic)
        spent: dict[tuple[str, str], list[float]] = defaultdict(list)
        for number in range(rounds + 1):
            ehr = {"Authorization": f"Bearer {bulk.token(port, key, client_id)}"}
            for (name, door), (path, headers) in asked.items():
                used = _cpu_ms(server, path, headers or ehr, times)
                if number:  # the first round warms up
                    spent[name, door].append(used)
    finally:
        server.stop()
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (name, door), values in spent.items():
        found[name][door] = median(values)
    return found


def questions(clinic: Any) -> dict[tuple[str, str], tuple[str, Mapping[str, str]]]:
    """Of each question and door the path, and the headers where no EHR asks."""
    from api.access import tokens
    from api.cli import app

    who = clinic.clinicians[0]
    mine = next(one for ids in who.families.values() for one in ids if one in clinic.measured)
    with app.app_context():
        token = tokens.issue(who.sign_in_id, who.user_id, clinic.id)
    first = {"Authorization": f"Bearer {token}"}
    page = f"{FHIR}/QuestionnaireResponse?patient={mine}&_count={PAGE}"
    return {
        ("one patient", "v1"): (f"{V1}/patients/{mine}", first),
        ("one patient", "fhir"): (f"{FHIR}/Patient/{mine}", {}),
        ("a page of 50", "v1"): (f"{V1}/patients/{mine}/check-ins?limit={PAGE}", first),
        ("a page of 50", "fhir"): (f"{page}&_total=none", {}),
    }


def _cpu_ms(server: servers.Server, path: str, headers: Mapping[str, str], times: int) -> float:
    before = _cpu(server)
    for _ in range(times):
        bulk.ask(server.port, "GET", path, headers)
    return (_cpu(server) - before) * 1000 / times


def _cpu(server: servers.Server) -> float:
    return server.cpu() + servers.cpu_of(int(os.environ[INNER]))


def ratios(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Door 2 by door 1, of each question."""
    return {name: one["fhir"] / one["v1"] for name, one in found.items()}


def report(found: Mapping[str, Mapping[str, float]]) -> str:
    """The figures as people read them."""
    lines = ["CPU ms a request, application and database | door 1 | door 2 | ratio"]
    for name, ratio in ratios(found).items():
        one = found[name]
        lines.append(f"{name} | {one['v1']:.2f} | {one['fhir']:.2f} | {ratio:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
