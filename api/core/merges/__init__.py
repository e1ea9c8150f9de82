"""Two charts of one person: merged into one, and divided again."""

from api.core.merges.charts import (
    STATES as STATES,
    list_patient_merges as list_patient_merges,
    merge_patient as merge_patient,
    unmerge_patient as unmerge_patient,
)
from api.core.merges.moving import merges_into as merges_into

__all__ = ["STATES", "list_patient_merges", "merge_patient", "merges_into", "unmerge_patient"]
