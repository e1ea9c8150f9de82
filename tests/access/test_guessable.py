"""Passwords that are tried first are refused by rule, and no others."""

import subprocess
import sys

import pytest

from api.access.guessable import is_guessable


@pytest.mark.parametrize(
    "password",
    [
        *("pass42word42", "keta-mine-2026", "Sun7Shine"),  # a first word with figures within
        *("P@ss-W0rd!", "le7.m3!n..2026", "fr33d0m, fr33d0m"),  # one that looks like it
        *("adminadminadmin", "TestTestTest1"),  # over and over
        *("0987654321poiuy", "mnbvcxzlkjhgf", "zyxwvutsrqpo"),  # backward along the keys
        *("qwerasdfzxcv", "qwertasdfgzxcv", "12345qwertyabcde"),  # piece by piece
        *("qwertyuiopas1", "abcabcabcabc", "110110110110"),
        *("qwertyuiopzx", "fghjklmnbvcx09"),  # with a piece of two at its end
    ],
)
def test_first_words_and_walks_along_the_keys_are_guessed_in_any_guise(password: str) -> None:
    assert is_guessable(password) and is_guessable(password.upper())


@pytest.mark.parametrize(
    "password",
    [
        *("Liverpool2024!", "basketball12", "2024 Elizabeth", "!!Chelsea-1905", "1234Wonderful56"),
        *("portsmouth__1", "chocolate#99"),
        *("bigdaddy2.0.2", "passwordpassword"),
        "christopher12345678901234567890",
    ],
)
def test_what_stands_in_a_list_of_stolen_ones_is_refused_with_figures_around_it_too(
    password: str,
) -> None:
    assert is_guessable(password) and is_guessable(password.upper())


def test_no_list_is_read_before_a_password_is_set() -> None:
    """It costs time and memory, and most processes never set one."""
    code = "import sys, api.app; sys.exit('zxcvbn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "password",
    [
        "liverpool basketball",  # two of them are more than one
        "liver2024pool",  # figures within
        "acegiacegiacegi",  # five characters are enough, for what is neither word nor walk
        "xqwertyuiop4",  # a walk is one from its first character on
        "qwertyuiopx5",  # and to its last
        "ertdfgcvb678",  # pieces of three are no walk
        "passwordless",
        "xxpasswordxx1",
    ],
)
def test_what_only_holds_such_a_piece_is_not_refused(password: str) -> None:
    assert not is_guessable(password)
