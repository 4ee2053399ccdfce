"""The report of a run: one HTML file that holds its pictures and needs nothing beside it."""

import base64
import io
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from tfvae.files import write_text

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #8888; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .25rem .75rem; border-bottom: 1px solid #8884; }
td { font-variant-numeric: tabular-nums; } th { font-weight: 500; }
img { max-width: 100%; background: white; border-radius: 4px; } figure { margin: 1rem 0; }
.warning { border-left: 4px solid #d08700; background: #d087001a; padding: .5rem 1rem; }
.headline { font-size: 1.3rem; } pre { overflow-x: auto; background: #8881; padding: .75rem; }
"""


def write(folder: Path, card: dict, figures: Mapping[str, Mapping[str, Figure]]) -> None:
    """Write report.html of a card into the run's folder.

    Args:
        folder: of the run, whose pictures are taken up.
        card: with its diagnosis.
        figures: by the title of a section and the name of the picture.
    """
    found = (text for part in card["diagnosis"].values() for text in part["warnings"])
    warnings = dict.fromkeys([*card["warnings"], *found])  # each sentence once
    pictures = {name: (folder / "pictures" / f"{name}.png").read_bytes() for name in card["pictures"]}
    body = [
        f"<h1>{escape(card['title'])}</h1>",
        _paragraph(card["citation"]),
        _headline(card),
        _warned(warnings),
        f"<h2>Measured on the test examples</h2>{_table(card['table'])}{_paragraph(card['remarks'])}",
        f"<h2>Protocol</h2>{_paragraph(card['protocol'])}",
        *[_paragraph(f"Published: {number}.") for number in card["published"]],
        "<h2>Pictures</h2>", *[_picture(name, data) for name, data in pictures.items()],
        *[_section(title, part, figures.get(title, {})) for title, part in card["diagnosis"].items()],
        f"<h2>Model</h2><pre>{escape(chr(10).join(card['composition']))}</pre>",
        f"<h2>Data</h2>{_table(card['data'])}",
        f"<h2>Training and evaluation</h2>{_table({**card['training'], 'seed': card['seed'], **card['evaluation']})}",
        _files(card),
        f"<h2>Versions</h2>{_table(card['versions'])}",
    ]  # fmt: skip
    title = escape(card["title"])
    write_text(
        folder / "report.html",
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n",
    )


def carry_over(folder: Path, before: dict, after: dict) -> None:
    """Say in a report.html what files a card tells of now, in place of those that it told of before."""
    path = folder / "report.html"
    text = path.read_text(encoding="utf-8")
    if _files(before) not in text:
        raise ValueError(f"Expected the report of the card beside it: run tfvae evaluate again. Received: {path}")
    write_text(path, text.replace(_files(before), _files(after)))


def _files(card: dict) -> str:
    """Say how large the files are, and how far they differ from the Keras model."""
    sizes = _table({name: f"{size:,} bytes" for name, size in card["bytes"].items()})
    tables = [
        _table(
            {name: f"{value:.1e}" for name, value in differences.items()},
            f"{kind} against Keras, largest difference relative to the value",
        )
        for kind, differences in card["parity"].items()
    ]
    return f"<h2>Files</h2>{sizes}" + "\n" + "\n".join(tables)


def _headline(card: dict) -> str:
    rows = card["table"]
    name = "log evidence" if "log evidence" in rows else "distortion"
    return f'<p class="headline">{name}: <strong>{escape(rows[name])}</strong> nats per example</p>'


def _section(title: str, part: dict, figures: Mapping[str, Figure]) -> str:
    drawn = "".join(_picture(name, _png(figure)) for name, figure in figures.items())
    return f"<h2>{escape(title)}</h2>{_warned(part['warnings'])}{_table(part['table'])}{drawn}"


def _warned(warnings: Iterable[str]) -> str:
    return "".join(f'<p class="warning"><strong>Warning.</strong> {escape(text)}</p>' for text in warnings)


def _table(rows: Mapping[str, object], caption: str = "") -> str:
    head = f"<caption>{escape(caption)}</caption>" if caption else ""
    cells = (f'<tr><th scope="row">{escape(str(key).replace("_", " "))}</th><td>{escape(str(value))}</td></tr>'
             for key, value in rows.items())  # fmt: skip
    return f"<table>{head}{''.join(cells)}</table>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _picture(name: str, png: bytes) -> str:
    data = base64.b64encode(png).decode()
    return f'<figure><img alt="{escape(name)}" src="data:image/png;base64,{data}"></figure>'


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
