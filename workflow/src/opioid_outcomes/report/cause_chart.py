"""Differences in deaths by cause: a forest plot per comparison."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report import forest

Rows = list[dict[str, Any]]


def differences(panels: dict[str, Rows]) -> Any:
    """Forest plots under each other; ``panels``: rows as of ``forest.differences``, with shares as ``counts``."""
    import altair as alt

    drawn = [
        forest.differences(
            rows, title="risk difference, percentage points", counts="share of all", smallest=0
        ).properties(title=alt.TitleParams(name, fontSize=12))
        for name, rows in panels.items()
    ]  # fmt: skip
    return alt.vconcat(*drawn, spacing=14)
