"""Group: the patients whom the client reaches, for exports by group."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import GROUP
from api.fhir.datatypes import identifier, instant, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import reference as pointing, token


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The one group."""
    members = [
        {
            "entity": reference("Patient", one["id"]),
            "period": {"start": instant(one["created_at"])},
        }
        for one in row["members"]
    ]
    body = {
        "identifier": [identifier("group", row["id"])],
        "active": True,
        "type": "person",
        "actual": True,
        "name": "Patients in reach of this client",
        "quantity": len(members),
        "managingEntity": reference("Organization", row["id"]),
        "member": members,
    }
    yield Made(body)


KIND: Final = Kind(
    type="Group",
    code="grp",
    parts=(Part(GROUP, to_fhir, digest=True),),
    params={
        "identifier": token("identifier"),
        "type": token("type"),
        "actual": token("actual"),
        "member": pointing("member.entity", "Patient"),
        "managing-entity": pointing("managingEntity", "Organization"),
    },
    summary=(
        "identifier",
        "active",
        "type",
        "actual",
        "code",
        "name",
        "quantity",
        "managingEntity",
    ),
    mandatory=("type", "actual"),
    chart=None,
    doc="The patients in reach of the client.",
)
