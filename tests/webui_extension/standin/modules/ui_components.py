"""Small buttons."""

from functools import wraps
from typing import Any

import gradio as gr


class ToolButton(gr.Button):  # type: ignore[misc]
    # gradio 4 reads the properties of a component from this signature.
    @wraps(gr.Button.__init__)  # type: ignore[misc]
    def __init__(self, *args: Any, tooltip: str = "", **kwargs: Any) -> None:
        super().__init__(*args, elem_classes=["tool", *kwargs.pop("elem_classes", [])], **kwargs)
        self.webui_tooltip = tooltip

    def get_block_name(self) -> str:
        return "button"
