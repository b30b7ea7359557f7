"""Fuzzing the readers: what it begins with, how that is spoilt, and what may come of it. ``validation/fuzz.py`` is the command."""
