"""Exports in bulk: ordered by a client, made by the worker, fetched file by file, and forgotten."""

from api.core.ehr.exports.making import Make, Order, Piece, work
from api.core.ehr.exports.orders import (
    EXPORTS,
    forget_charts,
    order_export,
    read_export,
    remove_export,
)
from api.core.ehr.exports.serving import open_file, pieces
from api.core.ehr.exports.tables import DELETED, FAILED, READY

__all__ = [
    "DELETED",
    "EXPORTS",
    "FAILED",
    "READY",
    "Make",
    "Order",
    "Piece",
    "forget_charts",
    "open_file",
    "order_export",
    "pieces",
    "read_export",
    "remove_export",
    "work",
]
