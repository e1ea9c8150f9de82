"""`python -m benchmarks.bulk`: a bulk export beside `COPY` of the same rows.

It starts a PostgreSQL of its own (fsync on), writes a clinic whose check-ins make as many
Observations as asked for, orders an export of them at a production server, makes it with
`flask worker --once`, fetches it, and copies the same check-ins out with `COPY`. Peak memory is the
kernel's figure (VmHWM) for the worker's and the server's processes.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks import servers
from tests import postgres, roles

EACH = 11
"""Observations of one PHQ-9: the panel, the total and nine answers."""
PATIENTS = 1000
INNER, UNLIMITED = "BENCH_BULK_INNER", str(10**6)
FHIR = "/fhir/R4"
LOOK_S = 0.05
"""How often the worker's memory is looked at."""


def main() -> None:
    """Start the database and measure in a process of its own, for settings are read once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=__doc__)
    parser.add_argument("--observations", type=int, default=1_000_000)
    asked = parser.parse_args()
    if os.environ.get(INNER):
        print(json.dumps(measure(asked.observations, Path(os.environ["FRESHTRAIL_DATA"]))))
        return
    cluster = postgres.start(durable=True)
    try:
        roles.make_roles(cluster.url())
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            print(_report(_apart(cluster.create("bulk"), folder, asked.observations)))
    finally:
        cluster.stop()


def _apart(url: str, folder: str, observations: int) -> dict[str, Any]:
    limits = ("RATE_PER_PRINCIPAL", "RATE_PER_CLINIC", "RATE_SIGN_IN")
    port = str(servers.free_port())
    environ = {**os.environ, **dict.fromkeys(limits, UNLIMITED), INNER: "yes"}
    environ |= {"MIGRATION_DATABASE_URL": url}
    environ["DATABASE_URL"] = roles.as_role(url, roles.APPLICATION)
    environ |= {"FRESHTRAIL_MODE": "production", "FRESHTRAIL_DATA": folder, "PORT": port}
    environ |= {"PUBLIC_URL": f"http://127.0.0.1:{port}"}
    environ.pop("FRESHTRAIL_CLOCK", None)
    command = [sys.executable, "-m", "benchmarks.bulk", f"--observations={observations}"]
    told = subprocess.run(command, cwd=servers.ROOT, env=environ, stdout=subprocess.PIPE)
    if told.returncode != 0:
        sys.exit(told.returncode)
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def measure(observations: int, folder: Path) -> dict[str, Any]:
    """Every figure, by name: seconds, MiB, rows and CPU milliseconds."""
    _, key, client_id = fill(observations)
    port = int(os.environ["PORT"])
    server = servers.start("ours", servers.ours("", port), port, {}, folder)
    try:
        return _export(server, token(port, key, client_id), key, client_id) | _copy()
    finally:
        server.stop()


def fill(observations: int) -> tuple[Any, Any, Any]:
    """A clinic in the database, and a client of it with its key."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from jwt.algorithms import ECAlgorithm

    from api import config, db, schema
    from api.access.users import clinics
    from api.cli import make_missing_keys
    from api.core.clients import ehr_clients
    from benchmarks import clinic as imagined

    make_missing_keys()
    schema.upgrade()
    each = -(-observations // EACH // PATIENTS)
    clinic, rows = imagined.imagine(imagined.Size(PATIENTS, 8, PATIENTS, each))
    engine = db.make_engine(config.settings().owner_url)
    imagined.write(engine, rows, True, lambda said: print(said, file=sys.stderr))
    engine.dispose()
    key = ec.generate_private_key(ec.SECP384R1())
    jwk = {**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": "one", "alg": "ES384"}
    with db.within(clinic.id), db.transaction() as store:
        values: dict[str, Any] = {"clinic_id": clinic.id, "name": "Bench"}
        values |= {"jwks": {"keys": [jwk]}, "scopes": "system/*.rs"}
        values |= {"external_system": "urn:bench:ehr"}
        client = store.add(ehr_clients, values)
        mine = clinics.c.id == clinic.id
        store.execute(clinics.update().where(mine).values(ehr_access="own_ehr"))
    return clinic, key, client["id"]


def token(port: int, key: Any, client_id: Any) -> str:
    """A token for the client, from the server on a port."""
    import jwt

    at = f"http://127.0.0.1:{port}{FHIR}/auth/token"
    claims = {"iss": str(client_id), "sub": str(client_id), "aud": at, "jti": uuid4().hex}
    claims |= {"exp": int(time.time()) + 240}
    told = {
        "grant_type": "client_credentials",
        "scope": "system/*.rs",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(claims, key, "ES384", headers={"kid": "one"}),
    }
    from urllib.parse import urlencode

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    said = json.loads(ask(port, "POST", f"{FHIR}/auth/token", form, urlencode(told))[1])
    return str(said["access_token"])


def ask(
    port: int, method: str, path: str, headers: Mapping[str, str], body: str | None = None
) -> tuple[HTTPResponse, bytes]:
    """One request, and the whole answer; the program ends where that is a refusal."""
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status >= 400:
        raise SystemExit(f"{path}: {answer.status} {content[:300]!r}")
    return answer, content


def _export(server: servers.Server, said: str, key: Any, client_id: Any) -> dict[str, Any]:
    """Order it, make it, fetch it."""
    bearer = {"Authorization": f"Bearer {said}", "Prefer": "respond-async"}
    query = f"{FHIR}/Patient/$export?_type=Observation"
    answer, _ = ask(server.port, "GET", query, bearer)
    at = str(answer.headers["Content-Location"]).partition(str(server.port))[2]
    began = time.monotonic()
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker", "--once"]
    status, used, worker_peak_mib = _run(command)
    made_s = time.monotonic() - began
    if status != 0:
        raise SystemExit("the worker failed")
    bearer = {"Authorization": f"Bearer {token(server.port, key, client_id)}"}
    _, content = ask(server.port, "GET", at, bearer)
    [file] = json.loads(content)["output"]
    before, began = peak_mib(server), time.monotonic()
    lines, size = _fetch(server.port, file["url"].partition(str(server.port))[2], bearer)
    return {
        "rows": lines,
        "counted": file["count"],
        "made_s": made_s,
        "made_cpu_s": used.ru_utime + used.ru_stime,
        "worker_peak_mib": worker_peak_mib,
        "fetched_s": time.monotonic() - began,
        "fetched_mib": size / 2**20,
        "server_peak_mib_before": before,
        "server_peak_mib_after": peak_mib(server),
    }


def _run(command: list[str]) -> tuple[int, Any, float]:
    """Status, usage and peak MiB of a program, once it ended.

    The peak is that of its memory, looked at again and again: `ru_maxrss` begins with ours, for we
    started it, and we hold the clinic that we imagined.
    """
    worker, peak_mib = subprocess.Popen(command, cwd=servers.ROOT), 0.0
    while True:
        ended, status, used = os.wait4(worker.pid, os.WNOHANG)
        if ended:
            return status, used, peak_mib
        peak_mib = _peak(worker.pid) or peak_mib
        time.sleep(LOOK_S)


def _fetch(port: int, path: str, headers: Mapping[str, str]) -> tuple[int, int]:
    """The lines of a file and the bytes that came, without keeping them."""
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    accepted = {"Accept": "application/fhir+ndjson", "Accept-Encoding": "gzip"}
    connection.request("GET", path, None, {**headers, **accepted})
    answer = connection.getresponse()
    counted = _Counted(answer)
    with gzip.open(counted) as file:  # type: ignore[call-overload]
        lines = sum(1 for _ in file)
    connection.close()
    return lines, counted.size


class _Counted:
    """An answer whose bytes are counted as they are read."""

    def __init__(self, answer: HTTPResponse) -> None:
        self.answer, self.size = answer, 0

    def read(self, most: int = -1) -> bytes:
        """The next bytes."""
        some = self.answer.read(most)
        self.size += len(some)
        return some


def peak_mib(server: servers.Server) -> float:
    """The most memory that any process of a server has held so far (VmHWM)."""
    import psutil  # type: ignore[import-untyped]

    parent = psutil.Process(server.process.pid)
    return max(_peak(one.pid) for one in (parent, *parent.children(recursive=True)))


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peaks = (int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    return next(peaks, 0.0)  # one that has just ended has none


def _copy() -> dict[str, Any]:
    """How long `COPY` takes over the same check-ins, sealed as they lie."""
    from api import config, db

    engine = db.make_engine(config.settings().owner_url)
    connection = engine.raw_connection()
    began, size = time.monotonic(), 0
    cursor: Any = connection.cursor()
    with cursor.copy("COPY (SELECT * FROM check_ins) TO STDOUT") as copy:
        for piece in copy:
            size += len(piece)
    copied_s = time.monotonic() - began
    connection.close()
    engine.dispose()
    return {"copied_s": copied_s, "copied_mib": size / 2**20}


def _report(found: dict[str, Any]) -> str:
    """The figures as people read them."""
    rows, whole_s = found["rows"], found["made_s"] + found["fetched_s"]
    check_ins = found["rows"] / EACH
    return "\n".join(
        [
            f"{rows:,} Observations (counted {found['counted']:,}) of {check_ins:,.0f} check-ins",
            f"made in {found['made_s']:.1f} s ({rows / found['made_s']:,.0f} rows/s,"
            f" CPU {found['made_cpu_s']:.1f} s), worker's peak {found['worker_peak_mib']:.0f} MiB",
            f"fetched in {found['fetched_s']:.1f} s ({found['fetched_mib']:.1f} MiB by gzip),"
            f" server's peak {found['server_peak_mib_before']:.0f} MiB before,"
            f" {found['server_peak_mib_after']:.0f} MiB after",
            f"COPY of the same check-ins {found['copied_s']:.2f} s ({found['copied_mib']:.1f} MiB):"
            f" the export takes {whole_s / found['copied_s']:.0f} times as long,"
            f" {found['fetched_s'] / found['copied_s']:.1f} times to fetch alone",
        ]
    )


if __name__ == "__main__":
    main()
