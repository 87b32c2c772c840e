"""A released study becomes an HTML page and a PDF that stand on their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pypdf import PdfReader
from report_release import outputs, settings, write

from opioid_outcomes.contracts.displays import FIGURES
from opioid_outcomes.steps.report import write_report

SECTIONS = (
    "question", "scope", "key-numbers", "attrition", "quality", "table-one", "exposure", "mortality", "hyperalgesia",
    "truth", "not-estimated", "estimates", "methods", "limitations", "glossary", "provenance",
)  # fmt: skip


def rendered(folder: Path, **how: object) -> Path:
    write_report(write(folder, **how), outputs(folder), settings())  # type: ignore[arg-type]
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rendered(tmp_path_factory.mktemp("reports") / "demo", mortality=True)


class Page(HTMLParser):
    """Tags, ids, references and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href"):
                self.references.append(value or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def pdf_text(folder: Path) -> list[str]:
    return [" ".join(sheet.extract_text().split()) for sheet in PdfReader(folder / "report.pdf").pages]


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(report: Path) -> None:
    found = page(report)
    assert not {"script", "iframe", "link", "object", "img"} & set(found.tags)
    assert all(reference.startswith("#") for reference in found.references)
    text = (report / "report.html").read_text(encoding="utf-8")
    urls = set(re.findall(r"url\((?!#|data:)[^)]*\)", text)) | set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert urls <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_sections_come_in_order_and_every_anchor_and_id_is_sound(report: Path) -> None:
    found = page(report)
    assert [name for name in found.ids if name in SECTIONS] == list(SECTIONS)
    assert len(found.ids) == len(set(found.ids))
    assert {reference[1:] for reference in found.references} <= set(found.ids)


def test_text_from_the_data_stays_text(report: Path) -> None:
    assert "zz <b>cream</b>" in page(report).words


def test_every_figure_is_in_the_page_and_beside_it(report: Path) -> None:
    found = page(report)
    for name in FIGURES:
        assert f"figure-{name}" in found.ids
        assert ET.fromstring((report / "figures" / f"{name}.svg").read_text(encoding="utf-8")).get("role") == "img"


def test_html_and_pdf_say_the_same_numbers(report: Path) -> None:
    html, pdf = " ".join(page(report).words), " ".join(pdf_text(report))
    for number in ("1.58 (1.31 to 1.90)", "1.62 (1.43 to 1.84)", "0.62 (0.44 to 0.80)", "44.8 (39.4 to 50.3)", "<11"):
        assert number in html
        assert number in pdf


def test_the_pdf_is_tagged_titled_and_its_pictures_have_words(report: Path) -> None:
    reader = PdfReader(report / "report.pdf")
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]  # type: ignore[index]
    assert root["/Lang"].startswith("en")  # type: ignore[index]
    assert reader.metadata is not None
    assert reader.metadata.title == "Opioids in chronic pain: demonstration"
    assert b"pdfuaid" in root["/Metadata"].get_object().get_data()  # type: ignore[index]


def test_simulated_data_are_marked_on_every_page(report: Path) -> None:
    sheets = pdf_text(report)
    assert len(sheets) > 5
    assert all("Simulated data" in sheet for sheet in sheets)
    assert "Simulated data: All cohorts are simulated. Nothing here is a finding about people." in page(report).words


def test_marks_in_the_head_of_printed_pages_cannot_break_out_of_the_style_sheet(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    inputs = write(folder, profile="none")
    release = json.loads(inputs["release"].read_text())
    inputs["release"].write_text(json.dumps(release | {"reason": 'x"; } </style><script>'}))
    write_report(inputs, outputs(folder), settings())
    assert "script" not in page(folder).tags
    head = (folder / "report.html").read_text(encoding="utf-8").split("@top-left", 1)[1].split("}", 1)[0]
    assert re.findall(r'"', head) == ['"', '"']


def test_without_disclosure_control_every_page_says_so(tmp_path: Path) -> None:
    folder = rendered(tmp_path / "open", profile="none")
    assert all("No disclosure control was applied: public data" in sheet for sheet in pdf_text(folder))
    assert "No disclosure control was applied: public data" in page(folder).words


def test_nothing_estimable_is_a_readable_report_with_all_its_files(tmp_path: Path) -> None:
    folder = rendered(tmp_path / "small", empty=True)
    words = " ".join(page(folder).words)
    assert "the cohort has no pain scores" in words
    assert "the cohort has no pain scores" in " ".join(pdf_text(folder))
    assert page(folder).tags.count("svg") == 1  # the worked example, which is of nobody
    for name in set(FIGURES) - {"exposure_example"}:
        assert "Not drawn" in (folder / "figures" / f"{name}.svg").read_text(encoding="utf-8")


def test_a_title_in_a_script_the_font_lacks_still_prints(tmp_path: Path) -> None:
    chosen = settings(study={"name": "demo", "title": "疼痛 and <pain> & `more`"})
    write_report(write(tmp_path / "demo"), outputs(tmp_path / "demo"), chosen)
    assert "疼痛 and <pain> & `more`" in page(tmp_path / "demo").words
    assert "and <pain> &" in " ".join(pdf_text(tmp_path / "demo"))


def test_only_the_formats_asked_for_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    wanted = {name: path for name, path in outputs(folder).items() if name != "pdf"}
    write_report(write(folder), wanted, settings())
    assert not (folder / "report.pdf").exists()
    assert (folder / "report.html").exists()


def hashes(folder: Path) -> dict[str, str]:
    made = [folder / "report.html", folder / "report.pdf", *(folder / "figures").glob("*.svg")]
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in made}


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_same_release_gives_the_same_bytes_in_another_process(report: Path, tmp_path: Path, threads: str) -> None:
    here = Path(__file__).parent
    made = "rendered(Path(sys.argv[1]), mortality=True)"
    call = f"import sys; from pathlib import Path; from test_report_render import rendered; {made}"
    again = tmp_path / "demo"
    environment = {**os.environ, "POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": threads, "PYTHONPATH": str(here)}
    subprocess.run([sys.executable, "-c", call, str(again)], check=True, env=environment, timeout=120)
    assert hashes(again) == hashes(report)
