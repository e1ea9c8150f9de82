"""Releases over the research door: ask for one, read what it is, and fetch its files."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import marshmallow as ma
from flask import Response, request, send_file
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from api.access.policies import Actor
from api.core import release
from api.paging import Listing, Values
from api.v1.forms import Choice, Instant, Many, Show, shown
from api.v1.resource import Blueprint

blp = Blueprint("research_releases", "Closed, numbered snapshots of a project, and their files.")
ALL = "/projects/<id:project_id>/releases"
ONE = f"{ALL}/<int(max=99999):number>"
KINDS = {
    ".gz": "application/gzip",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".md": "text/markdown; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
}


class ReleaseSchema(Show):
    """A release: how far it is, and by which rules it was refused; never how many lacked."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    number = shown(ma.fields.Integer)
    tier = Choice(release.TIERS, required=True)
    state = Choice(release.RELEASE_STATES, required=True)
    progress_percent = shown(ma.fields.Integer)
    refused_for = Many(Choice(release.REASONS), required=True)
    released_on = shown(ma.fields.String, nullable=True)


MASKED = {"description": "A number, or `<11` for one to ten.", "x-any": True}


class SuppressedSchema(Show):
    """How many subjects a rule left out or shortened."""

    rule = shown(ma.fields.String)
    subjects = shown(ma.fields.Raw, metadata=MASKED)


class FileSchema(Show):
    """A file of a release."""

    name = shown(ma.fields.String)
    bytes = shown(ma.fields.Integer)
    sha256 = shown(ma.fields.String)
    rows = shown(ma.fields.Raw, nullable=True, metadata=MASKED)


class ManifestSchema(Show):
    """What a release is, and how it was made."""

    project_id = shown(ma.fields.UUID)
    purpose = shown(ma.fields.String)
    release = shown(ma.fields.Integer)
    supersedes = shown(ma.fields.Integer, nullable=True)
    notice = shown(ma.fields.String)
    tier = shown(ma.fields.String)
    basis = shown(ma.fields.String)
    agreement_id = shown(ma.fields.UUID, nullable=True)
    released_on = shown(ma.fields.String)
    schema_version = shown(ma.fields.String)
    policy_version = shown(ma.fields.String)
    cube_version = shown(ma.fields.String, nullable=True)
    code_sha256 = shown(ma.fields.String)
    spacing_days = shown(ma.fields.Integer)
    subjects = shown(ma.fields.Raw, metadata=MASKED)
    k = shown(ma.fields.Integer, nullable=True)
    l = shown(ma.fields.Integer, nullable=True)  # noqa: E741
    k_of_visits = shown(ma.fields.Integer, nullable=True)
    quasi_identifiers = Many(ma.fields.String(), required=True)
    levels = shown(ma.fields.Dict, keys=ma.fields.String(), values=ma.fields.Integer())
    suppressed = Many(ma.fields.Nested(SuppressedSchema), required=True)
    rare_words_collapsed = Many(ma.fields.String(), required=True)
    residual_risks = Many(ma.fields.String(), required=True)
    files = Many(ma.fields.Nested(FileSchema), required=True)


@blp.offer("GET", ALL, "research_release:read", answer=ReleaseSchema, paged=True, keyed=True)
def list_releases(actor: Actor, project_id: Any, asked: Any) -> Listing:
    """List the releases of a project.

    What was refused says by which rule. A project key opens this too.
    """
    return release.list_releases(actor, project_id, asked)


@blp.offer(
    "POST",
    ALL,
    "research_release:make",
    answer=ReleaseSchema,
    status=202,
    errors=(409,),
    location="/research/v1/projects/{project_id}/releases/{number}",
)
def request_release(actor: Actor, project_id: Any) -> Values:
    """Ask for the next release.

    The worker makes it; `Location` tells how far it is. 409 while one is made, or too soon after
    the last (`RELEASE_SPACING_DAYS`; limited data sets keep no distance). 403 in a project of tier
    C while no agreement in force names you.
    """
    return release.request_release(actor, project_id)


@blp.offer("GET", ONE, "research_release:read", answer=ReleaseSchema, derived=True, keyed=True)
def read_release(actor: Actor, project_id: Any, number: int) -> Values:
    """Read how far a release is.

    `ready` once it can be fetched; what was refused says by which rule. A project key opens this
    too.
    """
    return release.read_release(actor, project_id, number)


@blp.offer("GET", f"{ONE}/manifest", "research_release:read", answer=ManifestSchema, keyed=True)
def read_manifest(actor: Actor, project_id: Any, number: int) -> Values:
    """Read what a release is.

    Its files with their hashes, the k and l reached, what was suppressed by which rule. A project
    key opens this too. Of a limited data set there is no k: 403 there while no agreement in force
    names you.
    """
    return release.read_manifest(actor, project_id, number)


@blp.offer(
    "GET",
    f"{ONE}/files/<string:name>",
    "research_release:download",
    media="application/octet-stream",
    keyed=True,
)
def open_file(actor: Actor, project_id: Any, number: int, name: str) -> Response:
    """Fetch a file of a release.

    `ETag` is its SHA-256, `Range` is served, `If-None-Match` answers 304. A project key opens this
    too, so that DuckDB, polars, pandas and R read it where it lies. A limited data set is PHI: no
    key opens it, and it needs a sign-in of the last five minutes and an agreement that names you.
    """
    return _send(*release.open_file(actor, project_id, number, name))


@blp.offer("GET", f"{ONE}/codebook", "research_release:read", media="text/markdown", keyed=True)
def open_codebook(actor: Actor, project_id: Any, number: int) -> Response:
    """Read the code book of a release.

    Every column with its words and meaning, windows, instruments and rules of change, as Markdown.
    A project key opens this too.
    """
    return _send(*release.open_codebook(actor, project_id, number))


def _send(path: Path, digest: str, one: Values) -> Response:
    """A file as it lies, whole or in part; a range that it does not have is not minded."""
    day = date.fromisoformat(one["manifest"]["released_on"])
    try:
        return _sent(path, digest, day, one)
    except RequestedRangeNotSatisfiable:
        request.environ.pop("HTTP_RANGE")
        return _sent(path, digest, day, one)


def _sent(path: Path, digest: str, day: date, one: Values) -> Response:
    answer = send_file(
        path.resolve(),
        mimetype=KINDS[path.suffix],
        as_attachment=True,
        download_name=path.name,
        etag=digest,
        last_modified=datetime(day.year, day.month, day.day, tzinfo=UTC),
        conditional=True,
    )
    if one["tier"] == release.LIMITED:
        answer.headers["Cache-Control"] = "no-store"
    return answer
