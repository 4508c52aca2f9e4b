"""Real text in many languages: the gettext catalogues of Django (BSD licence)."""

import gettext
from functools import cache
from pathlib import Path

import django


@cache
def read_catalogues() -> dict[str, list[str]]:
    """Return the translated messages of each language, in an order that does not change."""
    texts: dict[str, list[str]] = {}
    for path in sorted(Path(django.__file__).parent.rglob("django.mo")):
        language = path.parts[-3]
        with path.open("rb") as file:
            messages = gettext.GNUTranslations(file)._catalog  # no public function lists them
        translated = [text for key, text in sorted(messages.items(), key=_order) if key and isinstance(text, str)]
        texts.setdefault(language, []).extend(translated)
    return texts


def _order(item: tuple[object, str]) -> str:
    return repr(item[0])
