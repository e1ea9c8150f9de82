"""Between: what happened since the last session, as a clinician reads it before the door opens."""

from api.core.between.finding import LAST_SESSION, read_between, read_day

__all__ = ["LAST_SESSION", "read_between", "read_day"]
