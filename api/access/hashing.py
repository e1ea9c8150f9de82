"""Passwords: which may be chosen, what is kept in their place, and whether one is right."""

import logging
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from secrets import token_bytes
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, VerificationError, VerifyMismatchError

from api.access.guessable import is_guessable
from api.errors import Invalid, Unavailable

MIN_PASSWORD = 12
MAX_PASSWORD = 128
MEMORY_KIB, PASSES, LANES = 47104, 1, 1
"""Argon2id as the OWASP password storage sheet gives it."""

log = logging.getLogger("freshtrail")
_hashing = BoundedSemaphore(2)
"""One hash per core at a time: each takes 46 MiB."""
MAX_WAIT_S = 3


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


@cache
def _nobody() -> str:
    """A hash that no password has, made without hashing: to compare with it takes as long."""
    salt, tag = (b64encode(token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${tag}"


def hash_password(password: str) -> str:
    """An Argon2id hash of a password of 12 to 128 characters; raises `Invalid` otherwise.

    A password that is among the first to be guessed is refused as well.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        detail = f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters."
        raise Invalid([("/password", detail)])
    if is_guessable(password):
        raise Invalid([("/password", "This password is among the first to be guessed.")])
    return hash_again(password)


def is_password(password: str, hashed: str | None) -> bool:
    """Whether it is the password; takes as long for an account that does not exist.

    Nothing is that of what is no hash, or of one that is damaged. Raises `Unavailable` where none
    can be compared, as without memory for it.
    """
    with _turn():
        for one in (hashed, _nobody(), hashed):  # nobody's tells whether it is the hash
            matches = None if one is None else _compared(password, one)
            if matches is None and one is not hashed:
                log.error("no password can be compared")
                raise Unavailable("The password can't be checked now.")
            if matches is not None and one is hashed:
                return matches
    if hashed is not None:
        log.error("the hash of a password is damaged")
    return False


def _compared(password: str, hashed: str) -> bool | None:
    """Whether they match; None where that can't be found out."""
    try:
        return _hasher().verify(hashed, password.encode(errors="surrogatepass"))
    except VerifyMismatchError:
        return False
    except (VerificationError, ValueError):
        return None


def is_weak(hashed: str) -> bool:
    """Whether the hash was made with less work than one is made with now."""
    return _hasher().check_needs_rehash(hashed)


def hash_again(password: str) -> str:
    """A hash as they are made now, of a password that was right; no rule for new ones is asked.

    Raises `Unavailable` where none can be made, as without memory for it.
    """
    with _turn():
        try:
            return _hasher().hash(password)
        except HashingError as problem:
            log.exception("a password could not be hashed")
            raise Unavailable("The password can't be kept now.") from problem


@contextmanager
def _turn() -> Iterator[None]:
    """One's turn to hash; raises `Unavailable` rather than let many wait long."""
    if not _hashing.acquire(timeout=MAX_WAIT_S):
        raise Unavailable("Too many sign-ins at once.")
    try:
        yield
    finally:
        _hashing.release()
