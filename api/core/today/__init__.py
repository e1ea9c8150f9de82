"""Today: what a patient finds when they open their app; one small step, and seldom a question."""

from api.core.today.asking import QUESTIONS
from api.core.today.finding import read_today

__all__ = ["QUESTIONS", "read_today"]
