"""Release: the consenting cohort as files and figures in which nobody can be found."""

from api.core.release import expiring as expiring, freezing as freezing  # the worker is told
from api.core.release.agreed import TERMS as TERMS, USES as USES
from api.core.release.agreements import (
    end_agreement as end_agreement,
    record_agreement as record_agreement,
)
from api.core.release.allowed import grants as grants
from api.core.release.codes import forget_codes as forget_codes
from api.core.release.cube import CUTS as CUTS, OUTCOMES as OUTCOMES
from api.core.release.deidentify import CODES as WINDOWS
from api.core.release.freezing import REASONS as REASONS
from api.core.release.keys import (
    PREFIX as PREFIX,
    holder_of as holder_of,
    list_keys as list_keys,
    make_key as make_key,
    revoke_key as revoke_key,
)
from api.core.release.projects import (
    change_project as change_project,
    find_project as find_project,
    list_projects as list_projects,
    open_project as open_project,
    read_project as read_project,
)
from api.core.release.releases import (
    draw_cube as draw_cube,
    list_releases as list_releases,
    open_codebook as open_codebook,
    open_file as open_file,
    read_cube as read_cube,
    read_manifest as read_manifest,
    read_release as read_release,
    request_release as request_release,
)
from api.core.release.shapes import shapes as shapes
from api.core.release.tables import (
    LIMITED as LIMITED,
    PROJECT_STATES as PROJECT_STATES,
    RELEASE_STATES as RELEASE_STATES,
    TIERS as TIERS,
)

INSTRUMENTS = shapes()["scores"].fields[1].words
"""The instruments that a release may tell of: those that are shipped."""
__all__ = [
    "CUTS",
    "INSTRUMENTS",
    "OUTCOMES",
    "LIMITED",
    "PREFIX",
    "PROJECT_STATES",
    "REASONS",
    "RELEASE_STATES",
    "TERMS",
    "TIERS",
    "USES",
    "WINDOWS",
    "change_project",
    "draw_cube",
    "end_agreement",
    "expiring",
    "find_project",
    "forget_codes",
    "freezing",
    "grants",
    "holder_of",
    "list_keys",
    "list_projects",
    "list_releases",
    "make_key",
    "open_codebook",
    "open_file",
    "open_project",
    "read_cube",
    "read_manifest",
    "read_project",
    "read_release",
    "record_agreement",
    "request_release",
    "revoke_key",
    "shapes",
]
