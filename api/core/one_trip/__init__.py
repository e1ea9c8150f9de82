"""Hot reads: right, record and trail composed into one statement around any Core select.

On PostgreSQL the whole request is one trip: sign-in, role, reach, record and audit row are common
table expressions of one prepared statement on an autocommit connection, so that nobody can forget
the gate and nobody waits for it. On SQLite a statement that reads can't write: there the same
question is one statement of the driver's, and the audit row follows in a transaction of its own
before the answer goes out. What neither has a statement for is asked in the plain transaction, by
the same gate. All read just the same to the caller.
"""

from api.core.one_trip.composing import CHART, CLINIC, RECORD
from api.core.one_trip.reading import Listed, Opening, Reading

__all__ = ["CHART", "CLINIC", "RECORD", "Listed", "Opening", "Reading"]
