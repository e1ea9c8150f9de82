"""The contract, fuzzed: schemathesis against the demo clinic on SQLite and on real PostgreSQL.

`python -m tests.fuzz` serves a fresh demo on each database and calls every operation of the
published document as clinician, patient and administrator. Any 5xx, any answer that is not as
documented, or fewer cases than promised, fails. FUZZ_SEED=N tries other cases than the usual ones.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests import postgres

BIN = Path(sys.executable).parent
SEED = os.environ.get("FUZZ_SEED", "20261125")
"""One seed unless told, so that a change is judged by the same cases as the change before it."""
LEAST_CASES = 3000
"""Cases that each database must see."""
EXAMPLES = {"clinician@demo.example": 3, "patient@demo.example": 1, "admin@demo.example": 1}
"""Fuzzed cases for each operation, by who asks."""
EVERYTHING, LESS = "examples,coverage,fuzzing", "examples,fuzzing"
"""What is tried by whoever reaches most, and by the others, who mostly hear that they may not."""
SURROGATES = (
    *("--phases", "fuzzing", "-m", "positive"),
    *("--generation-codec", "utf-7", "-n", "3"),  # the codec that also takes lone surrogates
    *("--include-method", "POST", "--include-method", "PATCH", "--include-method", "PUT"),
    *("--exclude-path-regex", r"\{(token|key|template_key)\}"),  # text in the address
)
"""Bodies that hold lone surrogates, for every operation whose address holds none."""
PASSWORD = "fresh-snow-2026"
START_S = 600
COUNT = re.compile(r"(\d+) generated")


def main() -> int:
    """Fuzz both databases; the exit status says whether all was well."""
    cluster = postgres.start()
    urls = {"SQLite": "", "PostgreSQL": cluster.create("fuzz")}
    try:
        with ThreadPoolExecutor(len(urls)) as both:
            return max(both.map(fuzz, urls, urls.values()))
    finally:
        cluster.stop()


def fuzz(name: str, url: str) -> int:
    """Every role's run on one database; 0 when nothing failed and there were enough cases."""
    cases, worst = 0, 0
    with demo(url) as address:
        for email, examples in EXAMPLES.items():
            phases = EVERYTHING if examples == max(EXAMPLES.values()) else LESS
            bearer = token(address, email)
            for how in (("-n", str(examples), "--phases", phases), SURROGATES):
                done, told = run(address, bearer, how)
                found = COUNT.search(told)
                cases += int(found.group(1)) if found else 0
                worst = max(worst, done)
                said = told if done else told[told.rindex("SUMMARY") :]
                print(f"-- {name}, {email}\n{said}", flush=True)
    print(f"-- {name}: {cases} cases", flush=True)
    return worst or int(cases < LEAST_CASES)


@contextmanager
def demo(url: str) -> Iterator[str]:
    """The address of a demo clinic, served as `make run` serves it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        env = os.environ | {"FRESHTRAIL_MODE": "demo", "FRESHTRAIL_DATA": folder}
        env |= {"PORT": str(port), "DATABASE_URL": url, "RESEARCH_DATABASE_URL": ""}
        env |= {name: "1000000" for name in ("RATE_PER_PRINCIPAL", "RATE_PER_CLINIC")}
        env |= {"RATE_SIGN_IN": "1000000"}
        serve = [str(BIN / "flask"), "--app", "wsgi", "serve"]
        server = subprocess.Popen(serve, env=env, stdout=subprocess.DEVNULL)
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(60)


def wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    """Until the server is ready; raises when it ends or takes too long."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if server.poll() is not None:
            raise SystemExit(f"the server ended with {server.returncode}")
        try:
            with urlopen(url):
                return
        except (URLError, ConnectionError):
            time.sleep(0.5)
    raise SystemExit("the server does not get ready")


def token(address: str, email: str) -> str:
    """An access token of a demo account."""
    body = json.dumps({"email": email, "password": PASSWORD}).encode()
    sent = Request(f"{address}/api/v1/auth/token", body, {"Content-Type": "application/json"})
    with urlopen(sent) as answer:
        return str(json.load(answer)["access_token"])


def run(address: str, bearer: str, how: tuple[str, ...]) -> tuple[int, str]:
    """One run of schemathesis: its exit status and what it said."""
    words = [str(BIN / "st"), "run", f"{address}/api/v1/openapi.json", "-u", address]
    # One worker: two threads that read their own source at once trip over each other (CPython 3.11,
    # "AST constructor recursion depth mismatch"), and the databases run side by side as it is.
    words += ["-H", f"Authorization: Bearer {bearer}", "-w", "1", *how]
    words += ["--continue-on-failure", "--no-color", "--seed", SEED]
    # These judge how hard a schema is to draw from, not how the server answers.
    words += ["--suppress-health-check", "filter_too_much,too_slow,data_too_large"]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    return told.returncode, told.stdout + told.stderr


if __name__ == "__main__":
    sys.exit(main())
