"""The way in from a shell: serve, migrate, keys, clinics, imports, the document."""

import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy import make_url

from api import (
    audit_commands,
    db,
    demo,
    field_key_commands,
    field_keys,
    logs,
    operating,
    schema,
    signing_key_commands,
    startup,
    supervisor,
)
from api.access import keys
from api.access.users import clinics_there
from api.app import build
from api.audit import checkpoints, seal, trail
from api.client_commands import client_group
from api.clinic_commands import clinic_group
from api.config import settings
from api.core import release
from api.core.patients.index import index_former_systems
from api.errors import Unsafe
from api.fhir import capability
from api.import_commands import import_checkins_command
from api.worker import Worker

DOCUMENTS = Path(__file__).parent.parent / "openapi"
DOORS = ("v1", "research")
"""Those with an OpenAPI document."""
CAPABILITY = DOCUMENTS / "fhir-capability.json"
SERVER = [sys.executable, "-m", "api.serving"]
METRICS = [sys.executable, "-m", "flask", "--app", "wsgi", "metrics"]
WORKER = [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
YOUNG_OBJECTS = 20_000
"""New objects between two looks of the collector; a page of 50 records is some 10,000."""
COMMITTED_AT = "https://freshtrail.example/fhir/R4"


def make_missing_keys() -> list[str]:
    """Make the keys that are not there; what was made, in words. Raises `Unsafe` if it can't be."""
    made = []
    if keys.make_keys(settings().keys):
        made.append("signing key")
    if field_keys.make_keys(settings().keys):
        made.append("field key")
    if checkpoints.make_key(settings().keys):
        made.append("checkpoint key")
    return made


def _make_keys() -> list[str]:
    try:
        return make_missing_keys()
    except Unsafe as reason:
        raise click.ClickException(str(reason)) from None


@click.command("migrate")
@click.option(
    "--to", type=click.Choice(schema.numbers()), help="A migration's number; default newest."
)
def migrate_command(to: str | None) -> None:
    """Bring the database to the newest schema, or with --to to another, also back."""
    settings().data.mkdir(parents=True, exist_ok=True, mode=0o700)
    schema.upgrade() if to is None else schema.move(to)
    if to is not None and to < str(schema.head()):
        click.echo(f"The database stands at {to}.")
        return
    _look_at_trails_anew()
    index_former_systems()
    click.echo(f"The database stands at {db.schema_version()}.")


def _look_at_trails_anew() -> None:
    """On PostgreSQL the database may have come from another server: seal from the beginning."""
    with db.transaction() as store:
        ids = [*clinics_there(store), trail.SYSTEM] if store.on_postgres else []
    for clinic_id in ids:
        with db.within(clinic_id), db.transaction() as store:
            seal.begin_again(store)


@click.command("serve")
def serve_command() -> None:
    """Serve the API; in demo mode keys, schema and a demo clinic are made where missing.

    In demo mode the worker runs beside it; in production it is a process of its own. SIGTERM drains
    it for DRAIN_S seconds first, a second one or SIGINT ends it at once.
    """
    settings().data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings().mode == "demo":
        _prepare_demo()
    _refuse_unsafe()
    address = f"http://{settings().host}:{settings().port}"
    click.echo(f"Serving ({settings().mode}) on {address}; the documents are at {address}/docs")
    sys.stdout.flush()
    db.engine().dispose()
    beside = [WORKER] if settings().mode == "demo" else []
    beside += [METRICS] if settings().metrics_port else []
    operating.forget_figures()
    if beside:
        grace_s = supervisor.GRACE_S + settings().drain_seconds
        raise SystemExit(supervisor.run([SERVER, *beside], grace_s))
    os.execv(sys.executable, SERVER)


@click.command("worker")
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
def worker_command(once: bool) -> None:
    """Do what falls due and deliver events; as many workers as you like may run."""
    _refuse_unsafe()
    worker = Worker()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.stop())
    worker.run(once)


def _prepare_demo() -> None:
    for made in _make_keys():
        click.echo(f"Made a {made} in {settings().keys}.")
    schema.upgrade()
    if demo.is_empty():
        demo.load(click.echo)
    click.echo(f"Demo accounts, password {demo.PASSWORD}:")
    for line in demo.who():
        click.echo(f"  {line}")


def _refuse_unsafe() -> None:
    """Stop before the first request what could not be served safely."""
    try:
        startup.refuse_unsafe()
        if settings().mode == "production":
            _warn_without_mail()
    except Unsafe as reason:
        raise click.ClickException(str(reason)) from None


def _warn_without_mail() -> None:
    if not settings().smtp_host:
        said = "SMTP_HOST is not set: invitations and new passwords wait, and reach nobody."
        click.echo(said, err=True)


keys_group = AppGroup("keys", help="Signing and field keys.")


@keys_group.command("make")
def make_keys_command() -> None:
    """Make the keys that are not there; never touches one that is."""
    settings().data.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = _make_keys()
    click.echo(f"Made: {', '.join(made)}." if made else "Every key is there already.")


field_key_commands.add_to(keys_group)
signing_key_commands.register(keys_group)

document_group = AppGroup("document", help="The OpenAPI documents.")


@document_group.command("write")
@click.option("--to", type=click.Path(path_type=Path), default=DOCUMENTS, show_default=False)
def write_documents_command(to: Path) -> None:
    """Write the documents of the doors anew, into openapi/."""
    for door in DOORS:
        (to / f"{door}.json").write_text(document_text(door))
        click.echo(f"Wrote {door}.json.")
    (to / CAPABILITY.name).write_text(capability_text())
    click.echo(f"Wrote {CAPABILITY.name}.")


def capability_text() -> str:
    """What the FHIR door states, as it is committed: at an address that stands for any."""
    told = capability.statement(COMMITTED_AT)
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def document_text(door: str) -> str:
    """A door's document as it is committed: indented, with a newline at its end."""
    spec: dict[str, Any] = app.extensions[door].spec.to_dict()
    return json.dumps(spec, indent=1, ensure_ascii=False) + "\n"


research_group = AppGroup("research", help="De-identified outcomes.")


@research_group.command("grants")
@click.option("--role", default="freshtrail_research", show_default=True)
def research_grants_command(role: str) -> None:
    """Print what a PostgreSQL role needs to read for releases; names are not among it.

    It keeps the codes of subjects, which the role of DATABASE_URL then reads no more.
    """
    url = make_url(settings().url)
    others = None if url.username in (None, role) else url.username
    for statement in release.grants(role, others):
        click.echo(f"{statement};")


def _with_commands(made: Flask) -> Flask:
    for command in (migrate_command, serve_command, worker_command, import_checkins_command):
        made.cli.add_command(command)
    for group in (keys_group, clinic_group, client_group, document_group, research_group):
        made.cli.add_command(group)
    operating.register(made)
    audit_commands.register(made)
    return made


def _calm_the_collector() -> None:
    """What was made at the start stays: it need not be looked at again in every request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)


logs.prepare(settings().log_level)
db.one_trip_pool()  # once, before there are threads that could each make one
app = _with_commands(build())
"""What a WSGI server loads."""
_calm_the_collector()
