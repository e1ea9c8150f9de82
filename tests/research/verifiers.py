"""Run by an interpreter that has pyCANON and ACRO, of a folder of files alone: `.ci/verifiers`.

Both want libraries older than ours, so they have a place of their own. Prints JSON: k and l of the
subjects by pyCANON, the same once a row like nobody's is planted, and the cells of each table of
people by outcome that ACRO hides, with a threshold as the last word of the command says.
"""

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

QUASI = ["age_band", "sex_at_birth", "state", "diagnosis_group", "route"]
CUTS = {"course": None, "by_route": "route", "by_practice": "practised_in_window"}
OUTCOMES = {
    "response": ("response", True),
    "remission": ("remission", True),
    "reliably_improved": ("reliable_change", "improved"),
    "deteriorated": ("deterioration", True),
}


def main(folder: Path, threshold: int) -> None:
    """Verify the files of a folder."""
    import pandas as pd
    from pycanon import anonymity  # type: ignore[import-not-found]

    subjects = pd.read_csv(folder / "subjects.csv.gz").fillna("not told").astype(str)
    alone = subjects.head(1).assign(age_band="unlike anybody")
    planted = pd.concat([subjects, alone], ignore_index=True)
    told = {
        "k": int(anonymity.k_anonymity(subjects, QUASI)),
        "l": int(anonymity.l_diversity(subjects, QUASI, ["suicidality"])),
        "planted": int(anonymity.k_anonymity(planted, QUASI)),
        "hidden": hidden(subjects, pd.read_csv(folder / "scores.csv.gz"), threshold),
    }
    print(json.dumps(told))


def hidden(subjects: Any, scores: Any, threshold: int) -> list[list[Any]]:
    """The cells that ACRO hides: `[cut, instrument, window, outcome, group, met]`."""
    from acro import ACRO  # type: ignore[import-not-found]

    found = []
    rows = scores.dropna(subset=["difference"]).merge(subjects, on="subject_id")
    for (instrument, window), some in rows.groupby(["instrument", "window"]):
        for cut, column in CUTS.items():
            for outcome, (name, word) in OUTCOMES.items():
                checked = ACRO(suppress=True)
                checked.sdc_checks.risk_appetite["safe_threshold"] = threshold
                group = some[column] if column else some["subject_id"].map(lambda _: "all")
                met = (some[name] == word).map({True: "yes", False: "no"})
                table = checked.crosstab(group.rename("group"), met.rename("met"))
                cells = table.stack(future_stack=True)
                gone = cells[cells.isna()].index.tolist()
                found += [[cut, instrument, window, outcome, *cell] for cell in gone]
    return found


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), int(sys.argv[2]))
