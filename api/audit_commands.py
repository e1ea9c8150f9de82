"""Commands of the audit trail: verify it, and tell that a backup was restored by intent."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from api import clock, db
from api.audit import checkpoints
from api.audit.inspecting import Report, inspect, one_moment
from api.audit.seal import audit_heads
from api.audit.trail import SYSTEM
from api.config import settings
from api.core import refusals
from api.errors import Unsafe

OK, TAMPERED, UNDECIDED = 0, 2, 3
OTHERS = "other addresses"
"""What is said of those that were too many to be told apart."""
audit_group = AppGroup("audit", help="The audit trail.")


@audit_group.command("verify")
@click.option("--clinic", type=click.UUID, help="One clinic alone.")
@click.option(
    "--checkpoints", "folder", type=click.Path(path_type=Path), help="Default CHECKPOINT_DIR."
)
@click.option(
    "--since",
    type=click.IntRange(1),
    default=1,
    help="From this link of each chain on, after the last checkpoint before it; default all.",
)
def verify_command(clinic: UUID | None, folder: Path | None, since: int) -> None:
    """Verify every chain against its events and its checkpoints.

    Exit status 0: nothing was touched; 2: something was, with the first place and what was done;
    3: it can't be decided. Events of the last seconds are not sealed yet: they are counted.
    """
    try:
        reports = _inspected(folder or settings().checkpoints, clinic, since)
    except (DBAPIError, Unsafe, OSError) as problem:
        why = str(problem) if isinstance(problem, Unsafe) else type(problem).__name__
        click.echo(f"It can't be decided: {why}")
        raise SystemExit(UNDECIDED) from None
    for report in reports:
        click.echo(_line(report))
    if any(report.verdict.tampering for report in reports):
        raise SystemExit(TAMPERED)


def _inspected(folder: Path, clinic: UUID | None, since: int) -> list[Report]:
    clinics, read = None if clinic is None else [clinic], 0
    with (
        one_moment(settings().url) as connection,
        click.progressbar(length=1, label="Verifying", file=sys.stderr) as bar,
    ):

        def say(done: int, of: int) -> None:
            nonlocal read
            bar.length, step, read = of, done - read, done
            bar.update(step)

        return inspect(connection, folder, clinics, since, say)


def _line(report: Report) -> str:
    verdict, first = report.verdict, report.verdict.first()
    whose = "no clinic" if report.clinic_id == SYSTEM else report.clinic_id
    words = [f"{whose}: {verdict.sealed} sealed, {report.checkpoints} checkpoints"]
    if report.begin > 1:
        words.append(f"followed from {report.begin} on")
    if report.unsealed:
        words.append(f"{report.unsealed} not sealed yet, the oldest of {report.oldest_unsealed_at}")
    words += verdict.warnings
    words.append("as it was written" if first is None else f"TAMPERED at {first.seq}: {first.what}")
    return "; ".join(words)


@audit_group.command("refusals")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]),
    help="A day or a minute, in UTC; default a day ago.",
)
def refusals_command(since: datetime | None) -> None:
    """Tell who was turned away without being known: how often, why, at which door, from where.

    By address, the most often first. Counts of the last minute come once somebody asks after it.
    """
    begins = clock.now() - timedelta(days=1) if since is None else since.replace(tzinfo=UTC)
    found = refusals.told(begins)
    for (address, door, kind), one in sorted(found.items(), key=lambda pair: -pair[1].times):
        words = f"{one.times:8}  {kind:22}  {door:8}  {address or OTHERS}"
        click.echo(f"{words}  {one.first} to {one.last}")
    click.echo(f"{sum(one.times for one in found.values())} since {begins:%Y-%m-%dT%H:%MZ}.")


@audit_group.command("recovery")
@click.option("--clinic", type=click.UUID, help="One clinic alone; default all.")
def recovery_command(clinic: UUID | None) -> None:
    """Tell that a backup was restored by intent: checkpoints of a later state bind no more.

    Nor does what can't be read before it.

    Writes a signed line of it into the checkpoints of each clinic.
    """
    with db.within(finding=True), db.transaction() as store:
        h = audit_heads.c
        asked = select(h.clinic_id, h.seq, h.hash)
        rows = store.rows(asked if clinic is None else asked.where(h.clinic_id == clinic))
    for row in rows:
        place = (row["clinic_id"], row["seq"], row["hash"])
        checkpoints.write(settings().checkpoints, *place, clock.now(), recovery=True)
    click.echo(f"Told of {len(rows)} chains.")


def register(app: Flask) -> None:
    """Teach the shell these commands."""
    app.cli.add_command(audit_group)
