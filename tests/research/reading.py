"""The files of a release as an analyst reads them, without any of our code."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any


class Files:
    """A folder of files, read once each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, list[dict[str, str]]] = {}

    def __getitem__(self, table: str) -> list[dict[str, str]]:
        if table not in self._read:
            with gzip.open(self.folder / f"{table}.csv.gz", "rt", newline="") as lines:
                self._read[table] = list(csv.DictReader(lines))
        return self._read[table]

    @property
    def paths(self) -> list[Path]:
        """Every file."""
        return sorted(self.folder.iterdir())

    @property
    def package(self) -> dict[str, Any]:
        """The Frictionless package."""
        return dict(json.loads((self.folder / "datapackage.json").read_text()))
