"""Every line that `docs/ehr.md` shows to integrators runs, and finds what it says."""

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from api.fhir import bulk_making
from tests.builders import Scene

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "ehr.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_lines_of_the_page_run(
    app: Flask, scene: Scene, seen: dict[str, Any], tmp_path: Path
) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 8
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    over = threading.Event()
    making = threading.Thread(target=_make, args=(over,), daemon=True)
    for thread in (serving, making):
        thread.start()
    try:
        said = _run("\n".join(["set -euo pipefail", *blocks]), server.server_port, scene, tmp_path)
    finally:
        over.set()
        making.join()
        server.shutdown()
        server.server_close()
    assert said.returncode == 0, said.stderr


def _make(over: threading.Event) -> None:
    while not over.wait(0.2):
        bulk_making.make_next()


def _run(script: str, port: int, scene: Scene, folder: Path) -> "subprocess.CompletedProcess[str]":
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "FHIR": f"http://127.0.0.1:{port}/fhir/R4",
        "ADMIN": scene["CA"].email,
        "PATIENT": str(scene.patient["id"]),
    }
    return subprocess.run(
        ["bash", "-x", "-c", script],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
