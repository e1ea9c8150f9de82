"""Invitations: how somebody gets an account and a place in a clinic, by a one-time token."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError

from api import clock
from api.access.hashing import hash_password, is_password
from api.access.policies import Actor, Role
from api.access.users import (
    accounts,
    blind_email,
    clinics,
    find_account,
    invitations,
    make_account,
    make_user,
    users,
)
from api.audit import trail
from api.config import settings
from api.core import gate, mail, throttle, token_deeds
from api.core.accounts import no_such_token, refuse_own_address, set_first_password
from api.core.patients import patients
from api.core.replay import digest
from api.core.sign_ins import new_token
from api.core.staffing import officers
from api.core.throttle import Purpose
from api.db import Listing, Page, Values, found, leave_store, match, new_id, page, store, within
from api.errors import Conflict, Invalid, Stale, WrongCredentials

LASTS = timedelta(hours=72)
INVITABLE = tuple(role.value for role in Role if role != Role.SYSTEM)
STAFF_FIELDS = ("profession", "privileges")


def create_clinic(name: str, time_zone: str, admin_email: str) -> tuple[Values, str]:
    """A new clinic, and the one-time token with which its first administrator comes in."""
    if time_zone not in available_timezones():
        raise Invalid([("/time_zone", "Not an IANA time zone.")])
    moment = clock.now()
    clinic: Values = {
        "id": new_id(),
        "version": 1,
        "created_at": moment,
        "updated_at": moment,
        "name": name,
        "time_zone": time_zone,
        "crisis_resources": {},
        "is_demo": False,
    }
    store().execute(clinics.insert().values(**clinic))
    store().stand_in(clinic["id"])
    invited = {"email": admin_email, "role": Role.ADMINISTRATOR.value, "display_name": admin_email}
    return clinic, _invite(clinic["id"], None, invited)[1]


def invite(actor: Actor, values: Values) -> Values:
    """Ask somebody in; the answer bears the token in demo and test mode alone.

    Of a colleague the privacy officers are told, but not the one who asks.
    Raises `Conflict` when the address, or the patient, has a user in the clinic already.
    """
    gate.admit(actor, "user:invite")
    _check_role(values)
    if values.get("patient_id") is not None:
        _check_patient(actor, values["patient_id"])
    if _has_user(actor.clinic_id, values["email"]):
        raise _taken("/email", "This e-mail address has a user in the clinic already.")
    _withdraw_older(actor.clinic_id, values["email"])
    row, token = _invite(actor.clinic_id, actor.user_id, values)
    trail.about("invitation", row["id"])
    trail.wrote(values)
    if values["role"] != Role.PATIENT:
        for address in officers(actor.clinic_id, actor.user_id):
            mail.send(address, "staff_invited")
    told = {} if settings().mode == "production" else {"token": token}
    return _show(row) | told


def _check_role(values: Values) -> None:
    is_patient = values["role"] == Role.PATIENT
    if is_patient != (values.get("patient_id") is not None):
        raise Invalid([("/patient_id", "Needed for the role patient, and for no other.")])
    given = [name for name in STAFF_FIELDS if values.get(name)]
    if given and values["role"] != Role.CLINICIAN:
        raise Invalid([(f"/{name}", "Only for the role clinician.") for name in given])


def _check_patient(actor: Actor, patient_id: UUID) -> None:
    mine = (patients.c.clinic_id == actor.clinic_id, patients.c.id == patient_id)
    if store().row(select(patients.c.id).where(*mine, patients.c.deleted_at.is_(None))) is None:
        raise Invalid([("/patient_id", "No patient of this clinic.")])
    trail.touches([patient_id])
    signs_in = (users.c.clinic_id == actor.clinic_id, users.c.patient_id == patient_id)
    if store().row(select(users.c.id).where(*signs_in)) is not None:
        raise _taken("/patient_id", "This patient has a user already.")


def _taken(pointer: str, detail: str) -> Conflict:
    return Conflict(detail, allowed=[], errors=[{"pointer": pointer, "detail": detail}])


def _has_user(clinic_id: UUID, email: str) -> bool:
    account = exists().where(
        accounts.c.id == users.c.account_id, accounts.c.email_blind == blind_email(email)
    )
    here = select(users.c.id).where(users.c.clinic_id == clinic_id, account)
    return store().row(here) is not None


def _invite(clinic_id: UUID, by: UUID | None, values: Values) -> tuple[Values, str]:
    token = new_token()
    row = store().add(
        invitations,
        {
            "clinic_id": clinic_id,
            "token_hash": digest(token),
            "email": values["email"].strip(),
            "role": values["role"],
            "display_name": values["display_name"],
            "profession": values.get("profession"),
            "privileges": sorted(set(values.get("privileges") or [])),
            "for_patient_id": values.get("patient_id"),
            "invited_by": by,
            "expires_at": clock.now() + LASTS,
        },
    )
    mail.send(row["email"], "invitation", token)
    return row, token


def _withdraw_older(clinic_id: UUID, email: str) -> None:
    """Only the newest invitation of an address is good; those before it are taken back."""
    t, wanted = invitations.c, blind_email(email)
    still = (t.accepted_at.is_(None), t.deleted_at.is_(None), t.expires_at > clock.now())
    open_ = select(invitations).where(t.clinic_id == clinic_id, *still)
    for row in store().rows(open_, opens=invitations):
        if blind_email(row["email"]) == wanted:
            store().remove(invitations, row)


def _show(row: Values) -> Values:
    return row | {"patient_id": row["for_patient_id"]}


def list_invitations(actor: Actor, asked: Page) -> Listing:
    """The clinic's invitations, taken up or not, newest first."""
    gate.admit(actor, "user:list")
    statement = select(invitations).where(invitations.c.clinic_id == actor.clinic_id)
    listing = page(statement, invitations, asked, newest_first=True, opens=invitations)
    listing.items = [_show(row) for row in listing.items]
    trail.touches(row["patient_id"] for row in listing.items if row["patient_id"])
    return listing


def read_invitation(actor: Actor, invitation_id: UUID) -> Values:
    """One invitation of the clinic."""
    gate.admit(actor, "user:list")
    return _show(_of_clinic(actor, invitation_id))


def withdraw_invitation(actor: Actor, invitation_id: UUID, version: int | None) -> None:
    """Take an invitation back; its token is good no more. `Conflict` once it was accepted."""
    gate.admit(actor, "user:invite")
    row = _of_clinic(actor, invitation_id)
    match(row, version)
    if row["accepted_at"] is not None:
        raise Conflict("The invitation was accepted.", state="accepted", allowed=[])
    store().remove(invitations, row)


def _of_clinic(actor: Actor, invitation_id: UUID) -> Values:
    trail.about("invitation", invitation_id)
    mine = select(invitations).where(
        invitations.c.clinic_id == actor.clinic_id,
        invitations.c.id == invitation_id,
        invitations.c.deleted_at.is_(None),
    )
    row = found(store().row(mine, opens=invitations))
    trail.touches([row["for_patient_id"]] if row["for_patient_id"] else [])
    return row


def accept_invitation(
    token: str, password: str, where: str | None = None, request_id: str = ""
) -> Values:
    """The new user: with a new account, or with the address's own when the password is its own.

    The trail is told, and the privacy officers of a colleague.
    Raises `Invalid` for a token that is unknown, used or old, before anything is hashed.
    While the clinic is suspended nobody comes in, and the token stays good.
    """
    tried = throttle.count(Purpose.TOKEN, token, where)
    row = _open_invitation(token, clock.now())
    account = find_account(store(), row["email"])
    leave_store()
    known = None if account is None else account["password_hash"]
    if known is not None and not is_password(password, known):
        raise WrongCredentials("The address has an account; its password is needed.", error="")
    if known is None:
        refuse_own_address(row["email"], password)
    hashed = None if known is not None else hash_password(password)
    throttle.forgive(tried)
    store().stand_in(row["clinic_id"])
    gate.refuse_newcomers(row["clinic_id"])
    try:
        store().change(invitations, row, {"accepted_at": clock.now()})
        user = _come_in(row, account, hashed)
    except Stale:
        raise no_such_token() from None
    except IntegrityError:
        raise Conflict(
            "This e-mail address or patient has a user in the clinic already, or got one just now."
        ) from None
    about = {"type": "invitation", "record_id": row["id"]}
    token_deeds.note(user, token_deeds.ACCEPT, where, request_id, **about)
    return _welcome(user)


def _open_invitation(token: str, moment: datetime) -> Values:
    token_hash = digest(token)
    statement = select(invitations).where(
        invitations.c.token_hash == token_hash,
        invitations.c.accepted_at.is_(None),
        invitations.c.deleted_at.is_(None),
        invitations.c.expires_at > moment,
    )
    with within(token_hash=token_hash):
        row = store().row(statement, opens=invitations)
    if row is None:
        raise no_such_token()
    return row


def _come_in(row: Values, account: Values | None, hashed: str | None) -> Values:
    if account is None:
        account = make_account(store(), new_id(), row["email"], hashed)
    elif hashed is not None and not set_first_password(account["id"], hashed):
        raise Conflict("The address has got a password meanwhile. Send that one.")
    more: dict[str, Any] = {name: row[name] for name in ("display_name", *STAFF_FIELDS)}
    role, patient_id = Role(row["role"]), row["for_patient_id"]
    return make_user(store(), row["clinic_id"], account["id"], role, patient_id=patient_id, **more)


def _welcome(user: Values) -> Values:
    """Who has come in, once the privacy officers are told of a colleague."""
    if user["role"] != Role.PATIENT:
        for address in officers(user["clinic_id"], user["id"]):
            mail.send(address, "staff_joined")
    clinic = found(store().row(select(clinics).where(clinics.c.id == user["clinic_id"])))
    place = {name: clinic[name] for name in ("id", "name", "time_zone")}
    shown = {"id": user["id"], "kind": Role(user["role"]), "display_name": user["display_name"]}
    return shown | {"clinic": place}
