"""The errors that end an export with a message of one line."""

MAX_CHARACTERS = 300


class ExportError(Exception):
    """An export that isn't possible. The message is one line that states what was expected and what was received."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived before the export was complete.

    It isn't an `Exception`, so that no library can catch it by accident.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


def one_line(error: BaseException) -> str:
    """Return an error's message, or else its type's name, as one line of limited length."""
    text = " ".join(str(error).split())
    if len(text) > MAX_CHARACTERS:
        text = f"{text[:MAX_CHARACTERS]}..."
    return text or type(error).__name__
