"""The ways in which the clinic says no: refusals and their kinds, without a word of HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any


class Refusal(Exception):
    """Something asked for is refused; `detail` is safe to show, `extras` are machine-readable."""

    kind = "refused"
    counted_as: str | None = None
    """As what it is counted where it is not known who asks; most are refused to somebody known."""

    def __init__(self, detail: str = "", **extras: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extras: Mapping[str, Any] = extras


class NotSignedIn(Refusal):
    """Nobody is signed in, or the sign-in has ended; `error` is the OAuth word for why."""

    kind = "not_signed_in"
    counted_as = "token_refused"

    def __init__(self, detail: str = "", error: str = "invalid_token", **extras: Any) -> None:
        super().__init__(detail, **extras)
        self.error = error


class NothingShown(NotSignedIn):
    """No token came with the request."""

    counted_as = "no_token"


class WrongCredentials(NotSignedIn):
    """Address and password don't go together."""

    counted_as = "wrong_credentials"


class CodeWanted(NotSignedIn):
    """The password was right; the second factor is asked for, or is to be set up."""

    counted_as = "second_factor_asked"


class WrongCode(NotSignedIn):
    """The second factor is not right, or what goes with it."""

    counted_as = "second_factor_refused"


class NotAllowed(Refusal):
    """This kind of actor may never do this."""

    kind = "not_allowed"


class Suspended(NotAllowed):
    """The clinic is suspended: it is read, and not written."""

    kind = "suspended"


class NotFound(Refusal):
    """The record is absent or out of the actor's reach; the two look alike on purpose."""

    kind = "not_found"


class Conflict(Refusal):
    """The record's state forbids it; `extras` say what is allowed or missing."""

    kind = "conflict"


class Stale(Refusal):
    """The record was changed since the caller read it."""

    kind = "stale"


class VersionNeeded(Refusal):
    """A change was asked for without naming the version it is meant for."""

    kind = "version_needed"


class Invalid(Refusal):
    """The words are understood but a value is wrong; `errors` are `(pointer, detail)` pairs."""

    kind = "invalid"

    def __init__(self, errors: Sequence[tuple[str, str]], detail: str = "", **extras: Any) -> None:
        super().__init__(detail or "Some values are not valid.", **extras)
        self.errors = list(errors)


class Unreadable(Refusal):
    """What was sent can't be read at all: broken JSON, a forged cursor."""

    kind = "unreadable"


class CursorTooOld(Refusal):
    """What the cursor would go on from is kept no longer; one begins without it."""

    kind = "cursor_too_old"


class TooMany(Refusal):
    """Asked too often; `retry_after` seconds from now it may be tried again."""

    kind = "too_many"
    counted_as = "throttled"

    def __init__(self, detail: str = "", retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class TooSlow(Refusal):
    """What was sent did not arrive in time."""

    kind = "too_slow"


class Busy(Refusal):
    """The same request is still being answered; try again in `retry_after` seconds."""

    kind = "busy"

    def __init__(self, detail: str = "", retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(Refusal):
    """The database or a key store can't be reached just now."""

    kind = "unavailable"


class OutcomeUnknown(Refusal):
    """The database was lost while something was written: nobody knows whether it was kept."""

    kind = "outcome_unknown"


class Unsafe(Exception):
    """The settings are not safe to start with; the message says which and why."""
