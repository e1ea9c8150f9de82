"""Who reads a patient's entry and by when: said at once, so that nobody waits for an answer."""

from typing import Any, Final

from api.core.integration import words

WITHIN_HOURS: Final = 72  # what a care team means to keep, weekends included; never a promise


def reading(
    shared_with: str, status: str, locale: str = "en", within_hours: int = WITHIN_HOURS
) -> dict[str, Any]:
    """`{by, within_hours, watched_day_and_night, words}` for an entry of a patient in `status`.

    Nobody reads what is shared with `me` alone, nor what a discharged patient writes; then
    `within_hours` is null.
    """
    why = "me" if shared_with == "me" else "discharged" if status == "discharged" else "care_team"
    read = why == "care_team"
    return {
        "by": "care_team" if read else "nobody",
        "within_hours": within_hours if read else None,
        "watched_day_and_night": False,
        "words": words.say(locale, "reading", why, within_hours=within_hours),
    }
