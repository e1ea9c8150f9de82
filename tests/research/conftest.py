"""One large clinic and one small for all attacks on an engine; releases are made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from api import db
from api.core.release import shelf
from tests.research import naive
from tests.research.clinic import SIZE, Clinic, make_clinic, make_release
from tests.research.reading import Files


@pytest.fixture(scope="session")
def large(application: Flask) -> Iterator[Clinic]:
    """A clinic of 2,000 patients, with canaries in its texts."""
    with application.app_context():
        made = make_clinic(SIZE, texts=True)
    yield made
    db.leave_store()


@pytest.fixture(scope="session")
def first(large: Clinic) -> db.Values:
    """Its first release."""
    return make_release(large)


@pytest.fixture(scope="session")
def files(first: db.Values) -> Files:
    """The files of the first release."""
    assert first["state"] == "ready", first
    return Files(shelf.folder(first))


@pytest.fixture(scope="session")
def plain(large: Clinic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A naive export of the same clinic, on which each attack is first tried."""
    return naive.export(large, tmp_path_factory.mktemp("naive"))


@pytest.fixture(scope="session")
def small(application: Flask) -> Clinic:
    """A clinic of 30 patients."""
    with application.app_context():
        return make_clinic(30, seed=3, texts=True)
