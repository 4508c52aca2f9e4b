"""What ends an export with one line to the user."""


class ExportError(Exception):
    """A refusal: its message is one line that says what was expected and what was received."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived, before anything was in place.

    Not an `Exception`: no handler of a library may swallow it.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


def first_line(error: BaseException) -> str:
    """Return the first non-empty line of an error's message, or its type's name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
