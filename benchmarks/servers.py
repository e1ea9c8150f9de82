"""Servers under measurement: started on a free port, their CPU read, stopped by their own id."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).parent.parent
START_S, STOP_S = 120, 10
WORKERS, THREADS = 2, 4


class NotStarted(Exception):
    """A server did not answer in time; the message holds the end of its log."""


@dataclass(frozen=True)
class Server:
    """A running server: what it is called in the table, and where it listens."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"

    def cpu(self) -> float:
        """CPU seconds of it and all it started so far."""
        return cpu_of(self.process.pid)

    def stop(self) -> None:
        """Stop it and wait."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def cpu_of(pid: int) -> float:
    """CPU seconds, user and system, of a process and its children, those that ended included."""
    parent = psutil.Process(pid)
    spent = 0.0
    for process in (parent, *parent.children(recursive=True)):
        times = process.cpu_times()
        spent += times.user + times.system
        spent += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return spent


def granian(app: str, port: int, threads: int = THREADS) -> list[str]:
    """The command of the production server for any WSGI callable, as `flask serve` starts it."""
    options = ["--interface=wsgi", f"--port={port}", f"--workers={WORKERS}", "--http=1"]
    options += [f"--blocking-threads={threads}", "--backpressure=1024", "--no-ws"]
    return [sys.executable, "-m", "granian", *options, "--log-level=warning", app]


def gunicorn(app: str, port: int, threads: int = THREADS) -> list[str]:
    """The command of the other candidate."""
    options = [f"--bind=127.0.0.1:{port}", f"--workers={WORKERS}", f"--threads={threads}"]
    options += ["--worker-class=gthread", "--keep-alive=30", "--no-control-socket"]
    return [sys.executable, "-m", "gunicorn", *options, "--log-level=warning", app]


def ours(_app: str, _port: int, _threads: int = THREADS) -> list[str]:
    """The command that the README gives for production."""
    return [sys.executable, "-m", "flask", "--app", "wsgi", "serve"]


def start(
    name: str, command: Sequence[str], port: int, more: Mapping[str, str], logs: Path
) -> Server:
    """Start a server and wait until it answers; raises `NotStarted`."""
    log = logs / f"{name.replace(' ', '-')}.log"
    environ = {**os.environ, **more, "PORT": str(port), "WEB_WORKERS": str(WORKERS)}
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=file, stderr=file)
    server = Server(name, port, process)
    until = time.monotonic() + START_S
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > until:
            server.stop()
            raise NotStarted(f"{name} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)
    return server


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("HEAD", "/livez")
        return connection.getresponse().status > 0
    except OSError:
        return False
    finally:
        connection.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
