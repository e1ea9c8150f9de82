"""What goes on while a clinic is suspended: reading, and what somebody's safety hangs on. Pure."""

from typing import Final

READS: Final = ("read", "list", "search", "history", "download", "export")
"""The verbs of actions by which nothing of a record changes. A bulk export is one of them: what is
the clinic's own can be fetched as long as it is there."""
GOES_ON: Final = frozenset(
    (
        # who may read must be able to sign in, confirm who they are, and sign out
        *("sign_in:step_up", "sign_in:end"),
        *(f"second_factor:{verb}" for verb in ("make", "confirm", "renew", "remove")),
        # what has happened at a dosing session is recorded, and its patient leaves it looked after
        *("ledger:record", "discharge:write", "session:complete", "session:override_discharge"),
        # an alert reaches somebody, and a chart can be read in an emergency
        *("alert:acknowledge", "break_glass:open"),
    )
)
"""What is written all the same, and why."""


def goes_on(action: str) -> bool:
    """Whether an action of the policy table goes on while the clinic is suspended."""
    return action in GOES_ON or action.partition(":")[2] in READS
