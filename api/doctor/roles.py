"""Whether the application's roles could do more in the database than they need."""

from api import db, startup
from api.doctor.seen import OK, RED, Seen


def roles() -> Seen:
    """What production would not start with, a line each."""
    with db.transaction() as store:
        if not store.on_postgres:
            yield OK, "SQLite: whoever may read the file reads the database"
            return
    wrong = [*startup.of_postgres(startup.standing()), *startup.of_others()]
    yield from ((RED, words) for words in wrong)
    if not wrong:
        yield OK, "the application's role has no more rights than it needs"
