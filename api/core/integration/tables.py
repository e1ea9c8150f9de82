"""The tables of integration, and the closed vocabularies that they hold.

Every entry says who wrote it and with whom it is shared. `chosen_sharing` is the patient's own
choice for the entry, `shared_with` what holds: `me` too under a parent that is `me`.
"""

from typing import Any, Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Uuid,
)

from api.core.integration.trail import WEIGHTS
from api.db import Instant, Sealed, metadata, of, tenant_table

ME, CARE_TEAM, RESEARCH = "me", "care_team", "research"
SHARING: Final = (ME, CARE_TEAM, RESEARCH)
AUTHORS: Final = ("patient", "clinician")
CATEGORIES: Final = (
    "boundaries",
    "connection",
    "movement_body",
    "rest_sleep",
    "self_compassion",
    "awe_beauty",
    "nature",
    "creativity",
    "expression",
    "regulation",
    "meaning_values",
    "spirituality_ritual",
    "work_roles",
    "nourishment",
    "substance_use_harm_reduction",
    "grief_repair",
    "therapy_task",
    "other",
)
LIFECYCLE: Final = (
    "proposed",
    "planned",
    "accepted",
    "active",
    "on_hold",
    "completed",
    "cancelled",
    "entered_in_error",
    "rejected",
)
"""FHIR R4 GoalLifecycleStatus, https://hl7.org/fhir/R4/valueset-goal-status.html."""
ACHIEVEMENT: Final = (
    "in_progress",
    "improving",
    "worsening",
    "no_change",
    "achieved",
    "sustaining",
    "not_achieved",
    "no_progress",
    "not_attainable",
)
"""FHIR R4 goal achievement, https://hl7.org/fhir/R4/valueset-goal-achievement.html."""
PROMPTS: Final = ("what_to_practise", "handled_differently", "what_matters", "what_helped")
STATUSES: Final = ("active", "paused", "familiar", "released")
STANDS_STILL: Final = ("paused", "familiar")
"""The statuses whose days are cut out of the calendar before the trail is reckoned."""
KINDS: Final = tuple(WEIGHTS)
SKIPPED_FOR: Final = (
    "no_cue",
    "forgot",
    "no_time",
    "too_tired",
    "unwell",
    "too_big",
    "not_wanted",
    "other",
)
NOTICED_BY: Final = ("patient", "clinician", "companion")
MAX_INTERVAL: Final = 366
MOOD: Final = (0, 10)
CONFIDENCE: Final = (0, 10)
LEVELS: Final = (-2, 2)
MAX_WEIGHT: Final = 100


def entry_table(name: str, *parts: Any) -> Table:
    """A table of entries of one chart: with author and sharing beside what every record has."""
    return tenant_table(
        name,
        Column("author_id", Uuid, nullable=False),
        Column("author_kind", String(20), nullable=False),
        Column("shared_with", String(20), nullable=False),
        Column("chosen_sharing", String(20), nullable=False),
        Column("unshared_at", Instant),
        *parts,
        of("users", "author_id"),
        CheckConstraint(f"author_kind IN {AUTHORS}", name="author_kind"),
        CheckConstraint(f"shared_with IN {SHARING}", name="shared_with"),
        CheckConstraint(f"chosen_sharing IN {SHARING}", name="chosen_sharing"),
    )


insights = entry_table(
    "insights",
    Column("session_id", Uuid),
    Column("text", Sealed, nullable=False),
    of("sessions", "session_id"),
)
goals = entry_table(
    "goals",
    Column("session_id", Uuid),
    Column("insight_id", Uuid),
    Column("title", Sealed, nullable=False),
    Column("category", String(40), nullable=False),
    Column("intention", Sealed),
    Column("matters_because", Sealed),
    Column("answers_prompt", String(40)),
    Column("lifecycle_status", String(20), nullable=False),
    Column("achievement_status", String(20), nullable=False),
    Column("target_on", Date),
    Column("patient_comment", Sealed),
    Column("clinician_comment", Sealed),
    Column("old_trail", Sealed),
    Column("new_trail", Sealed),
    Column("if_then_plan", Sealed),
    Column("confidence", Integer),
    Column("obstacles", Sealed),
    Column("coping_plan", Sealed),
    Column("support_person", Sealed),
    Column("review_on", Date),
    Column("attainment_levels", Sealed),
    Column("attainment_weight", Integer),
    Column("attained_level", Integer),
    Column("attained_on", Date),
    of("sessions", "session_id"),
    of("insights", "insight_id"),
    CheckConstraint(f"category IN {CATEGORIES}", name="category"),
    CheckConstraint(f"answers_prompt IN {PROMPTS}", name="answers_prompt"),
    CheckConstraint(f"lifecycle_status IN {LIFECYCLE}", name="lifecycle_status"),
    CheckConstraint(f"achievement_status IN {ACHIEVEMENT}", name="achievement_status"),
)
"""`old_trail`, `new_trail` and `attainment_levels` are objects, sealed whole; `attained_level` is
that of the latest day in `goal_ratings`."""
goal_ratings = tenant_table(
    "goal_ratings",
    Column("goal_id", Uuid, nullable=False),
    Column("level", Integer, nullable=False),
    Column("rated_on", Date, nullable=False),
    Column("rated_by", Uuid, nullable=False),
    of("goals", "goal_id"),
    of("users", "rated_by"),
    CheckConstraint("level BETWEEN -2 AND 2", name="level"),
)
"""How far a goal was attained on a day, by Goal Attainment Scaling."""
practices = entry_table(
    "practices",
    Column("goal_id", Uuid, nullable=False),
    Column("title", Sealed),
    Column("cue", Sealed),
    Column("old_trail", Sealed),
    Column("new_trail", Sealed, nullable=False),
    Column("smallest_step", Sealed),
    Column("interval_days", Integer),
    Column("status", String(20), nullable=False),
    Column("status_from_on", Date),
    of("goals", "goal_id"),
    CheckConstraint(f"status IN {STATUSES}", name="status"),
    CheckConstraint(f"interval_days BETWEEN 1 AND {MAX_INTERVAL}", name="interval_days"),
)
"""`interval_days` null is a practice that waits for its cue; `title` null is its `new_trail`."""
practice_statuses = Table(
    "practice_statuses",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("practice_id", Uuid, nullable=False),
    Column("status", String(20), nullable=False),
    Column("from_on", Date, nullable=False),
    Column("changed_by", Uuid, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("clinic_id", "id"),
    of("practices", "practice_id"),
    of("users", "changed_by"),
    CheckConstraint(f"status IN {STATUSES}", name="status"),
)
"""Every change of a practice's status, with the patient's day from which it holds; at first a
practice is active and has none."""
steps = entry_table(
    "steps",
    Column("practice_id", Uuid, nullable=False),
    Column("walked_on", Date, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("skip_reason", String(20)),
    Column("note", Sealed),
    of("practices", "practice_id"),
    CheckConstraint(f"kind IN {KINDS}", name="kind"),
    CheckConstraint(f"skip_reason IN {SKIPPED_FOR}", name="skip_reason"),
)
moments = entry_table(
    "moments",
    Column("session_id", Uuid),
    Column("practice_id", Uuid),
    Column("text", Sealed, nullable=False),
    Column("happened_on", Date),
    Column("noticed_at", Instant, nullable=False),
    Column("noticed_by", String(20), nullable=False),
    Column("hindsight", Boolean(create_constraint=True, name="hindsight")),
    Column("in_words_of", String(20)),
    of("sessions", "session_id"),
    of("practices", "practice_id"),
    CheckConstraint(f"noticed_by IN {NOTICED_BY}", name="noticed_by"),
)
"""`in_words_of` is whose words the text is; null where nobody said, then the author's."""
replies = tenant_table(
    "replies",
    Column("step_id", Uuid),
    Column("moment_id", Uuid),
    Column("author_id", Uuid, nullable=False),
    Column("text", Sealed, nullable=False),
    of("steps", "step_id"),
    of("moments", "moment_id"),
    of("users", "author_id"),
    CheckConstraint("(step_id IS NULL) <> (moment_id IS NULL)", name="one_parent"),
)
"""What the care team answers to one step or one moment; seen by whoever sees that."""
journal = entry_table(
    "journal",
    Column("text", Sealed),
    Column("mood", Integer),
    Column("written_on", Date, nullable=False),
    CheckConstraint(f"mood BETWEEN {MOOD[0]} AND {MOOD[1]}", name="mood"),
)
"""The patient's own pages; `me` unless they say otherwise."""
Index("ix_journal_day", *journal.c["clinic_id", "patient_id", "written_on", "id"])
Index("ix_goal_ratings_goal", *goal_ratings.c["clinic_id", "goal_id", "rated_on"])
Index("ix_replies_step", *replies.c["clinic_id", "step_id"])
Index("ix_replies_moment", *replies.c["clinic_id", "moment_id"])
Index("ix_practices_goal", *practices.c["clinic_id", "goal_id", "id"])
Index("ix_practice_statuses_practice", *practice_statuses.c["clinic_id", "practice_id"])
Index("ix_steps_practice", *steps.c["clinic_id", "practice_id", "walked_on", "id"])
Index("ix_moments_practice", *moments.c["clinic_id", "practice_id"])

CHILDREN: dict[Table, tuple[tuple[Table, str], ...]] = {
    insights: ((goals, "insight_id"),),
    goals: ((practices, "goal_id"),),
    practices: ((steps, "practice_id"), (moments, "practice_id")),
}
"""What hangs on what: an entry under a `me` parent is `me`."""
