"""What a set-up step raises."""


class SetupError(Exception):
    """What is missing and what to do about it, one line for the user."""


class Unavailable(SetupError):
    """This machine lacks what a step needs; the work can go on without what the step makes."""
