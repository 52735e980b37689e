"""What the script that the host loads does: register hooks, nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from webui_extension.core.followers import JobState
from webui_extension.core.texts import choose_language, say
from webui_extension.host import results
from webui_extension.host.assets_tab import AssetsTab
from webui_extension.host.cloud import Cloud
from webui_extension.host.guard import guarded, log
from webui_extension.host.program import localization
from webui_extension.host.wiring import Wiring

TITLE = "Generate on Cloud"


@dataclass(frozen=True)
class Page:
    """What the host shows in a main tab: it renders it there.

    Blocks of our own would do the same, and take gradio 4 the time of two web applications that nobody serves.
    """

    render: Callable[[], None]
    children: Sequence[Any] = ()
    """Components whose values the host would remember: none of ours."""


def script_class() -> type[Any]:
    """The always-on script that shows the panel; call it once, while the host loads its scripts."""
    scripts = importlib.import_module("modules.scripts")
    callbacks = importlib.import_module("modules.script_callbacks")
    choose_language(localization())
    cloud = Cloud(save)
    wiring = Wiring(cloud)
    tab = AssetsTab(cloud)
    _register(callbacks, "after_component", guarded(wiring.after_component))
    _register(callbacks, "ui_tabs", lambda: guarded(_tabs)(tab) or [])

    class GenerateOnCloud(scripts.Script):  # type: ignore[misc, name-defined]  # the host's class
        def title(self) -> str:
            return TITLE

        def show(self, is_img2img: bool) -> Any:  # noqa: ARG002  # the host's signature
            return scripts.AlwaysVisible

        def ui(self, is_img2img: bool) -> list[Any]:
            guarded(wiring.panel)("img2img" if is_img2img else "txt2img")
            return []  # our values are not the host's business

    return GenerateOnCloud


def _register(callbacks: Any, event: str, called: Callable[..., Any]) -> None:
    """What the host's `on_…` function does, without its search of the whole stack for our file: 50 ms each in Forge."""
    try:
        callbacks.add_callback(callbacks.callback_map[f"callbacks_{event}"], called, category=event, filename=__file__)
    except (AttributeError, KeyError, TypeError):  # an older host, or a fork with other arguments
        getattr(callbacks, f"on_{event}")(called)


def _tabs(tab: AssetsTab) -> list[tuple[Page, str, str]]:
    return [(Page(guarded(tab.build)), say("tab"), "generate_on_cloud")]


def save(state: JobState) -> tuple[str, ...]:
    """The files into which the host saved a finished job's pictures; none if it could not."""
    try:
        return results.save(state)
    except Exception:
        log.exception("Generate on Cloud: the pictures of %s could not be saved on this machine", state.job_id)
        return ()
