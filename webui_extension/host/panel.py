"""The panel "Amazon SageMaker Inference" of a tab, and what its controls do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

import gradio as gr

from webui_extension.core.body import AUTOMATIC
from webui_extension.core.catalog import endpoint_line, price_line
from webui_extension.core.errors import PanelError
from webui_extension.core.extras import FILTERS, LARGEST_FACTOR, SMALLEST_FACTOR
from webui_extension.core.texts import say
from webui_extension.host import sending
from webui_extension.host.cards import cards
from webui_extension.host.cloud import Cloud
from webui_extension.host.gradio_events import choices, listen, unchanged, unsaved
from webui_extension.host.guard import told
from webui_extension.host.watching import reply

PAGE = 20
"""Jobs on a page of the history."""


class Panel:
    """Components of one tab's panel; created inside the host's page."""

    def __init__(self, cloud: Cloud, tab: str) -> None:
        self.cloud = cloud
        self.tab = tab
        with gr.Accordion(say("panel"), open=True, elem_id=f"goc_panel_{tab}"):
            with gr.Row():
                self.checkpoint = self._dropdown("checkpoint", [""], "")
                self.vae = self._dropdown("vae", [AUTOMATIC], AUTOMATIC)
            with gr.Row():
                self.endpoint = self._dropdown("endpoint", [say("endpoint_auto")], say("endpoint_auto"))
                self.refresh = self._button("refresh")
                self.interrupt = self._button("interrupt")
            self.state = gr.HTML(elem_id=f"goc_state_{tab}")
            self.history = self._dropdown("histories", [], None)
            self.page, self.cursor = gr.State(value=None), gr.State(value=None)  # of what is shown, of what follows
            with gr.Row():
                self.newest, self.older, *self.actions = (
                    self._button(name) for name in ("newest", "older", "show", "cancel", "retry", "delete")
                )
            self._extras()
            self.message = gr.HTML(elem_id=f"goc_message_{tab}")
            # Hidden by the style sheet: the page's own code presses and reads them.
            self.load, self.tick, self.stop = (self._button(name, hidden=True) for name in ("load", "tick", "stop"))
            self.watched, self.reply = (
                unsaved(gr.Textbox(show_label=False, elem_id=f"goc_{name}_{tab}", elem_classes=["goc-hidden"]))
                for name in ("watched", "reply")
            )
            self.end = unsaved(
                gr.Textbox("goc-end", show_label=False, elem_classes=["goc-hidden"])
            )  # the page looks for it
        self._listen()

    @property
    def inputs(self) -> list[Any]:
        """What a click reads of the panel: checkpoint, endpoint, VAE."""
        return [self.checkpoint, self.endpoint, self.vae]

    def heard(self, event: Any, *, read: str = "reply") -> Any:
        """After `event`, the page's function `goc_{read}_{tab}` reads the reply."""
        return listen(event.then, None, inputs=[self.reply], outputs=[self.reply], js=f"goc_{read}_{self.tab}")

    def informed(self, event: Any) -> Any:
        """After `event`, which asked for news, the page reads them.

        They have a text box of their own: gradio 4 sets values a frame later, in a page that nobody looks at much
        later, and two answers in one box would be one.
        """
        return listen(event.then, None, inputs=[self.watched], outputs=[self.watched], js=f"goc_news_{self.tab}")

    def _dropdown(self, name: str, names: Sequence[str], value: str | None) -> Any:
        return unsaved(
            gr.Dropdown(
                label=say(name),
                choices=list(names),
                value=value,
                elem_id=f"goc_{name}_{self.tab}",
                # gradio 3 shows an empty field where choices and value change together, as the history's do.
                allow_custom_value=name == "histories",
            )
        )

    def _button(self, name: str, *, hidden: bool = False) -> Any:
        return gr.Button(
            name if hidden else say(name),
            elem_id=f"goc_{name}_{self.tab}",
            **({"elem_classes": ["goc-hidden"]} if hidden else {"size": "sm"}),
        )

    def _extras(self) -> None:
        """One picture of the job that is chosen in the history, enlarged in the cloud."""
        with gr.Row():
            self.number = unsaved(
                gr.Number(value=1, precision=0, label=say("picture_number"), elem_id=f"goc_picture_number_{self.tab}")
            )
            self.upscaler = self._dropdown("upscaler", FILTERS, FILTERS[0])
            self.factor = unsaved(
                gr.Slider(
                    minimum=SMALLEST_FACTOR,
                    maximum=LARGEST_FACTOR,
                    value=2,
                    step=0.05,
                    label=say("factor"),
                    elem_id=f"goc_factor_{self.tab}",
                )
            )
            self.upscale = self._button("upscale")

    def _listen(self) -> None:
        chosen = [*self.inputs, self.upscaler]
        pages = [self.history, self.page, self.cursor]
        lists = [self.checkpoint, self.vae, self.endpoint, self.upscaler, self.state, *pages]
        listen(self.load.click, self._load, inputs=chosen, outputs=lists)
        listen(self.refresh.click, self._refresh, inputs=chosen, outputs=lists)
        listen(self.newest.click, lambda: self._page(None), outputs=[*pages, self.message])
        listen(self.older.click, self._page, inputs=[self.cursor], outputs=[*pages, self.message])
        told_and_replied = [self.message, self.reply]
        for button, action in zip(self.actions, (self._show, self._cancel, self._retry, self._delete), strict=True):
            acted = listen(button.click, self._on_job(action), inputs=[self.history], outputs=told_and_replied)
            self.heard(acted)
            listen(acted.then, self._again, inputs=[self.history, self.page], outputs=pages)
        extras = [self.history, self.number, self.upscaler, self.factor, self.endpoint]
        self.heard(listen(self.upscale.click, self._upscale, inputs=extras, outputs=told_and_replied))
        stopped = listen(
            self.stop.click, self._stop, inputs=[self.watched], outputs=told_and_replied, js=f"goc_watched_{self.tab}"
        )
        self.heard(stopped)
        listen(self.interrupt.click, None, js=f"goc_interrupt_{self.tab}")

    def _load(self, *chosen: str) -> list[Any]:
        return self._lists(*chosen, fresh=False)

    def _refresh(self, *chosen: str) -> list[Any]:
        return self._lists(*chosen, fresh=True)

    def _lists(self, checkpoint: str, endpoint: str, vae: str, upscaler: str, *, fresh: bool) -> list[Any]:
        """What the cloud has; a choice stays as long as it exists."""
        try:
            catalog = self.cloud.catalog()
            checkpoints = ["", *(str(each["name"]) for each in catalog.active("checkpoint", fresh=fresh))]
            vaes = [AUTOMATIC, "None", *(str(each["name"]) for each in catalog.active("vae", fresh=fresh))]
            upscalers = [*FILTERS, *(str(each["name"]) for each in catalog.active("upscaler", fresh=fresh))]
            endpoints = catalog.endpoints(fresh=fresh)
            names = [say("endpoint_auto"), *(str(each["name"]) for each in endpoints)]
            state = cards([], notes=[*map(endpoint_line, endpoints), *filter(None, [self._price()])])
            history = self._history(None)
        except Exception as error:
            return [*[unchanged()] * 4, cards([], errors=[told(error)]), *[unchanged()] * 3]
        return [
            choices(checkpoints, checkpoint if checkpoint in checkpoints else ""),
            choices(vaes, vae if vae in vaes else AUTOMATIC),
            choices(names, endpoint if endpoint in names else names[0]),
            choices(upscalers, upscaler if upscaler in upscalers else FILTERS[0]),
            state,
            *history,
        ]

    def _price(self) -> str:
        month = datetime.now(timezone.utc).strftime("%Y-%m")
        try:
            return price_line(self.cloud.connection().ask("GET", "/v1/usage", query={"month": month}))
        except PanelError:
            return ""  # a key may draw without being allowed to read usage

    def _history(self, cursor: str | None, *, chosen: str | None = None) -> list[Any]:
        """A page of jobs, with the job `chosen` if it is on it, the page's cursor and that of the following page."""
        jobs, following = self.cloud.jobs().page(limit=PAGE, cursor=cursor)
        labels = [str(job.get("line") or job["label"]) for job in jobs]  # 0.2 called the line label
        kept = [label for label in labels if chosen and job_id_of(label) == job_id_of(chosen)]
        return [choices(labels, next(iter([*kept, *labels]), None)), cursor, following]

    def _page(self, cursor: str | None) -> list[Any]:
        try:
            return [*self._history(cursor), ""]
        except Exception as error:
            return [*[unchanged()] * 3, cards([], errors=[told(error)])]

    def _again(self, chosen: str | None, page: str | None) -> list[Any]:
        """The page that is shown, after a job on it has changed."""
        try:
            return self._history(page, chosen=chosen)
        except Exception:
            return [unchanged()] * 3  # the action itself has already told why

    def _on_job(self, action: Callable[[str], tuple[str, str]]) -> Callable[[str | None], list[Any]]:
        def act(label: str | None) -> list[Any]:
            try:
                note, answer = action(job_id_of(label))
            except Exception as error:
                return [cards([], errors=[told(error)]), reply()]
            return [cards([], notes=[note] if note else []), answer]

        return act

    def _show(self, job_id: str) -> tuple[str, str]:
        self.cloud.followers.follow(self.cloud.jobs().get(job_id), save=False)
        return "", reply(watch=[job_id])

    def _cancel(self, job_id: str) -> tuple[str, str]:
        self.cloud.jobs().cancel(job_id)
        return say("cancel_sent", job=job_id), reply()

    def _retry(self, job_id: str) -> tuple[str, str]:
        job = sending.retry(self.cloud, job_id)
        return say("sent", job=job["job_id"]), reply(watch=[job["job_id"]])

    def _delete(self, job_id: str) -> tuple[str, str]:
        self.cloud.jobs().delete(job_id)
        self.cloud.followers.forget(job_id)
        return say("deleted", job=job_id), reply(drop=[job_id])

    def _upscale(
        self, label: str | None, number: float | None, upscaler: str, factor: float, endpoint: str | None
    ) -> list[Any]:
        def send(job_id: str) -> tuple[str, str]:
            name = chosen_endpoint(endpoint)
            job = sending.send_upscale(self.cloud, job_id, number, upscaler, factor, endpoint=name)
            return say("sent", job=job["job_id"]), reply(watch=[str(job["job_id"])])

        return self._on_job(send)(label)

    def _stop(self, watched: str) -> list[Any]:
        """Cancel the oldest job that this page watches."""
        ids = re.findall(r'"([0-9A-Za-z-]+)"', watched or "")
        return self._on_job(self._cancel)(f"→ {ids[0]}" if ids else None)


def chosen_endpoint(shown: str | None) -> str | None:
    """The endpoint's name; None leaves the choice to the service."""
    return None if shown in (None, "", say("endpoint_auto")) else shown


def job_id_of(label: str | None) -> str:
    """The id at the end of `time → type → status → id`.

    Raises:
        PanelError: nothing is chosen.
    """
    if not label:
        raise PanelError(say("no_job"))
    return label.rpartition("→")[2].strip()
