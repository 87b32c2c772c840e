"""What a report is made of. Content is written once in these blocks; `html` and `pdf` only lay them out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Paragraph:
    """Running text; words between backticks are names of analyses, columns or config keys."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Bullets:
    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Notice:
    """Something the reader must not overlook, or the sentence that stands where a figure or table would."""

    kind: ClassVar[str] = "notice"
    text: str


@dataclass(frozen=True)
class Definitions:
    kind: ClassVar[str] = "definitions"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Heading:
    """A heading below the section's own."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Table:
    """A table. The first cell of a row is its heading; a row of one cell is a heading over the rows that follow.

    ``numeric`` counts the columns, from the right, that hold numbers. ``widths`` are relative. ``long``: of more rows
    than anybody reads on paper; closed until opened in HTML, and named with its file in the PDF.
    """

    kind: ClassVar[str] = "table"
    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: int = 0
    note: str = ""
    widths: tuple[float, ...] = ()
    wide: bool = False
    long: bool = False

    def __post_init__(self) -> None:
        if any(len(row) not in (1, len(self.columns)) for row in self.rows):
            raise ValueError(f"table {self.name}: a row has a different number of cells")


@dataclass(frozen=True)
class Figure:
    """A drawn figure: ``svg`` is a whole SVG document carrying its own title and description."""

    kind: ClassVar[str] = "figure"
    name: str
    svg: str
    caption: str
    alt: str
    note: str = ""


Block = Paragraph | Bullets | Notice | Definitions | Heading | Table | Figure


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    blocks: tuple[Block, ...] = field(default=())


@dataclass(frozen=True)
class Document:
    """A whole report. ``marks`` are printed on every page."""

    title: str
    subtitle: str
    marks: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def figures(self) -> list[Figure]:
        return [block for section in self.sections for block in section.blocks if isinstance(block, Figure)]


def as_data(document: Document) -> dict[str, Any]:
    """The document as nested dictionaries and lists, each block with its ``kind``."""
    sections = [
        {
            "id": section.id,
            "title": section.title,
            "blocks": [{"kind": block.kind, **asdict(block)} for block in section.blocks],
        }
        for section in document.sections
    ]
    return {**asdict(document), "sections": sections}
