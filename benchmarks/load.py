"""The load: requests written to a file, sent by wrk over 16 connections, and what came of them."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.servers import Server

CONNECTIONS, THREADS = 16, 2
SCRIPT = Path(__file__).parent / "load.lua"
MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Sample:
    """One round: requests answered, seconds, latencies (ms), errors, CPU seconds."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int
    app_s: float
    database_s: float


@dataclass(frozen=True)
class Measured:
    """Every round of one endpoint on one server, together."""

    rate: float
    p50_ms: float
    p99_ms: float
    errors: int
    app_ms: float
    database_ms: float

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a request, application and database."""
        return self.app_ms + self.database_ms


def has_wrk() -> bool:
    """Whether the load generator is installed."""
    return shutil.which("wrk") is not None


def together(samples: Sequence[Sample]) -> Measured:
    """The rounds as one: rates and CPU over all requests, latencies by their median."""
    requests = max(1, sum(one.requests for one in samples))
    return Measured(
        rate=requests / sum(one.seconds for one in samples),
        p50_ms=median(one.p50_ms for one in samples),
        p99_ms=median(one.p99_ms for one in samples),
        errors=sum(one.errors for one in samples),
        app_ms=1000 * sum(one.app_s for one in samples) / requests,
        database_ms=1000 * sum(one.database_s for one in samples) / requests,
    )


def send(
    server: Server, requests: Path, seconds: float, run: str, database_cpu: Callable[[], float]
) -> Sample:
    """Send the requests of a file for some seconds; `run` makes idempotency keys unlike others."""
    app, database = server.cpu(), database_cpu()
    said = subprocess.run(
        [
            *("wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout=10s"),
            *("-s", str(SCRIPT), f"http://127.0.0.1:{server.port}", "--", str(requests), run),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    line = next(line for line in said.splitlines() if line.startswith("RESULT"))
    count, micros, p50, p99, errors = (int(word) for word in line.split()[1:])
    return Sample(
        requests=count,
        seconds=micros / MICROSECONDS,
        p50_ms=p50 / 1000,
        p99_ms=p99 / 1000,
        errors=errors,
        app_s=server.cpu() - app,
        database_s=database_cpu() - database,
    )


def as_http(
    method: str, path: str, token: str | None, body: bytes = b"", keyed: bool = False
) -> str:
    """One request as it goes over the wire; `keyed` gives it an Idempotency-Key of its own."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if keyed:
        lines.append("Idempotency-Key: ~KEY~")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", body.decode()])


def write(path: Path, requests: Sequence[str]) -> Path:
    """A file of requests for `load.lua`."""
    path.write_bytes("".join(f"{one}\n%%\n" for one in requests).encode())
    return path
