"""Trailing: what the worker did with a release, as an event of the trail."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from api import clock
from api.core.release.tables import research_releases
from api.db import Values, new_id


def event(release: Values, deed: str, words: Iterable[str], actor_id: UUID | None = None) -> Values:
    """An event of a release: the deed, and words that tell of it, none of a patient."""
    return {
        "clinic_id": release["clinic_id"],
        "id": new_id(),
        "at": clock.now(),
        "actor_id": actor_id,
        "action": f"research_release:{deed}",
        "type": research_releases.name,
        "record_id": release["id"],
        "purpose": "research",
        "outcome": "ok",
        "door": "worker",
        "request_id": release["id"].hex,
        "field_names": " ".join(words),
    }


def words_of(release: Values, manifest: dict[str, Any]) -> list[str]:
    """What was published, for whom: counts under eleven are masked as in the manifest, whose hash
    stands for its purpose, its counts and the hash of every file."""
    return [
        f"project:{release['project_id']}",
        f"subjects:{manifest['subjects']}",
        f"files:{len(manifest['files'])}",
        f"manifest:{digest(manifest)}",
        f"policy {manifest['policy_version']} release {release['number']} {release['tier']}",
    ]


def digest(manifest: dict[str, Any]) -> str:
    """The SHA-256 of a manifest: of its JSON with sorted keys and no spaces."""
    return sha256(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)).hexdigest()
