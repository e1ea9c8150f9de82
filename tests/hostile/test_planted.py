"""Words that people write come out where they are read, and nowhere else.

A word of its own is planted in every field of every write, in every query and in every path. Then
logs, figures, refusals, headers, what webhooks got, letters and sealed columns are searched.
"""

import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY, generate_latest
from sqlalchemy import update

from api import clock, config, db, logs
from api.core.ehr.subscriptions.tables import ehr_subscriptions
from api.outbox import events
from api.outbox.tables import webhook_deliveries, webhooks
from api.worker import Worker
from tests.builders import Scene
from tests.fhir.matrix import World as EhrWorld
from tests.hostile import planted
from tests.hostile.aiming import Target
from tests.hostile.ehr_aiming import EhrSender
from tests.hostile.planted import Planting
from tests.hostile.test_hostile_input import Sender, ends_something
from tests.house.matrix import World
from tests.outbox.conftest import make_webhook
from tests.outbox.receiver import Receiver, receiving
from tests.test_figures import build_counting
from tests.working import only_for

LEAST, LEAST_TAKEN = 2000, 500
LEAST_TOLD = 50
CLEAR = {
    "check_in_plan_templates.about",
    "check_in_plan_templates.title",
    "clinics.name",
    "consents.text_version",
    "ehr_clients.external_system",
    "ehr_clients.name",
    "instrument_texts.holder",
    "instrument_texts.instructions",
    "instrument_texts.licence_statement",
    "invitations.display_name",
    "ledger_entries.client_event_id",
    "own_instruments.licence_statement",
    "patient_words.word",
    "patients.legal_family",
    "patients.legal_given",
    "patients.preferred_name",
    "research_agreements.recipient",
    "research_keys.name",
    "research_projects.purpose",
    "research_projects.title",
    "rooms.name",
    "rooms.room_key",
    "users.display_name",
}
"""Every column that holds what somebody wrote as they wrote it: what is searched or shown by it."""


@pytest.fixture
def told() -> Iterator[StringIO]:
    """What is logged meanwhile, of every logger, in the form in which it is written."""
    stream, root = StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.OneLine())
    levels = {log: log.level for log in (root, logging.getLogger("freshtrail"))}
    logging.getLogger("freshtrail").disabled = False
    root.addHandler(handler)
    for log in levels:
        log.setLevel("INFO")
    yield stream
    root.removeHandler(handler)
    for log, level in levels.items():
        log.setLevel(level)


@pytest.fixture
def receiver(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Whom a webhook of ours tells."""
    with receiving(monkeypatch) as made:
        yield made


@pytest.fixture
def counting(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """A server that counts requests and logs each."""
    monkeypatch.setenv("LOG_LEVEL", "info")
    made: Flask = build_counting(monkeypatch).application
    return made


def plant(planting: Planting, send: Any, aims: list[Target]) -> None:
    """Plant everywhere; what ends a record comes last."""
    for target in sorted(aims, key=lambda one: ends_something(one.route)):
        for word in planting.tries(target):
            answer = send(target, planted.as_payload(target, word))
            assert answer.status_code < 500, (str(target), answer.text)
            planting.heard(target, word, answer)
            answer.close()


def planted_at_every_door(app: Flask, clinic: World, ehrs: EhrWorld) -> Planting:
    """Words of their own at each door, by somebody who may do what is asked for there."""
    planting, send = Planting(), Sender(app, clinic)
    for door in ("v1", "research"):
        plant(planting, send, planted.places(app.extensions[door].spec.to_dict()))
    plant(planting, EhrSender(app, ehrs), planted.places_of_ehrs(ehrs))
    return planting


def delivered(hooks: list[tuple[Scene, db.Values]], receiver: Receiver) -> list[str]:
    """What our webhooks got of all that happened, once a worker has told them."""
    ours = [hook["id"] for _, hook in hooks]
    others, gone = webhooks.c.id.not_in(ours), {"deleted_at": clock.now()}
    with db.transaction() as store:
        store.execute(update(ehr_subscriptions).values(gone))  # nobody shakes hands there
        store.execute(update(webhooks).where(others).values(disabled_at=clock.now()))
        theirs = update(webhook_deliveries).where(webhook_deliveries.c.webhook_id.not_in(ours))
        store.execute(theirs.values(state="cancelled", leased_until=None))
    for scene, _ in hooks:
        with pytest.MonkeyPatch.context() as patch:
            only_for(scene, patch)
            Worker().run(once=True)
    return [f"{m.path} {m.headers} {m.body.decode()}" for m in receiver.messages]


def test_what_is_planted_is_found_nowhere_but_where_it_is_read(
    counting: Flask, told: StringIO, receiver: Receiver
) -> None:
    clinic, ehrs = World(counting), EhrWorld(counting)
    letters = config.settings().data / "mail.ndjson"
    before = letters.stat().st_size if letters.exists() else 0
    with db.transaction():
        scenes = (clinic.scene, ehrs.scene)
        hooks = [(one, make_webhook(one, receiver, *events.EVENTS)) for one in scenes]
    planting = planted_at_every_door(counting, clinic, ehrs)
    assert len(planting.places) >= LEAST and len(planting.taken) >= LEAST_TAKEN, planting.taken
    figures, got = generate_latest(REGISTRY).decode(), delivered(hooks, receiver)
    assert "freshtrail_requests_total" in figures and len(got) >= LEAST_TOLD
    assert told.getvalue().count('"event": "request"') >= LEAST
    for name, text in {
        "logs": told.getvalue(),
        "figures": figures,
        "refusals": "\n".join(planting.refusals),
        "headers": "\n".join(planting.headers),
        "letters": _letters(letters, before),
        "sealed columns": "\n".join(planted.sealed_as_stored().values()),
        "webhooks": "\n".join(got),
    }.items():
        assert planting.found(text) == {}, name
    clear = planted.clear_as_stored().items()
    held = {name for name, text in clear if planting.found(text)}
    assert held == CLEAR, held ^ CLEAR


def _letters(path: Path, before: int) -> str:
    """The letters of this test, without to whom they go."""
    written: Any = path.read_text()[before:] if path.exists() else ""
    return "\n".join(line.partition('"kind"')[2] for line in written.splitlines())
