"""The host's hooks."""

from collections.abc import Callable
from typing import Any

after_component: list[Callable[..., Any]] = []
ui_tabs: list[Callable[[], Any]] = []


def on_after_component(callback: Callable[..., Any]) -> None:
    after_component.append(callback)


def on_ui_tabs(callback: Callable[[], Any]) -> None:
    ui_tabs.append(callback)
