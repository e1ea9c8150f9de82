"""Templates of check-in plans over v1: shipped ones, and copies that a clinic has changed."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.outcomes import plans
from api.core.outcomes.plans import templates
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Many, Show, Words, shown
from api.v1.plans import NewPlanPartSchema
from api.v1.resource import Blueprint

blp = Blueprint("check-in-plan-templates", "Check-in plans that belong together.")
TEMPLATES = "/check-in-plan-templates"
TEMPLATE = f"{TEMPLATES}/<string:template_key>"


class NewPlanTemplateSchema(Ask):
    """A template of the clinic's own; what is left out comes from `copy_of`."""

    copy_of = Words(60, metadata={"description": "The key of the template that is copied."})
    title = Words(200)
    about = Words(2000, allow_none=True)
    plans = Many(ma.fields.Nested(NewPlanPartSchema), most=templates.MAX_PARTS, least=1)


class ChangedPlanTemplateSchema(Ask):
    """What of a template changes; `plans` are replaced as a whole."""

    title = Words(200)
    about = Words(2000, allow_none=True)
    plans = Many(ma.fields.Nested(NewPlanPartSchema), most=templates.MAX_PARTS, least=1)


class PlanPartSchema(Show):
    """One plan of a template."""

    instrument = shown(ma.fields.String)
    rule = Choice(plans.RULES, required=True)
    n = shown(ma.fields.Integer)
    answer_within_days = shown(ma.fields.Integer)


class PlanTemplateSchema(Show):
    """Plans that belong together; `is_shipped` ones are copied, not changed."""

    id = shown(ma.fields.String)
    key = shown(ma.fields.String)
    version = shown(ma.fields.Integer)
    title = shown(ma.fields.String)
    about = shown(ma.fields.String, nullable=True)
    plans = Many(ma.fields.Nested(PlanPartSchema), required=True)
    is_shipped = shown(ma.fields.Boolean)
    copy_of = shown(ma.fields.String, nullable=True)


@blp.offer("GET", TEMPLATES, "plan_template:read", answer=PlanTemplateSchema, paged=True)
def list_plan_templates(actor: Actor, **asked: Any) -> Listing:
    """List the templates of check-in plans, by key.

    Those that are shipped and the clinic's own; `updated_since` answers all of them.
    """
    return plans.list_plan_templates(actor, **asked)


@blp.offer(
    "POST",
    TEMPLATES,
    "plan_template:write",
    body=NewPlanTemplateSchema,
    answer=PlanTemplateSchema,
    location=f"/api/v1{TEMPLATES}/{{id}}",
    example={"copy_of": "maintenance", "title": "Maintenance, our way"},
)
def copy_plan_template(actor: Actor, values: Values) -> Values:
    """Copy a template of check-in plans, or make a new one.

    What is sent stands in place of what is copied; without `copy_of`, `title` and `plans` are
    needed.
    """
    return plans.copy_plan_template(actor, values)


@blp.offer("GET", TEMPLATE, "plan_template:read", answer=PlanTemplateSchema)
def read_plan_template(actor: Actor, template_key: str) -> Values:
    """Read a template of check-in plans."""
    return plans.read_plan_template(actor, template_key)


@blp.offer(
    "PATCH",
    TEMPLATE,
    "plan_template:write",
    body=ChangedPlanTemplateSchema,
    answer=PlanTemplateSchema,
    example={"title": "Maintenance, our way"},
)
def change_plan_template(
    actor: Actor, template_key: str, version: int | None, values: Values
) -> Values:
    """Change a template of the clinic's own.

    Plans made from it before stay as they are. One that is shipped is 403: copy it.
    """
    return plans.change_plan_template(actor, template_key, version, values)


@blp.offer("DELETE", TEMPLATE, "plan_template:write", status=204)
def remove_plan_template(actor: Actor, template_key: str, version: int | None) -> None:
    """Take away a template of the clinic's own.

    Plans made from it stay.
    """
    plans.remove_plan_template(actor, template_key, version)
