"""Extensions that the cloud does not have; the stand-ins and the real hosts load them."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
from modules import scripts


class FaceMaker(scripts.Script):  # type: ignore[misc]  # the host's class
    def title(self) -> str:
        return "Face maker"

    def show(self, is_img2img: bool) -> Any:  # the host's signature
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> Sequence[Any]:
        tab = "img2img" if is_img2img else "txt2img"
        return [gr.Checkbox(False, label="Enable face maker", elem_id=f"{tab}_face_maker")]

    def process(self, *_: Any) -> None:
        """Nothing: only its name counts here."""


class Dance(scripts.Script):  # type: ignore[misc]  # the host's class
    def title(self) -> str:
        return "Dance"

    def ui(self, is_img2img: bool) -> Sequence[Any]:
        return []
