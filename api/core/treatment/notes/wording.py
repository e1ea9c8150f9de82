"""What a note says: free text, or the sections of a template, and what these still lack."""

from typing import Any, Final

from api.core.merging import merged
from api.core.treatment.notes.tables import FREE, TEMPLATES
from api.db import Values
from api.errors import Invalid

MOST_SECTIONS: Final = 20
SECTIONS_AT: Final = "/sections"


def worded(values: Values) -> Values:
    """`{template, text, sections}` of a new note; raises `Invalid` when nothing is said."""
    sections = _said(values.get("sections"))
    return _whole(values.get("text"), sections, values.get("template"))


def reworded(row: Values, values: Values) -> Values:
    """The same once a merge patch came (RFC 7396): a section that is null is taken out."""
    text = values.get("text", row["text"])
    sections = row["sections"]
    if "sections" in values:
        sections = _merged(sections, values["sections"])
    given = values.get("template", row["template"] if row["template"] != FREE else None)
    return _whole(text, sections, given)


def _merged(before: Values | None, part: Values | None) -> Values | None:
    if part is None:
        return None
    whole = merged(before, part, [*(before or {}), *part])
    return _said(whole)


def _said(sections: Values | None) -> Values | None:
    """The sections in which something is said; None for none."""
    said = {name: words for name, words in (sections or {}).items() if words is not None}
    return said or None


def _whole(text: str | None, sections: Values | None, template: str | None) -> Values:
    if text is None and sections is None:
        raise Invalid([("/text", "A note says something: send `text` or `sections`.")])
    if len(sections or {}) > MOST_SECTIONS:
        raise Invalid([(SECTIONS_AT, f"At most {MOST_SECTIONS} sections.")])
    if template in TEMPLATES:
        _refuse_unknown(template, sections)
    elif template is None:
        template = _like(sections)
    return {"template": template, "text": text, "sections": sections}


def _refuse_unknown(template: str, sections: Values | None) -> None:
    known = TEMPLATES[template]
    unknown = [name for name in sections or {} if name not in known]
    if unknown:
        detail = f"`{template}` has the sections {', '.join(known)}."
        raise Invalid([(f"{SECTIONS_AT}/{name}", detail) for name in unknown])


def _like(sections: Values | None) -> str | None:
    """The template whose sections these are, all of them; else `free`, and None for plain text."""
    if sections is None:
        return None
    return next((key for key, names in TEMPLATES.items() if set(names) == set(sections)), FREE)


def gaps(row: Values) -> list[str]:
    """The sections of its template that a note leaves unsaid; free sections and text lack none."""
    said: Any = row["sections"] or {}
    return [name for name in TEMPLATES.get(row["template"] or FREE, ()) if name not in said]
