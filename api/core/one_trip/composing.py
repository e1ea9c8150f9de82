"""The statement of a hot read: `s` who is signed in, `c` the chart, `p` the records, `a` the trail.

Every part takes its rows from the one before it: no sign-in, no record, no event; and each names
the clinic to the database before it reads (`api/db/walls.py`), as must what a select of records
brings with it. Who is signed in
comes back beside the one record, column by column, and beside those of a page as one JSON text, so
that fifty records do not repeat it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    String,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
)

from api.access.policies import TABLE, Grant, Reach, Role
from api.access.users import clinics, sign_ins, users
from api.audit.trail import audit_event_patients, audit_events
from api.core import gate
from api.db.walls import named_first

SIGN_IN_ID = bindparam("sid_", type_=Uuid)
USER, CLINIC = bindparam("user_", type_=Uuid), bindparam("clinic_", type_=Uuid)
NOW = bindparam("now_", type_=DateTime(timezone=True))
LATELY = bindparam("lately_", type_=DateTime(timezone=True))
CHART = bindparam("patient_id_", type_=Uuid)
RECORD = bindparam("record_id", type_=Uuid)
EVENT_ID = bindparam("event_id_", type_=Uuid)
Condition = ColumnElement[bool]


@dataclass(frozen=True)
class Subject:
    """What a hot read is about: the action, and where its records and their chart are.

    `chart` is the column that holds the patient's id. With `in_chart` the records lie in the one
    chart that is asked for; without it, in whichever chart is in reach. `of_chart` are columns of
    the one chart, read once and not with each record. Not `audited`: the event is written with what
    comes of it.
    """

    action: str
    table: Table
    chart: ColumnElement[Any]
    kind: str
    in_chart: Table | None = None
    of_chart: tuple[Any, ...] = ()
    audited: bool = True

    @property
    def chart_name(self) -> str:
        """The name of that column in a record."""
        return str(self.chart.key or "id")


@dataclass(frozen=True)
class PageOf:
    """How a page is ordered, and how many of its rows are shown: it reads one more."""

    order: Sequence[Any]
    limit: int


def compose(about: Subject, records: Select[Any], page: PageOf | None = None) -> Select[Any]:
    """The whole statement around a select of `records`: one by its id, or a page.

    It begins with who is signed in and whether they saw anything (columns, and JSON for a page);
    then come the columns of the records. No row: nobody is signed in.
    """
    who = _who()
    chart = _chart(about, who)
    rows = _records(about, records, who, chart, page)
    opened = chart if chart is not None else rows if page is None else None
    seen = _outcome(about.action, who, opened)
    shown = chart if chart is not None else _shown(about, rows, page)
    ordered = [_again(key, rows) for key in (page.order if page else ())]
    front: list[Any] = [*(who.c[name] for name in SIGN_IN), seen.label("seen")]
    if page is not None:
        front = [_said(who, seen, chart if about.of_chart else None)]
    whole = select(*front, *rows.c).select_from(who.outerjoin(rows, true()))
    several = page is not None and chart is None
    written = [_event(about, who, seen), _touched(who, shown, several)] if about.audited else []
    return whole.order_by(*ordered).add_cte(*written)


def spread(about: Subject, records: Select[Any], page: PageOf | None = None) -> Select[Any]:
    """The question alone, for SQLite, which writes nothing while it reads.

    Before the columns of the records stand those of the sign-in, then the chart's id and what was
    read of it, empty where it did not open; each by itself.
    """
    who = _who()
    chart = _chart(about, who)
    front: list[Any] = [who.c[name] for name in SIGN_IN]
    said: Any = who
    if chart is None:
        rows = _records(about, records, who, None, page)
    else:  # by the bound value, for SQLite joins the other way round: all check-ins to one chart
        opened = exists(select(literal_column("1")).select_from(chart))
        mine = (about.table.c.clinic_id == CLINIC, about.chart == CHART)
        rows = records.where(*mine, opened).cte("p")
        front, said = [*front, *chart.c], who.outerjoin(chart, true())
    ordered = [_again(key, rows) for key in (page.order if page else ())]
    return select(*front, *rows.c).select_from(said.outerjoin(rows, true())).order_by(*ordered)


def _word(text: str) -> ColumnElement[Any]:
    """A word of ours as it stands in the statement; nothing that anybody sent."""
    assert text.replace(":", "").replace("_", "").isalnum()
    return literal_column(f"'{text}'", String)


def _who() -> CTE:
    return (
        select(*gate.SIGN_IN_COLUMNS, sign_ins.c.id.label("sign_in_id"))
        .join(
            users, and_(users.c.clinic_id == sign_ins.c.clinic_id, users.c.id == sign_ins.c.user_id)
        )
        .join(clinics, clinics.c.id == sign_ins.c.clinic_id)
        .where(
            sign_ins.c.id == SIGN_IN_ID,
            sign_ins.c.user_id == USER,
            sign_ins.c.clinic_id == CLINIC,
            *gate.stands(NOW, LATELY),
            named_first(CLINIC),
        )
        .cte("s")
    )


def _chart(about: Subject, who: CTE) -> CTE | None:
    parent = about.in_chart
    if parent is None:
        return None
    return (
        select(parent.c.id.label("patient_id"), *about.of_chart)
        .where(
            parent.c.clinic_id == CLINIC,
            parent.c.id == CHART,
            parent.c.deleted_at.is_(None),
            _reaches(about.action, who, CHART),
            named_first(CLINIC),
        )
        .cte("c")
    )


def _records(
    about: Subject, records: Select[Any], who: CTE, chart: CTE | None, page: PageOf | None
) -> CTE:
    mine = about.table.c.clinic_id == CLINIC
    if chart is None:
        reach = _reaches(about.action, who, _chart_asked(about, page))
        return records.where(mine, reach, named_first(CLINIC)).cte("p")
    here = about.chart == chart.c.patient_id
    return records.where(mine, here, named_first(CLINIC)).cte("p")


def _chart_asked(about: Subject, page: PageOf | None) -> Any:
    """The chart whose reach is in question; a value where it is known beforehand.

    Of a column the database may first list every chart that a clinician reaches.
    """
    is_chart = about.chart is about.table.c.id and page is None
    return RECORD if is_chart else about.chart


def _reaches(action: str, who: CTE, chart: ColumnElement[Any]) -> Condition:
    """The policy table's row as a condition over the sign-in that the statement itself reads."""
    return or_(false(), *(_one_role(role, g, who, chart) for role, g in TABLE[action].items()))


def _one_role(role: Role, granted: Grant, who: CTE, chart: Any) -> Condition:
    reach = granted.reach
    is_role = who.c.role == _word(role.value)
    if reach == Reach.OWN:
        return and_(is_role, chart == who.c.own_patient_id)
    if reach == Reach.TEAM:
        # By the bound values, which are those of `s`: so the planner can tell that one clinician's
        # charts are few, and reads them by their index.
        return and_(is_role, gate.reaches(granted, CLINIC, USER, chart, NOW))
    return is_role if reach == Reach.CLINIC else false()


def _may(action: str, who: CTE) -> Condition:
    return who.c.role.in_([_word(role.value) for role in TABLE[action]])


def _outcome(action: str, who: CTE, opened: CTE | None) -> Condition:
    """Whether it was granted: a record or chart was found, or for a list the role may ask."""
    if opened is None:
        return _may(action, who)
    return exists(select(literal_column("1")).select_from(opened))


def _said(who: CTE, seen: Condition, chart: CTE | None) -> ColumnElement[str]:
    pairs: list[tuple[Any, Any]] = [(_word(name), who.c[name]) for name in SIGN_IN]
    if chart is not None:
        pairs.append((_word("chart"), _as_json(chart)))
    flat = [part for pair in pairs for part in pair]
    row = func.json_build_object(*flat, _word("seen"), seen)
    asked: Any = select(cast(row, Text)).select_from(who).correlate(None).scalar_subquery()
    return asked.label("who_")  # type: ignore[no-any-return]


def _as_json(chart: CTE) -> ColumnElement[Any]:
    """What was read of the chart; null where it did not open."""
    flat = [part for column in chart.c for part in (_word(column.name), column)]
    return select(func.json_build_object(*flat)).select_from(chart).scalar_subquery()


SIGN_IN = [column.name for column in gate.SIGN_IN_COLUMNS]


def _event(about: Subject, who: CTE, seen: Condition) -> CTE:
    refused = case((not_(_may(about.action, who)), _word("not_allowed")), else_=_word("not_found"))
    values = {
        "clinic_id": who.c.clinic_id,
        "id": EVENT_ID,
        "at": NOW,
        "actor_id": who.c.user_id,
        "role": who.c.role,
        "sign_in_id": who.c.sign_in_id,
        "action": _word(about.action),
        "type": bindparam("kind_", type_=String),
        "record_id": bindparam("about_id_", type_=Uuid),
        "outcome": case((seen, _word("ok")), else_=_word("refused")),
        "reason_ref": case((seen, null()), else_=refused),
        "purpose": _word("treatment"),
        "door": bindparam("door_", type_=String),
        "request_id": bindparam("request_id_", type_=String),
        "client_ip": bindparam("client_ip_", type_=String),
    }
    source = select(*(value.label(name) for name, value in values.items()))
    return audit_events.insert().from_select(list(values), source).cte("a")


def _shown(about: Subject, rows: CTE, page: PageOf | None) -> Any:
    """The charts of the records that the caller is shown."""
    chart = rows.c[about.chart_name].label("patient_id")
    if page is None:
        return select(chart).subquery()
    there = select(chart, rows.c.deleted_at).order_by(*(_again(key, rows) for key in page.order))
    first = there.limit(literal_column(str(page.limit), Integer)).subquery()
    return select(first.c.patient_id).where(first.c.deleted_at.is_(None)).subquery()


def _again(key: Any, rows: CTE) -> Any:
    """An order key of the records, in terms of their common table expression."""
    column = getattr(key, "element", key)
    there = rows.c[column.key]
    return there if column is key else there.desc()


def _touched(who: CTE, shown: Any, several: bool) -> CTE:
    """Whom the event touches; of `several` records some may be of one chart."""
    chosen = select(who.c.clinic_id, EVENT_ID.label("event_id"), shown.c.patient_id)
    chosen = chosen.distinct() if several else chosen
    return (
        audit_event_patients.insert()
        .from_select(["clinic_id", "event_id", "patient_id"], chosen)
        .cte("t")
    )
