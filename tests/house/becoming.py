"""How each state of `states.txt` comes about: over HTTP wherever a route brings it about."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from api import clock, db
from api.access.policies import Role
from api.access.users import CONSENTED, OWN_EHR, clinics, sign_ins, users
from api.core import release, suspending
from api.core.consents import consents
from api.core.integration.tables import goals
from api.core.opened import break_glass
from api.core.patients import patients
from api.core.release.tables import research_agreements
from api.core.team_reach import alert_duties, session_clinicians
from api.core.treatment.sessions import sessions
from tests import builders
from tests.core import dosing, noting, purging
from tests.fhir import charts
from tests.house import matrix
from tests.house.states import World

ANSWERS = {"answers": {"gad7-1": 0}}
HOUR, SECOND, DAY = timedelta(hours=1), timedelta(seconds=1), timedelta(days=1)


def off_the_team(world: World, persona: str = "CT") -> None:
    """An administrator ends the clinician's membership; no session opens the chart any more."""
    path = f"/patients/{world.ids['patient_id']}/care-team"
    rows = world.caller("CA").get(path).json["items"]
    wanted = str(world.scene[persona].user_id)
    mine = next(row["id"] for row in rows if wanted in str(row))
    world.move("CA", "POST", f"{path}/{mine}/end", {})
    theirs = session_clinicians.c.clinician_id == world.scene[persona].user_id
    over = clock.now() - SECOND
    with db.transaction() as store:
        hours = {"duty_from": over - HOUR, "duty_until": over}
        store.execute(session_clinicians.update().where(theirs).values(**hours))


def _duty(begins: timedelta, ends: timedelta) -> Callable[[World], None]:
    """CN is named on a session, with hours of duty relative to now."""

    def make(world: World) -> None:
        now = clock.now()
        with db.transaction() as store:
            session = builders.make_session(world.scene.patient, world.scene["CN"])
            mine = session_clinicians.c.session_id == session["id"]
            hours = {"duty_from": now + begins, "duty_until": now + ends}
            store.execute(session_clinicians.update().where(mine).values(**hours))

    return make


def _escalated(until: timedelta | None) -> Callable[[World], None]:
    def make(world: World) -> None:
        now = clock.now()
        duty = {"clinic_id": world.scene.clinic_id, "patient_id": world.scene.patient["id"]}
        duty |= {"alert_id": UUID(world.id("alert_id"))}
        duty |= {"clinician_id": world.scene["CN"].user_id}
        times = {"duty_from": now - timedelta(days=2), "duty_until": until and now + until}
        with db.transaction() as store:
            store.execute(alert_duties.insert().values(**duty, **times))

    return make


def _emergency(ago: timedelta) -> Callable[[World], None]:
    """CN opened the chart so long ago."""

    def make(world: World) -> None:
        path = f"/patients/{world.ids['patient_id']}/break-glass"
        why = {"reason": "Found unconscious at the station.", "reason_code": "emergency"}
        made = world.move("CN", "POST", path, why)
        world.ids["break_glass_id"] = made["id"]
        mine = break_glass.c.id == UUID(made["id"])
        with db.transaction() as store:
            ends_at = clock.now() + HOUR - ago
            store.execute(break_glass.update().where(mine).values(ends_at=ends_at))

    return make


def disabled(world: World, persona: str = "CT") -> None:
    """An administrator disables somebody."""
    world.move("CA", "POST", f"/users/{world.scene[persona].user_id}/disable", {})


def signed_out(world: World) -> None:
    """Each ends their own sign-in."""
    for persona in ("CT", "PS", "CA", "PR"):
        sign_in_id = world.scene[persona].sign_in_id
        world.caller(persona)("DELETE", f"/me/sign-ins/{sign_in_id}", **{"If-Match": "*"})


def sign_in_over(world: World) -> None:
    """The sign-ins of the clinic ended a second ago."""
    here = sign_ins.c.clinic_id == world.scene.clinic_id
    with db.transaction() as store:
        over = {"ends_at": clock.now() - timedelta(seconds=1)}
        store.execute(sign_ins.update().where(here).values(**over))


def password_changed(world: World) -> None:
    """What a new password does to every sign-in of before."""
    here = users.c.clinic_id == world.scene.clinic_id
    with db.transaction() as store:
        newer = {"security_version": users.c.security_version + 1}
        store.execute(users.update().where(here).values(**newer))


def _made(persona: str, role: str) -> Callable[[World], None]:
    """Another administrator gives the persona another role."""

    def make(world: World) -> None:
        with db.transaction():
            other = builders.make_person(world.scene.clinic_id, Role.ADMINISTRATOR)
        world.tokens["A2"] = other.token
        world.move("A2", "PATCH", f"/users/{world.scene[persona].user_id}", {"role": role})

    return make


def privileges_taken(world: World) -> None:
    """An administrator takes every privilege of RX, who planned a dose before."""
    world.id("dosing_id", "CT")
    world.move("CA", "PATCH", f"/users/{world.scene['RX'].user_id}", {"privileges": []})


def signed(world: World) -> None:
    """A dosing session that the care team's therapist completed and signed."""
    session_id = world.make("session_id", lambda: noting.held_session(world.scene, kind="dosing"))
    world.move("CT", "POST", f"/sessions/{session_id}/signatures", {"part": "therapist"})
    for name in ("dosing_id", "held_id", "signed_id", "sprayed_id"):
        world.ids[name] = str(session_id)


def _note(kind: str) -> Callable[[World], None]:
    def make(world: World) -> None:
        note_id = world.make(
            "note_id", lambda: noting.note(world.scene, noting.held_session(world.scene), kind=kind)
        )
        world.ids["draft_id"] = str(note_id)
        world.move("CT", "POST", f"/notes/{note_id}/sign", {})

    return make


def note_held(world: World) -> None:
    """The author holds a signed note back."""
    _note("progress")(world)
    body = {"reason": "A name.", "expires_at": matrix.in_days(2)}
    world.move("CT", "POST", f"/notes/{world.ids['note_id']}/hold", body)


def author_left(world: World) -> None:
    """The author of a psychotherapy note leaves the care team."""
    _note("psychotherapy")(world)
    off_the_team(world)


def author_disabled(world: World) -> None:
    """The author of a psychotherapy note is disabled."""
    _note("psychotherapy")(world)
    disabled(world)


def withdrawn(world: World) -> None:
    """The patient withdraws all that they agreed to."""
    arrived = {"state": "arrived", "kind": "dosing", "arrived_at": clock.now()}
    with db.transaction():
        given = dosing.agreed(world.scene)
        session = builders.make_session(world.scene.patient, world.scene["CT"], **arrived)
    world.ids |= {"session_id": str(session["id"]), "consent_id": str(given[0]["id"])}
    world.id("dosing_id")
    times = {"starts_at": matrix.in_days(30), "ends_at": matrix.in_days(30, 1)}
    booked = matrix.a_session(world) | {"kind": "dosing"}
    world.bodies["POST /patients/{patient_id}/sessions"] = booked
    world.bodies["PATCH /sessions/{session_id}"] = times
    for one in given:
        world.move("PS", "POST", f"/consents/{one['id']}/withdraw", {})


def an_ehr(world: World) -> str:
    """A client whose system does not know the patient; answers the consent's id."""
    here = clinics.c.id == world.scene.clinic_id
    goal_id = world.id("goal_id")
    with db.transaction() as store:
        store.execute(clinics.update().where(here).values(ehr_access=CONSENTED))
        client = charts.register(world.app, world.scene.clinic_id)
        agreed = dosing.agreed(world.scene, "ehr_sharing")[0]
    world.tokens["SY"] = client.sign_in().token
    world.ids["client_id"] = str(client.client_id)
    seen = world.caller("SY").get(f"/fhir/R4/Goal/{goal_id}")
    assert seen.status_code == 200, seen.text
    return str(agreed["id"])


def sharing_withdrawn(world: World) -> None:
    """The patient no longer shares with EHR systems."""
    world.move("PS", "POST", f"/consents/{an_ehr(world)}/withdraw", {})


def client_revoked(world: World) -> None:
    """An administrator revokes the client."""
    an_ehr(world)
    world.move("CA", "POST", f"/clients/{world.ids['client_id']}/revoke", {})


def kept_to_themself(world: World) -> None:
    """A goal with a practice and a step, an insight, a moment and a page, all for themself."""
    chart = f"/patients/{world.ids['patient_id']}"
    me = {"shared_with": "me"}
    for name, path, body in (
        ("goal_id", f"{chart}/goals", {"title": "T", "category": "boundaries"} | me),
        ("practice_id", "/goals/{goal_id}/practices", {"new_trail": "T"}),
        ("step_id", "/practices/{practice_id}/steps", {"kind": "done"}),
        ("insight_id", f"{chart}/insights", {"text": "T"} | me),
        ("moment_id", f"{chart}/moments", {"text": "T"} | me),
        ("journal_id", f"{chart}/journal", {"text": "T"} | me),
    ):
        made = world.move("PS", "POST", path.format(**world.ids), body)
        world.ids[name] = made["id"]


def answered(world: World) -> None:
    """The care team completes a check-in."""
    world.move("CT", "POST", f"/check-ins/{world.id('check_in_id')}/complete", {})


def amended(world: World) -> None:
    """The privacy officer accepts what the patient asked for."""
    world.move("PR", "POST", f"/amendment-requests/{world.id('asked_id')}/accept", {})


def legal_hold(world: World) -> None:
    """The privacy officer places a hold."""
    path = f"/patients/{world.ids['patient_id']}/legal-holds"
    world.move("PR", "POST", path, {"reason": "A claim."})


def merged(world: World) -> None:
    """The administrator merges the chart into another, of somebody who does not sign in."""
    world.id("goal_id", "CT")
    with db.transaction():
        into = builders.make_patient(world.scene.clinic_id)
        builders.join_team(into, world.scene["CT"])
    said = {"into": str(into["id"]), "reason": "Admitted twice."}
    world.move("CA", "POST", f"/patients/{world.ids['patient_id']}/merge", said)


def _purged(pieces: int) -> Callable[[World], None]:
    """Two people agreed that the chart be removed, and the worker did so many pieces of it."""

    def make(world: World) -> None:
        for name in ("goal_id", "session_id", "consent_id"):
            world.id(name, "CT")
        long_ago, scene = clock.now() - 15 * 365 * DAY, world.scene
        with db.transaction() as store:
            for table in (patients, goals):
                own = table.c.get("patient_id", table.c.id) == scene.patient["id"]
                store.execute(table.update().where(own).values(created_at=long_ago))
            mine = sessions.update().where(sessions.c.patient_id == scene.patient["id"])
            store.execute(mine.values(starts_at=long_ago))
            mine = consents.update().where(consents.c.patient_id == scene.patient["id"])
            store.execute(mine.values(updated_at=long_ago))
        purge = purging.agreed(scene)
        world.ids["purge_id"] = str(purge["id"])
        purging.work(scene, pieces)

    return make


def discharged(world: World) -> None:
    """The care team discharges the patient."""
    body = {"reason": "treatment_completed"}
    world.move("CT", "POST", f"/patients/{world.ids['patient_id']}/discharge", body)


def cancelled(world: World) -> None:
    """The care team calls the session off."""
    body = {"reason": "patient_asked"}
    world.move("CT", "POST", f"/sessions/{world.id('session_id')}/cancel", body)


def _link(state: str) -> Callable[[World], None]:
    def make(world: World) -> None:
        path = f"/patients/{world.ids['patient_id']}/check-in-links"
        made = world.move("CT", "POST", path, {"instrument": "gad-7"})
        world.ids["token"] = made["token"]
        if state == "withdrawn":
            world.caller("CT")("DELETE", f"{path}/{made['id']}", **{"If-Match": "*"})
        else:
            world.move("LK", "POST", f"/check-in-links/{made['token']}", ANSWERS)
        world.bodies["POST /check-in-links/{token}"] = ANSWERS

    return make


def a_key(world: World) -> str:
    """The path of a project whose analyst has a key, which opens it."""
    path = f"/research/v1/projects/{world.id('project_id')}"
    made = world.move("AY", "POST", f"{path}/keys", {"name": "K"})
    world.tokens["KE"], world.ids["key_id"] = made["key"], made["id"]
    opened = world.caller("KE").get(f"{path}/cube?cut=course")
    assert opened.status_code == 200, opened.text
    return path


def unbound(world: World) -> None:
    """The privacy officer takes the analyst off the project."""
    path = a_key(world)
    with db.transaction():
        other = builders.make_person(world.scene.clinic_id, Role.ANALYST)
    world.move("PR", "PATCH", path, {"analyst_ids": [str(other.user_id)]})


def project_closed(world: World) -> None:
    """The privacy officer closes the project."""
    path = a_key(world)
    world.move("PR", "PATCH", path, {"state": "closed"})


def key_ended(world: World) -> None:
    """The analyst ends the key."""
    path = f"{a_key(world)}/keys/{world.ids['key_id']}"
    world.caller("AY")("DELETE", path, **{"If-Match": "*"})


def no_agreement(world: World) -> None:
    """A project of limited data sets, with a release, of which nobody signed anything."""
    with db.transaction():
        world.ids["project_id"] = str(matrix.a_project(world, tier="C")["id"])


def agreed(world: World) -> None:
    """The same, once an agreement names the analyst."""
    no_agreement(world)
    today = clock.now().date()
    body = {
        "recipient": "R",
        "signed_on": str(today),
        "expires_on": str(today + DAY),
        "analyst_ids": [str(world.scene["AY"].user_id)],
        "uses": list(release.USES),
        "terms": list(release.TERMS),
        "consent_text_versions": ["1"],
    }
    path = f"/research/v1/projects/{world.ids['project_id']}"
    project = world.move("PR", "POST", f"{path}/agreements", body)
    world.ids["agreement_id"] = project["agreements"][0]["id"]


def agreement_ended(world: World) -> None:
    """The privacy officer ends the agreement."""
    agreed(world)
    path = f"/research/v1/projects/{world.ids['project_id']}/agreements"
    world.move("PR", "POST", f"{path}/{world.ids['agreement_id']}/end", {})


def agreement_expired(world: World) -> None:
    """The agreement's last day passes."""
    agreed(world)
    mine = research_agreements.c.id == UUID(world.ids["agreement_id"])
    past = {"expires_on": clock.now().date() - DAY}
    with db.transaction() as store:
        store.execute(research_agreements.update().where(mine).values(past))


def suspended(world: World) -> None:
    """The operator suspends the clinic."""
    an_ehr(world)
    here = clinics.c.id == world.scene.clinic_id
    with db.transaction() as store:
        store.execute(clinics.update().where(here).values(ehr_access=OWN_EHR))
        suspending.suspend_clinic(world.scene.clinic_id, "Invoice 17")
    calm = {"instrument": "gad-7"} | ANSWERS  # what is refused and says more is heard
    world.bodies["POST /patients/{patient_id}/check-ins"] = calm


BECOMING: dict[str, Callable[[World], None]] = {
    "off_the_team": off_the_team,
    "on_duty": _duty(-HOUR, HOUR),
    "duty_ahead": _duty(HOUR, DAY),
    "duty_over": _duty(-DAY, -SECOND),
    "escalated": _escalated(None),
    "escalation_over": _escalated(-SECOND),
    "emergency": _emergency(0 * HOUR),
    "emergency_over": _emergency(HOUR + SECOND),
    "disabled": disabled,
    "patient_disabled": lambda world: disabled(world, "PS"),
    "signed_out": signed_out,
    "sign_in_over": sign_in_over,
    "password_changed": password_changed,
    "administrator_no_more": _made("CA", "privacy_officer"),
    "clinician_no_more": _made("CN", "administrator"),
    "privileges_taken": privileges_taken,
    "signed": signed,
    "note_signed": _note("progress"),
    "note_held": note_held,
    "psychotherapy_note": _note("psychotherapy"),
    "psychotherapy_author_left": author_left,
    "psychotherapy_author_disabled": author_disabled,
    "withdrawn": withdrawn,
    "sharing_withdrawn": sharing_withdrawn,
    "client_revoked": client_revoked,
    "kept_to_themself": kept_to_themself,
    "answered": answered,
    "amended": amended,
    "discharged": discharged,
    "legal_hold": legal_hold,
    "merged": merged,
    "closed": _purged(1),
    "purged": _purged(1000),
    "cancelled": cancelled,
    "link_withdrawn": _link("withdrawn"),
    "link_used": _link("used"),
    "unbound": unbound,
    "project_closed": project_closed,
    "no_agreement": no_agreement,
    "agreed": agreed,
    "agreement_ended": agreement_ended,
    "agreement_expired": agreement_expired,
    "key_ended": key_ended,
    "suspended": suspended,
}
"""By the names of the table."""
