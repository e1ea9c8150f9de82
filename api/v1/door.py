"""Door 1: what v1 offers, under which address, in which document."""

import flask_smorest
from flask import Flask

from api.v1 import (
    alerts,
    amendments,
    attainment,
    attestations,
    between,
    break_glass,
    calendar,
    care_team,
    changes,
    chart_purges,
    checkins,
    clients,
    clinic,
    clinic_outcomes,
    clinical_lists,
    companions,
    consents,
    courses,
    dose_plans,
    dosing,
    dosing_board,
    download,
    erasure,
    factor_resets,
    goals,
    handover,
    history,
    holds,
    insights,
    instruments,
    journal,
    leaving,
    lineage,
    links,
    me,
    merges,
    moments,
    notes,
    outcomes,
    oversight,
    patients,
    plan_templates,
    plans,
    practices,
    problem,
    problem_shapes,
    protocols,
    readiness,
    rems,
    replies,
    rooms,
    screenings,
    second_factor,
    sessions,
    settings,
    signatures,
    signin,
    today,
    users,
    webhooks,
    windows,
    worklist,
)
from api.v1.resource import Blueprint

PREFIX = "/api/v1"
RESOURCES: tuple[Blueprint, ...] = (
    signin.blp,
    second_factor.blp,
    me.blp,
    clinic.blp,
    users.blp,
    factor_resets.blp,
    handover.blp,
    history.blp,
    clients.blp,
    rooms.blp,
    patients.blp,
    leaving.blp,
    merges.blp,
    amendments.blp,
    erasure.blp,
    holds.blp,
    chart_purges.blp,
    break_glass.blp,
    oversight.blp,
    download.blp,
    care_team.blp,
    companions.blp,
    consents.blp,
    sessions.blp,
    dose_plans.blp,
    dosing.blp,
    readiness.blp,
    settings.blp,
    attestations.blp,
    dosing_board.blp,
    rems.blp,
    courses.blp,
    screenings.blp,
    clinical_lists.blp,
    notes.blp,
    signatures.blp,
    insights.blp,
    goals.blp,
    attainment.blp,
    practices.blp,
    moments.blp,
    replies.blp,
    journal.blp,
    lineage.blp,
    protocols.blp,
    windows.blp,
    worklist.blp,
    between.blp,
    today.blp,
    calendar.blp,
    instruments.blp,
    checkins.blp,
    outcomes.blp,
    clinic_outcomes.blp,
    plans.blp,
    plan_templates.blp,
    links.blp,
    webhooks.blp,
    changes.blp,
    alerts.blp,
)
ABOUT = """\
The REST API of Freshtrail for clinic front ends. Sign in with `POST /auth/token`, send the access
token as `Authorization: Bearer`. Every change names the version it is meant for (`If-Match`),
every `POST` may carry an `Idempotency-Key`, every list is walked by `next_cursor`, and every
refusal is a problem document (RFC 9457) whose `type` is listed in the README.

A sign-in with which nothing is done ends: after 15 minutes for staff (60 while a dosing session of
theirs is in progress), after 30 for patients. Send `X-Background: 1` with what nobody asked for,
such as polling and refreshing by a timer, so that it keeps no sign-in awake.
"""


ID = {"type": "string", "format": "uuid"}


class Api(flask_smorest.Api):
    """The documented API; errors are problem documents, answered in one place of the app."""

    DEFAULT_ERROR_RESPONSE_NAME = ""

    def _register_error_handlers(self) -> None:
        """Leave errors to the one handler of the app."""

    def _register_responses(self) -> None:
        components = self.spec.components
        components.schema("Problem", problem_shapes.PROBLEM)
        for name, schema in instruments.definition_schemas().items():
            components.schema(name, schema)
        components.schema("Event", schema=webhooks.EventSchema)
        components.security_scheme(
            "bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        )
        for kind, (status, title) in problem.STATUS.items():
            if f"Problem{status}" in components.responses or status == NO_OPERATION:
                continue
            components.response(f"Problem{status}", problem_shapes.response(kind, status, title))

    def _register_pagination_header(self) -> None:
        """Cursors need no count."""

    def _register_etag_headers(self) -> None:
        """Each operation names its own."""


NO_OPERATION = 405
"""What is answered where there is no operation, so that none lists it."""


def open_door(app: Flask) -> Api:
    """Register every resource and its document."""
    app.config.update(
        API_TITLE="Freshtrail",
        API_VERSION="1.0.0",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {
                "description": ABOUT,
                "license": {
                    "name": "Apache-2.0",
                    "url": "https://www.apache.org/licenses/LICENSE-2.0",
                },
                "contact": {"name": "Freshtrail", "url": "https://freshtrail.example"},
            },
            "servers": [{"url": "/"}],
            "security": [{"bearer": []}],
            "webhooks": webhooks.documented(),
        },
    )
    api = Api(app)
    api.register_converter(app.url_map.converters["id"], lambda _id: dict(ID))
    for blueprint in RESOURCES:
        api.register_blueprint(blueprint, url_prefix=PREFIX)
    return api
