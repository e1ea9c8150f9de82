"""Questionnaires as data: one JSON each, a catalogue that reads them, a pure scorer."""
