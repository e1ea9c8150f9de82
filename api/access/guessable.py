"""Passwords that are among the first to be guessed, found by rule and in the lists of zxcvbn."""

import re

FEWEST_CHARACTERS = 5
"""Different characters that a password has at the least."""
FIRST_WORDS = """
    password passwort motdepasse contrasena senha letmein welcome willkommen iloveyou admin
    administrator qwerty qwertz azerty monkey dragon football baseball sunshine princess superman
    batman master login secret changeme changeit default trustno test tester testing guest user
    freshtrail ketamine clinic patient doctor therapist hello whatever freedom starwars
    computer internet shadow michael jennifer jordan charlie summer winter spring autumn
"""
"""What people take first; alone, repeated or with figures around it, it protects nobody."""
WORDS = frozenset(FIRST_WORDS.split())
ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "q1w2e3r4t5y6u7i8o9p0",
)
AROUND = re.compile(r"^[\W\d_]+|[\W\d_]+$")
"""Figures and signs before and after the rest, or the whole of them."""
LONGEST_STEP = 4
LOOKS_LIKE = str.maketrans("013457@$!", "oleastasi")


def is_guessable(password: str) -> bool:
    """Whether it is one character over and over, a walk along the keys, a first word, or listed."""
    plain = password.casefold()
    if len(set(plain)) < FEWEST_CHARACTERS or _is_walk(plain):
        return True
    letters = re.sub(r"[\W\d_]+", "", plain)
    looks = re.sub(r"[\W\d_]+", "", plain.strip("0123456789 !.?*#-_").translate(LOOKS_LIKE))
    return any(_once(word) in WORDS for word in (letters, looks)) or _is_listed(plain)


def _is_listed(plain: str) -> bool:
    """Whether it is listed, alone or with figures and signs before and after it.

    The lists are those of zxcvbn (Wheeler 2016, USENIX Security): 30,000 passwords that were stolen
    most often, and 64,000 words and names, each where it is the most frequent. They are read with
    the first password that is set, which takes a tenth of a second and 15 MB, and never sent.
    """
    from zxcvbn.matching import RANKED_DICTIONARIES

    inner = AROUND.sub("", plain)
    return any(one in listed for listed in RANKED_DICTIONARIES.values() for one in (plain, inner))


def _once(word: str) -> str:
    """The word without its repetitions: `abab` is `ab`."""
    if not word:
        return word
    return word[: (word + word).find(word, 1)]


def _is_walk(plain: str) -> bool:
    """Whether the whole is made of pieces of rows of keys, forward or backward."""
    rows = [row for forward in ROWS for row in (forward, forward[::-1])]
    at = 0
    while at < len(plain):
        step = _longest(plain[at:], rows)
        if step < LONGEST_STEP and at + step < len(plain):
            return False
        at += step
    return True


def _longest(text: str, rows: list[str]) -> int:
    """How many characters of the text a row has one after the other; at least 1."""
    fits = (size for size in range(len(text), 1, -1) if any(text[:size] in row for row in rows))
    return next(fits, 1)
