"""The ground that all tables stand on: engine, store (the database session), tables, pages."""

from api.db import feed as feed, versions as versions, walls as walls
from api.db.among import among as among
from api.db.days import (
    day_at as day_at,
    days_between as days_between,
    days_on as days_on,
    seconds_on as seconds_on,
)
from api.db.embedded import (
    Question as Question,
    ask as ask,
    prepare_question as prepare_question,
)
from api.db.engines import (
    engine as engine,
    keeping_engine as keeping_engine,
    make_engine as make_engine,
    meets_another as meets_another,
    one_trip_pool as one_trip_pool,
    reachable as reachable,
    reading_engine as reading_engine,
    schema_version as schema_version,
    watchers as watchers,
)
from api.db.keeping import CommitLost as CommitLost, is_unknown as is_unknown, keep as keep
from api.db.pages import (
    SYNC_MARGIN as SYNC_MARGIN,
    Shape as Shape,
    bounds as bounds,
    cut as cut,
    page as page,
    page_of as page_of,
    shape_of as shape_of,
)
from api.db.preconditions import found as found, match as match
from api.db.sealing import (
    conceal as conceal,
    open_chart_key as open_chart_key,
    reveal as reveal,
    sealed_columns as sealed_columns,
    sealed_for as sealed_for,
)
from api.db.stores import (
    Store as Store,
    leave_store as leave_store,
    store as store,
    transaction as transaction,
)
from api.db.tables import (
    Instant as Instant,
    Sealed as Sealed,
    Word as Word,
    first_id as first_id,
    metadata as metadata,
    new_id as new_id,
    of as of,
    tenant_table as tenant_table,
)
from api.db.trips import Trip as Trip, in_one_trip as in_one_trip, prepare_trip as prepare_trip
from api.db.walls import NoClinic as NoClinic, Within as Within, within as within
from api.paging import Listing as Listing, Page as Page, Values as Values
