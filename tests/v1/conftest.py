"""What the tests of v1 share: a chart's address, and how a whole problem document looks."""

from typing import Any

import pytest

NEW = {"legal_name": {"given": "Dot", "family": "Twin"}, "birth_on": "1970-07-07"}
"""The least that a patient is admitted with."""


@pytest.fixture
def chart(scene: Any) -> str:
    """The address of the scene's patient."""
    return f"/patients/{scene.patient['id']}"


def is_problem(answer: Any, status: int) -> bool:
    """Whether the answer is a whole problem document of that status."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= set(answer.json)
    assert answer.json["status"] == status
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    return True
