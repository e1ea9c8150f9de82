"""The form on paper: a PDF of plain tables, marked on every page as the clinic's own to file.

It bears no mark of the REMS and none of its form's words; the font is in the file, so that names
print as they are written.
"""

from functools import cache
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from reportlab.lib.colors import HexColor, black, white
from reportlab.lib.pagesizes import letter
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from api.core.treatment.rems.wording import TITLE, Section, lacking_words, sections_of
from api.db import Values

FONT, BOLD = "Freshtrail", "Freshtrail-Bold"
FILES: Final = {FONT: "DejaVuSans.ttf", BOLD: "DejaVuSans-Bold.ttf"}
OWN_ACT: Final = "For the clinic to check, complete and file. Not filed by this software."
UNPRINTED: Final = "\N{REPLACEMENT CHARACTER}"
UNPRINTED_WORDS: Final = f"{UNPRINTED}: a character that this font lacks; the JSON form has it."
MARGIN, PADDING = 16 * mm, 6
WIDTH = letter[0] - 2 * (MARGIN + PADDING)
LINE, HEAD = HexColor("#9aa3a0"), HexColor("#e9eeec")
SHARES: Final = {2: (0.4, 0.6), 3: (0.3, 0.2, 0.5), 4: (0.27, 0.24, 0.245, 0.245)}
"""How the width is shared among so many columns."""


@cache
def _fonts() -> frozenset[int]:
    """Make the fonts known, and tell which characters both have; once."""
    faces = []
    for name, file in FILES.items():
        font = TTFont(name, Path(__file__).with_name("fonts") / file)
        pdfmetrics.registerFont(font)
        faces.append(font.face.charToGlyph)
    return frozenset(faces[0]) & frozenset(faces[1])


def drawn(form: Values, zone: str) -> bytes:
    """The form as a PDF; the same form gives the same bytes."""
    known, out = _fonts(), BytesIO()
    page = SimpleDocTemplate(
        out,
        pagesize=letter,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=20 * mm,
        title=TITLE,
        author="Freshtrail",
        subject=OWN_ACT,
        lang="en-US",
        invariant=1,
    )
    words = _Words(known)
    story: list[Any] = [
        Paragraph(TITLE, _style(14, BOLD)),
        Spacer(0, 2 * mm),
        _box(words, form["notice"], 2),
    ]
    lacking = lacking_words(form)
    story += [Spacer(0, 2 * mm), _box(words, lacking, 1)] if lacking else []
    for section in sections_of(form, zone):
        story.append(KeepTogether([Spacer(0, 4 * mm), *_block(words, section)]))
    if words.lost:
        story += [Spacer(0, 3 * mm), Paragraph(UNPRINTED_WORDS, _style(8))]
    footer = f"{OWN_ACT} Session {form['session_id']}"
    page.build(story, onFirstPage=_foot(footer), onLaterPages=_foot(footer))
    return out.getvalue()


def _foot(said: str) -> Any:
    def draw(canvas: Any, page: Any) -> None:
        canvas.setFont(FONT, 7)
        canvas.drawString(MARGIN + PADDING, 11 * mm, said)
        canvas.drawRightString(letter[0] - MARGIN - PADDING, 11 * mm, f"Page {page.page}")

    return draw


def _style(size: float, font: str = FONT) -> ParagraphStyle:
    # `splitLongWords` breaks a word that is wider than its column.
    return ParagraphStyle(
        font, fontName=font, fontSize=size, leading=size * 1.3, textColor=black, splitLongWords=1
    )


class _Words:
    """Text on its way to paper: it is text alone, and what the font lacks is seen to be lacking."""

    def __init__(self, known: frozenset[int]) -> None:
        self.known, self.lost = known, False

    def on_paper(self, text: str, size: float = 8.5, font: str = FONT) -> Paragraph:
        """A paragraph of these words and no mark-up."""
        there = "".join(c if ord(c) in self.known or c.isspace() else UNPRINTED for c in text)
        self.lost = self.lost or there != text
        return Paragraph(escape(there, quote=False), _style(size, font))


def _box(words: _Words, text: str, thick: int) -> Table:
    """A frame around a sentence; it needs no colour."""
    box = Table([[words.on_paper(text, 9)]], colWidths=[WIDTH])
    box.setStyle(
        TableStyle([("BOX", (0, 0), (-1, -1), thick, black), ("PADDING", (0, 0), (-1, -1), 5)])
    )
    return box


def _block(words: _Words, section: Section) -> list[Any]:
    heads = [section.columns] if any(section.columns) else []
    rows = [[words.on_paper(cell, 8, BOLD) for cell in row] for row in heads]
    rows += [[words.on_paper(cell) for cell in row] for row in section.rows]
    shares = SHARES[len(section.columns)]
    table = Table(rows, colWidths=[WIDTH * share for share in shares], repeatRows=len(heads))
    style = [
        ("GRID", (0, 0), (-1, -1), 0.5, LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ("BACKGROUND", (0, 0), (-1, len(heads) - 1), HEAD if heads else white),
    ]
    table.setStyle(TableStyle(style if heads else style[:-1]))
    return [Paragraph(section.title, _style(10, BOLD)), Spacer(0, 1 * mm), table]
