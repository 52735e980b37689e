"""Listens to how the host wires its own buttons, and gives ours the same inputs and outputs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from webui_extension.core.clicks import Clicks
from webui_extension.core.modes import IMG2IMG
from webui_extension.core.texts import say
from webui_extension.host import program, sending
from webui_extension.host.cards import cards
from webui_extension.host.cloud import Cloud
from webui_extension.host.gradio_events import listen, unchanged
from webui_extension.host.guard import guarded, told
from webui_extension.host.panel import Panel, chosen_endpoint
from webui_extension.host.watching import news, reply

TABS = ("txt2img", "img2img")
MAIN = {"txt2img": "submit", "img2img": "submit_img2img"}
"""The page's function by which the main event of a Generate button is known; other extensions register more."""
INTERROGATORS = {
    "interrogate": ("interrogate_clip", "clip", "📎☁"),
    "deepbooru": ("interrogate_deepbooru", "deepbooru", "📦☁"),
}
INTERROGATE_JS = "get_img2img_tab_index"
"""The host's function: it writes the inner tab's number, and drops two outputs."""
FIRST_CANVAS = 3
"""Inputs of the host's interrogate buttons before the canvases: tab and two folders."""


@dataclass(frozen=True)
class Event:
    """A click as the host registers it."""

    fn: Any
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    js: str | None


class Wiring:
    """One per start of the host."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._panels: dict[str, Panel] = {}
        self._notes: dict[str, Any] = {}
        self._status: dict[str, Any] = {}
        self._wired: set[str] = set()
        self._others: dict[str, list[Event]] = {tab: [] for tab in TABS}
        self._clicks = Clicks()

    def panel(self, tab: str) -> None:
        """Create the panel; the host may ask a second time for its API, whose components nobody sees."""
        panel = Panel(self._cloud, tab)
        if tab not in self._wired:
            self._panels[tab] = panel

    def after_component(self, component: Any, **keywords: Any) -> None:
        """The host's hook for every component that it has made."""
        elem_id = str(keywords.get("elem_id") or "")
        tab, _, rest = elem_id.partition("_")
        if rest == "generate" and tab in TABS:
            button = gr.Button(say("generate"), elem_id=f"goc_generate_{tab}", variant="primary")
            _overhear(component, lambda event: self._generate(tab, button, event))
        elif rest == "gallery" and tab in TABS:
            with gr.Column(elem_id=f"goc_status_{tab}"):
                self._notes[tab] = gr.HTML(elem_id=f"goc_notes_{tab}")  # stays until there is something new to say
                self._status[tab] = gr.HTML(elem_id=f"goc_jobs_{tab}")  # changes every second
        elif elem_id in INTERROGATORS:
            task, text, symbol = INTERROGATORS[elem_id]
            make = importlib.import_module("modules.ui_components").ToolButton
            button = make(value=symbol, elem_id=f"goc_{elem_id}", tooltip=say(text))
            _overhear(component, lambda event: self._interrogate(task, button, event))

    def _generate(self, tab: str, button: Any, event: Event) -> None:
        inputs, outputs = event.inputs, event.outputs
        if event.js != MAIN[tab]:
            if tab not in self._wired and event.fn is not None:  # ControlNet collects its last edits by such events
                self._others[tab].append(event)
            return
        if tab in self._wired or tab not in self._panels or tab not in self._status:
            return
        self._wired.add(tab)
        panel, notes, status = self._panels[tab], self._notes[tab], self._status[tab]
        register = button.click
        for other in self._others[tab]:
            collected = listen(register, other.fn, inputs=other.inputs, outputs=other.outputs, js=other.js)
            register = collected.then
        sent = listen(
            register,
            self._click(tab, len(inputs)),
            inputs=[*inputs, *panel.inputs, panel.end],
            outputs=[notes, panel.reply],
            js=f"goc_submit_{tab}",
        )
        panel.heard(sent, read="sent")
        prompt = [inputs[program.parameter_names(tab).index("prompt")]]
        ticked = listen(
            panel.tick.click,
            lambda asked: news(self._cloud, asked, captions=True),
            inputs=[panel.watched],
            outputs=[*outputs, *prompt, notes, status, panel.watched],
            js=f"goc_ask_{tab}",
        )
        panel.informed(ticked)

    def _click(self, tab: str, count: int) -> Callable[..., list[Any]]:
        def click(request: gr.Request, *values: Any) -> list[Any]:
            try:
                names = program.parameter_names(tab)
                named = dict(zip(names, values[: len(names)], strict=True))
                if not self._clicks.take(str(named["id_task"])):
                    return [unchanged(), reply()]
                checkpoint, endpoint, vae = values[count : count + 3]
                choice = sending.Choice(
                    checkpoint or "",
                    chosen_endpoint(endpoint),
                    vae,
                    program.user_of(request),
                )
                sent = sending.send_tab(self._cloud, tab, named, values[len(names) : count], choice)
            except Exception as error:
                return [cards([], errors=[told(error)]), reply()]
            return _sent(sent)

        return click

    def _interrogate(self, task: str, button: Any, event: Event) -> None:
        tab = "img2img"
        if task in self._wired or tab not in self._panels:
            return
        self._wired.add(task)
        panel = self._panels[tab]

        def click(mode: Any, *values: Any) -> list[Any]:
            try:
                sent = sending.send_caption(self._cloud, task, values[FIRST_CANVAS - 1 :], int(mode or IMG2IMG))
            except Exception as error:
                return [cards([], errors=[told(error)]), reply()]
            return _sent(sent)

        sent = listen(
            button.click, click, inputs=event.inputs, outputs=[self._notes[tab], panel.reply], js=INTERROGATE_JS
        )
        panel.heard(sent)


def _sent(job: Mapping[str, Any]) -> list[Any]:
    job_id = str(job["job_id"])
    return [cards([], notes=[say("sent", job=job_id)]), reply(watch=[job_id])]


def _listed(components: Any) -> Sequence[Any]:
    if components is None:
        return []
    return list(components) if isinstance(components, (list, tuple, set)) else [components]


def _overhear(component: Any, heard: Callable[[Event], None]) -> None:
    """Call `heard` after each click that the host registers on this component."""
    original = component.click
    listener = guarded(heard)

    def click(*args: Any, **keywords: Any) -> Any:
        registered = original(*args, **keywords)
        given = dict(zip(("fn", "inputs", "outputs"), args, strict=False)) | keywords
        event = Event(
            given.get("fn"),
            _listed(given.get("inputs")),
            _listed(given.get("outputs")),
            given.get("_js") or given.get("js"),
        )
        listener(event)
        return registered

    component.click = click
