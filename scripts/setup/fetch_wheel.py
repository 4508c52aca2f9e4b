"""Downloads the wheel of a requirement, and continues a download that was interrupted.

`python fetch_wheel.py <requirement> <index> <folder>` leaves nothing but the wheel in `folder`, or nothing at all where
it can't choose a wheel from the index, and pip has to. pip starts again from the first byte; torch has 0.6 GB. A server
that knows HTTP ranges sends the rest alone; from another one the wheel is downloaded anew. The SHA-256 is the one that
the index states. Exit code 1: the download failed, with the reason in pip's words.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

from pip._vendor import requests
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.tags import sys_tags
from pip._vendor.packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from pip._vendor.packaging.version import InvalidVersion

FAILED = 1
TIMEOUT_SECONDS = 60
CHUNK_BYTES = 1 << 20
# Attempts in a row that receive nothing. Before each, the program waits one second longer.
MAX_FRUITLESS_ATTEMPTS = 5
ACCEPTED = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.1"


class UnsuitableIndexError(Exception):
    """The index has no wheel with a SHA-256 for this machine, or none that this program can read."""


class DigestError(Exception):
    """The bytes are not those of the index."""


@dataclass(frozen=True)
class Wheel:
    """A file of the index."""

    name: str
    url: str
    sha256: str


class _Links(HTMLParser):
    """The addresses of an index page in HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.hrefs.append(href)


def list_wheels(session: requests.Session, requirement: Requirement, index: str) -> list[Wheel]:
    """The files of a project with their digests."""
    page_url = f"{index.rstrip('/')}/{canonicalize_name(requirement.name)}/"
    response = session.get(page_url, headers={"Accept": ACCEPTED}, timeout=TIMEOUT_SECONDS)
    if not response.ok:
        raise UnsuitableIndexError(f"{page_url} answers {response.status_code}")
    if "json" in response.headers.get("Content-Type", ""):
        files = response.json()["files"]
        found = [(file["filename"], file["url"], file.get("hashes", {}).get("sha256")) for file in files]
    else:
        links = _Links()
        links.feed(response.text)
        found = [_file_of_link(href) for href in links.hrefs]
    return [Wheel(name, urljoin(response.url, url), sha256) for name, url, sha256 in found if sha256]


def _file_of_link(href: str) -> tuple[str, str, str | None]:
    url, fragment = urldefrag(href)
    sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None
    return unquote(url.rsplit("/", 1)[-1]), url, sha256


def choose_wheel(wheels: list[Wheel], requirement: Requirement) -> Wheel:
    """The wheel that fits this Python best, as pip chooses: the highest version, then the most specific tag."""
    order = {tag: position for position, tag in enumerate(sys_tags())}
    best: tuple[tuple[object, int], Wheel] | None = None
    for wheel in wheels:
        try:
            _, version, _, tags = parse_wheel_filename(wheel.name)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        ranks = [order[tag] for tag in tags if tag in order]
        if not ranks or version not in requirement.specifier:
            continue
        key = (version, -min(ranks))
        if best is None or key > best[0]:
            best = (key, wheel)
    if best is None:
        raise UnsuitableIndexError(f"no wheel of {requirement} fits this Python")
    return best[1]


def download(session: requests.Session, wheel: Wheel, folder: Path) -> Path:
    """Downloads a wheel, after the bytes that an earlier run has left. Returns its path."""
    complete = folder / wheel.name
    # Named by the digest, so bytes of another file are never continued.
    part = folder / f"{wheel.sha256}.part"
    _empty(folder, (complete, part))
    if not complete.exists():
        _receive_all(session, wheel.url, part)
        part.rename(complete)
    if _digest(complete) != wheel.sha256:
        complete.unlink()
        raise DigestError(wheel.name)
    return complete


def _empty(folder: Path, kept: tuple[Path, ...] = ()) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file not in kept:
            file.unlink()


def _receive_all(session: requests.Session, url: str, part: Path) -> None:
    """Receives what `part` lacks, over as many connections as that takes."""
    fruitless = 0
    while True:
        before = _size(part)
        try:
            if _receive(session, url, part):
                return
            reason: Exception = requests.exceptions.ConnectionError("the connection ended before the last byte")
        except (
            requests.exceptions.ConnectionError,
            requests.exceptions.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            reason = error
        fruitless = 0 if _size(part) > before else fruitless + 1
        if fruitless == MAX_FRUITLESS_ATTEMPTS:
            raise reason
        time.sleep(fruitless)


def _receive(session: requests.Session, url: str, part: Path) -> bool:
    """Receives over one connection. Returns whether `part` is now complete."""
    received = _size(part)
    # Compressed bytes have no ranges of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={received}-"} if received else {})
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            # `bytes */1234`: either nothing is missing, or the part is of no use.
            if response.headers.get("Content-Range", "").rpartition("/")[2] == str(received):
                return True
            part.unlink()
            return False
        response.raise_for_status()
        is_rest = response.status_code == requests.codes.partial_content
        if is_rest and not response.headers.get("Content-Range", "").startswith(f"bytes {received}-"):
            part.unlink()
            return False
        if received and is_rest:
            print(f"Continuing after {received} bytes", flush=True)
        length = response.headers.get("Content-Length")
        with part.open("ab" if is_rest else "wb") as file:
            for chunk in response.iter_content(CHUNK_BYTES):
                file.write(chunk)
        expected = None if length is None else int(length) + (received if is_rest else 0)
        return expected is None or _size(part) == expected


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def main(requirement_text: str, index: str, folder: str) -> int:
    """Runs the program. Returns its exit code."""
    requirement = Requirement(requirement_text)
    session = requests.Session()
    if certificate := os.environ.get("PIP_CERT"):
        session.verify = certificate
    try:
        wheel = choose_wheel(list_wheels(session, requirement, index), requirement)
    except (UnsuitableIndexError, requests.exceptions.RequestException, ValueError, KeyError) as error:
        print(f"pip chooses the wheel: {error}")
        _empty(Path(folder))
        return 0
    try:
        print(download(session, wheel, Path(folder)))
    except DigestError as error:
        print(f"THESE PACKAGES DO NOT MATCH THE HASHES of the index: {error}")
        return FAILED
    except requests.exceptions.RequestException as error:
        print(f"Failed to establish a new connection: {error}")
        return FAILED
    except OSError as error:
        print(error)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
