"""What a person can put right."""


class ProblemError(Exception):
    """Something the person at the terminal can put right; the message says how."""
