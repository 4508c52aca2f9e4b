"""The report in Markdown. The file is written again after each step."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOT_RUN = "not run"
PASSED = "passed"


@dataclass
class Section:
    """One step of the run."""

    name: str
    title: str
    outcome: str = NOT_RUN
    seconds: float | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    tail: str = ""
    appendix: str = ""

    @property
    def has_passed(self) -> bool:
        """Whether the step has run and found nothing wrong."""
        return self.outcome == PASSED


class Report:
    """The sections in order, and the file that they are written to."""

    def __init__(self, path: Path, title: str, facts: Mapping[str, str], sections: Sequence[Section]) -> None:
        self._path = path
        self._title = title
        self._facts = facts
        self._sections = sections
        self._lock = threading.Lock()
        self.write()

    def write(self) -> None:
        """Replace the file at once, so that a reader never sees a part of it."""
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_name(f"{self._path.name}.partial")
            partial.write_text(self._render(), "utf-8")
            partial.replace(self._path)

    @property
    def has_passed(self) -> bool:
        """Whether every section has passed."""
        return all(section.has_passed for section in self._sections)

    def _render(self) -> str:
        not_passed = [section.name for section in self._sections if not section.has_passed]
        verdict = f"**Not passed: {', '.join(not_passed)}.**" if not_passed else "**Every check passed.**"
        rows = [
            [f"`{one.name}`", one.title, _strong(one), "" if one.seconds is None else f"{one.seconds:.0f}"]
            for one in self._sections
        ]
        parts = [
            f"# {self._title}",
            verdict,
            table(["machine", ""], [[name, fact] for name, fact in self._facts.items()]),
            table(["check", "what", "outcome", "s"], rows),
        ]
        parts += [text for section in self._sections for text in _render_section(section)]
        return "\n\n".join(parts) + "\n"


def _strong(section: Section) -> str:
    return section.outcome if section.outcome in (NOT_RUN, PASSED) else f"**{section.outcome}**"


def _render_section(section: Section) -> list[str]:
    parts: list[str] = []
    if section.findings:
        heads = list(dict.fromkeys(head for finding in section.findings for head in finding["measured"]))
        rows = [
            [
                finding["subject"],
                PASSED if finding["passed"] else "**failed**",
                *(_cell(finding["measured"].get(head, "")) for head in heads),
            ]
            for finding in section.findings
        ]
        parts.append(table(["", "", *heads], rows))
    if section.appendix:
        # The appendix is part of this section, so its headings are one level lower.
        parts.append("\n".join(f"#{line}" if line.startswith("#") else line for line in section.appendix.splitlines()))
    if section.tail:
        parts.append(f"```text\n{section.tail}\n```")
    return [f"## {section.name}: {section.title}", *parts] if parts else []


def _cell(value: object) -> str:
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.3g}"
    return str(int(value)) if isinstance(value, float) else str(value)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in cells)} |"

    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])
