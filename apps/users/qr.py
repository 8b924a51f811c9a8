"""QR codes as SVG."""

from __future__ import annotations

from io import BytesIO


def svg(text: str) -> str:
    """`text` as a QR code: one `<svg>` element, black on white whatever is around it, without a name or a script."""
    import segno  # noqa: PLC0415 - few processes ever draw one

    drawn = BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(drawn, kind="svg", scale=4, light="#fff", xmldecl=False, nl=False, svgclass=None, lineclass=None)
    return drawn.getvalue().decode()
