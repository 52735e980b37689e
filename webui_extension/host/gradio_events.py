"""Event registrations that gradio 3 and gradio 4 spell differently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

MAJOR = int(gr.__version__.partition(".")[0])


def listen(
    register: Callable[..., Any],
    fn: Callable[..., Any] | None,
    *,
    inputs: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    js: str | None = None,
) -> Any:
    """Register an event outside the host's queue, with the page's function `js` before it.

    Args:
        register: `component.click` or an earlier event's `then`.
        fn: None runs only the page's function.
        inputs: components whose values `fn` gets.
        outputs: components that `fn` sets.
        js: a function of the page; what it returns replaces the inputs.
    """
    more: dict[str, Any] = {}
    if js is not None:
        more["_js" if MAJOR < 4 else "js"] = js
    if MAJOR >= 4 and fn is not None:
        more["concurrency_limit"] = None  # gradio 4 would let one user wait for the other
    more["show_progress"] = "hidden"
    return register(fn=fn, inputs=list(inputs), outputs=list(outputs), queue=False, **more)


def unsaved(component: Any) -> Any:
    """Keep the host from remembering this component's value in `ui-config.json`."""
    component.do_not_save_to_config = True
    return component


def choices(names: Sequence[str], value: object) -> Any:
    """An update of a dropdown or of a group of checkboxes."""
    return gr.update(choices=list(names), value=value)


def unchanged() -> Any:
    """An update that leaves a component as it is."""
    return gr.update()
