"""The new trail: insights, goals, practices, steps, moments and what they add up to."""
