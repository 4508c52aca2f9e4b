"""Adds a summary of a report to the documentation: machine, outcome of each check, goals, profile."""

import re
import textwrap
from datetime import UTC, datetime
from pathlib import Path

from gpu_check.requirements import Missing

HEADING = "## Runs\n"
"""The section of the page that has the summaries, the newest first."""
WIDTH = 120
CELLS = re.compile(r"(?<!\\)\|")
FACTS = "| machine |"
CHECKS = "| check |"
GOALS = "| goal |"
PROFILE = "## profile"


def record(report: Path, page: Path) -> None:
    """Write the page with the summary of a report."""
    if not report.exists():
        raise Missing(f"Expected a report at {report} but found none")
    text = page.read_text("utf-8")
    if HEADING not in text:
        raise Missing(f"Expected the heading {HEADING.strip()} in {page} but found none")
    before, after = text.split(HEADING, 1)
    introduction, separator, runs = after.partition("\n### ")
    summary = summarize(report.read_text("utf-8"), datetime.now(UTC).date().isoformat())
    page.write_text(f"{before}{HEADING}{introduction.rstrip()}\n\n{summary}{separator}{runs}", "utf-8")


def summarize(report: str, date: str) -> str:
    """Return the section of a run."""
    facts = _rows(report, FACTS)
    named = {row[0]: row[1] for row in facts[1:]}
    parts = [f"### {date}: {named['GPU'].split(',')[0]}, torch {named['torch'].split(',')[0]}", _render(facts)]
    checks = _rows(report, CHECKS)[1:]
    passed = [name for name, _, outcome, *_ in checks if outcome == "passed"]
    others = [f"{name} ({outcome.strip('*')})" for name, _, outcome, *_ in checks if outcome != "passed"]
    parts += [_wrap("Passed", passed), _wrap("Not passed", others)]
    parts.append(_render(_rows(report, GOALS)))
    parts.append(_render([[row[0], *row[2:]] for row in _rows(report[report.find(PROFILE) :], "|  |  |")]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _rows(text: str, start: str) -> list[list[str]]:
    """Return the head and the rows of the first table that begins with a text; nothing where there is none."""
    at = text.find(f"\n{start}")
    if at < 0:
        return []
    lines = text[at + 1 :].split("\n\n", 1)[0].splitlines()
    rows = [[cell.strip() for cell in CELLS.split(line.strip())[1:-1]] for line in lines]
    return [rows[0], *rows[2:]]


def _render(rows: list[list[str]]) -> str:
    """Return a table with aligned columns."""
    if not rows:
        return ""
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    ruled = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in ruled
    )


def _wrap(what: str, names: list[str]) -> str:
    return textwrap.fill(f"{what}: {', '.join(names)}.", WIDTH, break_on_hyphens=False) if names else ""
