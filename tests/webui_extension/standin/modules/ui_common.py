"""The Output section: gallery, texts, and the host's own buttons below them, which work on what the gallery holds."""

import base64
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from modules import images, paths

NEEDED = (
    "infotexts", "index_of_first_image", "prompt", "width", "height", "sampler_name", "cfg_scale", "steps",
    "negative_prompt", "sd_model_name", "sd_model_hash", "all_seeds",
)  # fmt: skip
"""What the host's Save reads of the generation info."""
_send_buttons: list[tuple[Any, Any, str]] = []
"""Each with its gallery and its target."""


def output_panel(tab: str) -> list[Any]:
    """The four outputs of Generate."""
    with gr.Column(elem_id=f"{tab}_results"):
        gallery = gr.Gallery(label="Output", elem_id=f"{tab}_gallery", columns=4, preview=True, height=420)
        with gr.Row():
            save, as_zip = gr.Button("Save", elem_id=f"save_{tab}"), gr.Button("Zip", elem_id=f"save_zip_{tab}")
            _send_buttons.extend(
                (gr.Button(target, elem_id=f"{tab}_send_to_{target}"), gallery, target)
                for target in ("img2img", "inpaint", "extras")
            )
        infotext = gr.HTML(elem_id=f"html_info_{tab}")
        log = gr.HTML(elem_id=f"html_log_{tab}")
        information = gr.Textbox(label="Generation info", elem_id=f"generation_info_{tab}")
    save.click(_save, inputs=[information, gallery], outputs=[log], queue=False)
    as_zip.click(_zip, inputs=[information, gallery], outputs=[log], queue=False)
    return [gallery, information, infotext, log]


def connect_send_buttons(canvases: Mapping[str, Any]) -> None:
    """Have each button put its gallery's first picture into a canvas; call it where all tabs are rendered."""
    for button, gallery, target in _send_buttons:
        canvas = canvases[target]
        button.click(
            lambda shown, canvas=canvas: _sent(_picture(shown[0]), canvas),
            inputs=[gallery],
            outputs=[canvas],
            queue=False,
        )


def _sent(picture: Image.Image, canvas: Any) -> Any:
    if isinstance(canvas, gr.Image):
        return picture
    content = io.BytesIO()
    picture.save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _picture(shown: Any) -> Image.Image:
    """One entry of a gallery: a pair with its caption, a file as gradio 3 names it, or a path."""
    while isinstance(shown, Sequence) and not isinstance(shown, str):
        shown = shown[0]
    return Image.open(shown["name"] if isinstance(shown, Mapping) else shown)


def _files(information: str, gallery: Sequence[Any]) -> list[str]:
    document = json.loads(information)
    if missing := [name for name in NEEDED if name not in document]:
        raise KeyError(missing)
    folder, files = Path(paths.data_path) / "log" / "images", []
    for infotext, shown in zip(document["infotexts"], gallery, strict=True):
        seed = re.search(r"\bSeed: (\d+)", infotext)
        assert seed is not None, infotext
        file, _ = images.save_image(_picture(shown), str(folder), "", seed=seed[1], info=infotext)
        files.append(file)
    return files


def _save(information: str, gallery: Sequence[Any]) -> str:
    return f"<p>Saved: {len(_files(information, gallery))}</p>"


def _zip(information: str, gallery: Sequence[Any]) -> str:
    files = [Path(file) for file in _files(information, gallery)]
    with zipfile.ZipFile(files[0].with_suffix(".zip"), "w") as packed:
        for file in files:
            packed.write(file, file.name)
    return f"<p>Saved: {len(files)} in a zip</p>"
