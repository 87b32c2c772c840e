"""Tables and figures numbered in reading order; a drawing never higher than its page."""

from __future__ import annotations

import pytest

from opioid_outcomes.report.document import Block, Document, Figure, Section, Table
from opioid_outcomes.report.numbering import PAGE_HEIGHT, TEXT_WIDTH, numbered


def figure(name: str, size: str) -> Figure:
    return Figure(name, f'<svg class="marks" {size} viewBox="0 0 1 1"><path stroke-width="9"/></svg>', "caption", "alt")


def blocks(*content: Block) -> list[dict]:
    document = Document("t", "s", (), (Section("one", "One", content),))
    return numbered(document)["sections"][0]["blocks"]


def test_tables_and_figures_are_counted_apart() -> None:
    table = Table("a", "c", ("x",), (("1",),))
    found = blocks(table, figure("f", 'width="300" height="200"'), table)
    assert [block["label"] for block in found] == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("size", "width"),
    [
        ('width="300" height="200"', 300.0),
        (f'width="600" height="{2 * PAGE_HEIGHT}"', 300.0),  # half as large fits the page
        (f'width="600" height="{PAGE_HEIGHT}"', 600.0),
        ("", TEXT_WIDTH),
    ],
)
def test_a_drawing_is_printed_at_its_size_or_as_high_as_a_page(size: str, width: float) -> None:
    [found] = blocks(figure("f", size))
    assert found["width"] == pytest.approx(width)
