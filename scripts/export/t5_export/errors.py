"""What ends an export with one line to the user."""

MOST_CHARACTERS = 300


class ExportError(Exception):
    """A refusal: its message is one line that says what was expected and what was received."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived, before anything was in place.

    Not an `Exception`: no handler of a library may swallow it.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


def one_line(error: BaseException) -> str:
    """Return an error's message as one line of bounded length, or its type's name."""
    text = " ".join(str(error).split())
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}..."
    return text or type(error).__name__
