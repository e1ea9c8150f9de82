"""Backups: a copy of the database with a list of what it holds, checked before it is trusted.

A backup is a folder with the copy and `manifest.json`: schema, counts of every table, the copy's
SHA-256, and the ids of the field keys without which it can't be read. The keys themselves are not
in it: who finds a backup must not find them beside it. The keys of charts are copied to a place of
their own as well, for another reason: a backup is kept for long, and they must not be.
"""

from api.backups.charts import (
    BadBackup as BadBackup,
    copies as copies,
    newest_copy as newest_copy,
    orphaned as orphaned,
    outdated as outdated,
    uncopied as uncopied,
)
from api.backups.checking import check as check
from api.backups.making import make as make
from api.backups.restoring import restore as restore
from api.backups.shelf import newest_checked as newest_checked
