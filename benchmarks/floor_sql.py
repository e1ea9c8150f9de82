"""The statements of the floor: each answer as JSON made by the database, with or without a trail.

`{trail}` names what the statement shows: a statement that writes the trail does so in the same
statement (PostgreSQL) or the same transaction (SQLite), with the columns that ours fills.
"""

from collections.abc import Mapping
from typing import Final

NOTHING: Final[Mapping[str, str]] = {}
SHOWN = """\
p.id, p.version, p.created_at, p.updated_at, {name} AS display_name,
{legal} AS legal_name, p.preferred_name, p.pronouns, p.birth_on, p.sex_at_birth,
p.gender_identity, {contact} AS contact, {address} AS address,
{emergency_contact} AS emergency_contact, {external_ids} AS external_ids,
{diagnoses} AS diagnoses, p.locale, p.time_zone, p.status,
p.discharged_on, p.discharge_reason"""
SEALED = ("contact", "address", "emergency_contact", "external_ids", "diagnoses")
NAME = "coalesce(p.preferred_name, p.legal_given) || ' ' || p.legal_family"
CHECK_IN = """\
c.id, c.version, c.created_at, c.updated_at, c.instrument, c.instrument_version,
c.scoring_version, c.state, c.source, c.answered_by, c.answered_at, c.answered_on,
{recorded_by} AS recorded_by, {answers} AS answers, {scores} AS scores, c.total, c.band,
c.import_system, c.practice_id, NULL AS practice, NULL AS window_day, {patient} AS patient"""
EVENT = """\
INSERT INTO audit_events (clinic_id, id, at, actor_id, role, sign_in_id, action, type, record_id,
outcome, purpose, door, request_id, client_ip)"""
TOUCHED = "INSERT INTO audit_event_patients (clinic_id, event_id, patient_id)"
EVENT_VALUES = """\
%(clinic)s, %(event)s, %(now)s, %(user)s, 'clinician', %(sign_in)s, %(action)s, %(type)s,
%(record)s, 'ok', 'treatment', 'v1', %(request)s, '127.0.0.1'"""

# PostgreSQL

_PATIENT = SHOWN.format(
    name=NAME,
    legal="json_build_object('given', p.legal_given, 'family', p.legal_family)",
    **{column: f"p.{column}::json" for column in SEALED},
)
_CHECK_IN = CHECK_IN.format(
    recorded_by="json_build_object('id', u.id, 'display_name', u.display_name)",
    patient=f"json_build_object('id', p.id, 'display_name', {NAME})",
    answers="c.answers::json",
    scores="c.scores",
)
GET = f"""SELECT {_PATIENT} FROM patients p
WHERE p.clinic_id = %(clinic)s AND p.id = %(record)s AND p.deleted_at IS NULL"""
SEARCH = f"""SELECT {_PATIENT} FROM patients p WHERE p.clinic_id = %(clinic)s
AND p.deleted_at IS NULL AND EXISTS (SELECT 1 FROM patient_words w
WHERE w.clinic_id = p.clinic_id AND w.patient_id = p.id
AND w.word >= %(prefix)s AND w.word < %(end)s) ORDER BY p.id LIMIT 20"""
_JOINS = """
JOIN patients p ON p.clinic_id = c.clinic_id AND p.id = c.patient_id
JOIN users u ON u.clinic_id = c.clinic_id AND u.id = c.recorded_by"""
LIST = f"""SELECT {_CHECK_IN} FROM check_ins c {_JOINS}
WHERE c.clinic_id = %(clinic)s AND c.patient_id = %(record)s AND c.deleted_at IS NULL
ORDER BY c.answered_at DESC, c.id DESC LIMIT 50"""
WRITTEN = """INSERT INTO check_ins (clinic_id, id, version, created_at, updated_at, patient_id,
instrument, instrument_version, scoring_version, state, source, answered_by, answered_at,
answered_on, recorded_by, answers, scores, total, band)
VALUES (%(clinic)s, %(id)s, 1, %(now)s, %(now)s, %(record)s, %(instrument)s, '1', '1', 'complete',
'app', 'clinician_asked', %(now)s, %(day)s, %(user)s, %(answers)s, %(scores)s, %(total)s,
%(band)s) RETURNING *"""
POST = f"SELECT {_CHECK_IN} FROM written c {_JOINS}"
KEPT = """INSERT INTO idempotency_keys (clinic_id, user_id, key_hash, request_hash, created_at,
status, patients, entries, answer, sealed_for) SELECT %(clinic)s, %(user)s, %(key)s, %(asked)s,
%(now)s, 201, json_build_array(%(record)s), '[]', row_to_json(r)::text, 'seal' FROM r"""
FED = """INSERT INTO changes (xid, clinic_id, kind, record_id, patient_id, version, deleted,
to_others, at) VALUES (pg_current_xact_id()::text::bigint, %(clinic)s, 'check_ins', %(id)s,
%(record)s, 1, false, 'shown', %(now)s)"""
TOLD = """INSERT INTO outbox_events (clinic_id, id, name, subject, at) VALUES (%(clinic)s,
%(told)s, 'check_in.completed', json_build_object('check_in_id', %(id)s), %(now)s)"""
OUR_ROWS = {"k": KEPT, "f": FED, "o": TOLD}
"""What ours writes besides with a check-in: the answer under its key, the feed, the event."""
ACCOUNT = """SELECT a.password_hash, u.id AS user_id, u.clinic_id, u.security_version
FROM accounts a JOIN users u ON u.account_id = a.id
WHERE a.email_blind = %(blind)s AND u.disabled_at IS NULL AND u.deleted_at IS NULL"""
OPENED = """INSERT INTO sign_ins (id, clinic_id, user_id, security_version, auth_time, created_at,
last_seen_at, ends_at) VALUES (%(sign_in)s, %(clinic)s, %(user)s, %(version)s, %(now)s, %(now)s,
%(now)s, %(end)s)"""
TOKEN = """INSERT INTO refresh_tokens (hash, sign_in_id, created_at)
VALUES (%(hash)s, %(sign_in)s, %(now)s)"""


def answer(
    select: str,
    patient: str,
    many: bool,
    audited: bool,
    written: str = "",
    more: Mapping[str, str] = NOTHING,
) -> str:
    """One statement: the records as JSON and, `audited`, the event and whom it touched.

    `patient` is the SQL of the patient's id, in terms of a record `r` or of a bound value. `more`
    are further writes, by a name of one letter.
    """
    parts = [f"written AS ({written})"] if written else []
    parts.append(f"r AS ({select})")
    if audited:
        parts.append(f"e AS ({EVENT} SELECT {EVENT_VALUES})")
        whom = f"SELECT %(clinic)s, %(event)s, {patient}" + (" FROM r" if "r." in patient else "")
        parts.append(f"t AS ({TOUCHED} {whom})")
    parts += [f"{name} AS ({insert})" for name, insert in more.items()]
    rows = "coalesce(json_agg(row_to_json(r)), '[]')" if many else "row_to_json(r)"
    return f"WITH {', '.join(parts)} SELECT {rows}::text FROM r"


def opening(audited: bool) -> str:
    """One statement that opens a sign-in with its refresh token."""
    parts = [f"o AS ({OPENED} RETURNING id)", f"k AS ({TOKEN})"]
    if audited:
        parts.append(f"e AS ({EVENT} SELECT {EVENT_VALUES})")
    return f"WITH {', '.join(parts)} SELECT '' FROM o"


# SQLite

_LITE_PATIENT = SHOWN.format(
    name=NAME,
    legal="json_object('given', p.legal_given, 'family', p.legal_family)",
    **{column: f"json(p.{column})" for column in SEALED},
)
_LITE_CHECK_IN = CHECK_IN.format(
    recorded_by="json_object('id', u.id, 'display_name', u.display_name)",
    patient=f"json_object('id', p.id, 'display_name', {NAME})",
    answers="json(c.answers)",
    scores="json(c.scores)",
)


def _as_object(columns: str) -> str:
    """`a.x, f(y) AS z` as the arguments of json_object."""
    pairs, depth, begin = [], 0, 0
    for at, letter in enumerate(columns + ","):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            value, _, name = columns[begin:at].strip().partition(" AS ")
            pairs.append(f"'{name or value.split('.')[1]}', {value}")
            begin = at + 1
    return f"json_object({', '.join(pairs)})"


LITE_GET = f"SELECT {_as_object(_LITE_PATIENT)} " + GET[GET.index("FROM") :]
LITE_LIST = (
    f"SELECT json_group_array(json(x)) FROM (SELECT {_as_object(_LITE_CHECK_IN)} AS x "
    + LIST[LIST.index("FROM check_ins") :]
    + ")"
)
LITE_EVENT = f"{EVENT} VALUES ({EVENT_VALUES})"
LITE_TOUCHED = f"{TOUCHED} VALUES (%(clinic)s, %(event)s, %(record)s)"


def lite(statement: str) -> str:
    """The statement with SQLite's placeholders."""
    return statement.replace("%(", ":").replace(")s", "")
