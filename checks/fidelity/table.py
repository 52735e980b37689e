"""Writes the table of docs/fidelity.md from the rows of a run."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from checks.fidelity.comparison import Comparison, Verdict

BEGIN, END = "<!-- table of `make fidelity` -->", "<!-- end of the table -->"
ABOUT: Mapping[str, str] = {
    "goldens": "img2img, samplers, inpainting, resize modes, prompts, seeds, hires fix",
    "networks": "LoRA and its relatives, embeddings, hypernetworks, `sd_vae`",
    "sd1_more": "soft inpainting, token merging, tiling, hires fix in all ways, refiner",
    "sd2v": "Stable Diffusion 2 with v-prediction",
    "xl": "Stable Diffusion XL, its refiner, its inpainting checkpoints",
    "inpaint9": "inpainting checkpoints",
    "p2p": "InstructPix2Pix",
    "sizes": "sides that are no multiple of 64",
    "extras": "the Extras tab",
    "styles": "styles",
    "options": "options and infotexts of a request",
    "scripts": "selectable scripts",
}


def write_table(rows: Sequence[Comparison], *, on_purpose: Collection[str], page: Path) -> None:
    """Replace the table between the page's two markers.

    Raises:
        ValueError: the page lacks a marker.
    """
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"received {page}; allowed: a page with the lines {BEGIN!r} and {END!r}")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table(rows, on_purpose=on_purpose)}\n{END}{after}", encoding="utf-8")


def table(rows: Sequence[Comparison], *, on_purpose: Collection[str]) -> str:
    """One line for each set: how many are equal, and how close the worst of these is."""
    lines = [
        "| set | about | requests | equal | different on purpose | worst level of the equal | within 2, at least |",
        "|---|---|---|---|---|---|---|",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        own = [row for row in rows if row.group == group]
        equal = [row for row in own if row.verdict is Verdict.EQUAL]
        purpose = sum(row.name in on_purpose for row in own)
        worst = str(max(row.worst_levels for row in equal)) if equal else "-"
        near = f"{min(row.near for row in equal):.3%}".replace("%", " %") if equal else "-"
        about = ABOUT.get(group, "")
        lines.append(f"| {group} | {about} | {len(own)} | {len(equal)} | {purpose} | {worst} | {near} |")
    return "\n".join(lines)
