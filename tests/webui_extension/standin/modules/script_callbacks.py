"""The host's hooks."""

from collections.abc import Callable
from typing import Any

after_component: list[Callable[..., Any]] = []
ui_tabs: list[Callable[[], Any]] = []
callback_map: dict[str, list[Callable[..., Any]]] = {
    "callbacks_after_component": after_component,
    "callbacks_ui_tabs": ui_tabs,
}


def add_callback(
    callbacks: list[Callable[..., Any]],
    fun: Callable[..., Any],
    *,
    name: str | None = None,
    category: str = "unknown",
    filename: str | None = None,
) -> None:
    """The host's own looks through its whole stack for a file that is not named."""
    assert callbacks is callback_map[f"callbacks_{category}"]
    assert filename
    callbacks.append(fun)


def on_after_component(callback: Callable[..., Any]) -> None:
    after_component.append(callback)


def on_ui_tabs(callback: Callable[[], Any]) -> None:
    ui_tabs.append(callback)
