"""What must be told at once is told within a minute, by a worker that runs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api import schema
from api.outbox import smtp
from tests.builders import Scene
from tests.conftest import empty_database
from tests.outbox import test_letters
from tests.outbox.test_letters import Box
from tests.working import started_worker, until

box = test_letters.box


@pytest.fixture(autouse=True)
def _alone(database: str, tmp_path: Path) -> Iterator[None]:
    """A database of its own, in which nothing of other tests is due."""
    with empty_database(tmp_path):
        schema.upgrade()
        yield


def test_the_privacy_officer_hears_of_a_broken_glass_within_a_minute(
    box: Box, scene: Scene, call: Callable[[str], Any]
) -> None:
    ours = smtp.settings()
    mails = {
        "SMTP_HOST": ours.smtp_host,
        "SMTP_PORT": str(ours.smtp_port),
        "SMTP_USER": ours.smtp_user,
        "SMTP_PASSWORD": ours.smtp_password,
        "SMTP_CA_FILE": ours.smtp_ca,
        "MAIL_FROM": ours.mail_from,
        "APP_URL": ours.app_url,
    }
    why = {"reason": "Found unconscious at the station.", "reason_code": "emergency"}
    with started_worker(**{name: str(value) for name, value in mails.items()}):
        path = f"/patients/{scene.patient['id']}/break-glass"
        assert call("CN").post(path, why).status_code == 201
        until(lambda: box.taken)  # a minute at most
    ((to, message),) = box.taken
    assert to == [scene["PR"].email]
    told = message.as_string()
    assert scene.patient["legal_family"] not in told and str(scene.patient["id"]) not in told
