"""Hot reads: right, record and trail composed into one statement around any Core select.

On PostgreSQL the whole request is one trip: sign-in, role, reach, record and audit row are common
table expressions of one prepared statement on an autocommit connection, so that nobody can forget
the gate and nobody waits for it. On SQLite the same questions are asked one after the other in the
plain transaction, by the same gate. Both read just the same to the caller.
"""

from api.core.one_trip.composing import CHART, CLINIC
from api.core.one_trip.reading import Listed, Opening, Reading

__all__ = ["CHART", "CLINIC", "Listed", "Opening", "Reading"]
