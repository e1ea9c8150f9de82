"""Many at once: run the same thing in threads, each with a store of its own."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

from flask import Flask

from api import db
from api.errors import Refusal


def at_once(app: Flask, runs: list[Callable[[], Any]]) -> list[Any]:
    """What each run answered, or the refusal it met; each is a transaction of its own."""
    start, answers = Barrier(len(runs)), [None] * len(runs)

    def racer(place: int, run: Callable[[], Any]) -> None:
        with app.app_context():
            start.wait()
            try:
                with db.transaction():
                    answers[place] = run()
            except Refusal as refusal:
                answers[place] = refusal

    threads = [Thread(target=racer, args=each) for each in enumerate(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
