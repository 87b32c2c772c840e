"""The emulated target trials, item by item."""

from __future__ import annotations

from opioid_outcomes.report.document import Paragraph, Section, Table
from opioid_outcomes.report.released import Released


def target_trials(released: Released) -> Section | None:
    """None where no trial is described."""
    if not released.trials:
        return None
    lines: list[tuple[str, ...]] = []
    for trial in dict.fromkeys(row["trial"] for row in released.trials):
        lines.append((trial,))
        lines += [(row["item"], row["text"]) for row in released.trials if row["trial"] == trial]
    lead = Paragraph(
        "The analyses of new users and of sustained strategies emulate trials that nobody ran. What the trial would "
        "be, and how the data stand in for it, in the items of the TARGET statement (2025) that a config can fill in."
    )
    table = Table(
        "target_trials", "The emulated target trials.", ("Item", "Trial and its emulation"), tuple(lines), 0, "",
        (1, 3.6),
    )  # fmt: skip
    return Section("target-trials", "The emulated target trials", (lead, table))
