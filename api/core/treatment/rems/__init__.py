"""The form that a REMS asks for after each session with esketamine: drawn here, filed by people."""

from api.core.treatment.rems.filing import (
    draw_rems_form,
    file_rems_form,
    read_rems_form,
    unfiled,
)
from api.core.treatment.rems.table import rems_filings

__all__ = [
    "draw_rems_form",
    "file_rems_form",
    "read_rems_form",
    "rems_filings",
    "unfiled",
]
