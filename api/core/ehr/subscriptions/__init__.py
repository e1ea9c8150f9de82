"""Subscriptions of EHR clients (R4 backport): kept by them, and told of what happens."""

from api.core.ehr.subscriptions.keeping import (
    SUBSCRIBES,
    SUBSCRIPTIONS,
    begin_subscription,
    end_subscription,
    read_subscription,
)
from api.core.ehr.subscriptions.pruning import prune_notifications
from api.core.ehr.subscriptions.tables import CONTENTS, EVENT, HANDSHAKE, HEARTBEAT_S
from api.core.ehr.subscriptions.telling import Job, clinics_due, heed, send, settle, share_out, take

__all__ = [
    "CONTENTS",
    "EVENT",
    "HANDSHAKE",
    "HEARTBEAT_S",
    "SUBSCRIBES",
    "SUBSCRIPTIONS",
    "Job",
    "begin_subscription",
    "clinics_due",
    "end_subscription",
    "heed",
    "prune_notifications",
    "read_subscription",
    "send",
    "settle",
    "share_out",
    "take",
]
