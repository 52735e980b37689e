"""The list of open jobs under the gallery: place, progress, preview, and what went wrong."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from webui_extension.core.followers import JobState
from webui_extension.core.texts import say


def cards(states: Iterable[JobState], *, errors: Iterable[str] = (), notes: Iterable[str] = ()) -> str:
    """HTML; every text of others is escaped."""
    lines = [f'<p class="goc-error" role="alert">{_lines(error)}</p>' for error in errors]
    lines += [f'<p class="goc-note">{_lines(note)}</p>' for note in notes]
    return '<div class="goc-cards" aria-live="polite">' + "".join(lines + [_card(each) for each in states]) + "</div>"


def status_text(state: JobState) -> str:
    """The job's state in plain words."""
    job = state.job
    if state.trouble:
        return say("trouble", reason=state.trouble)
    if job.get("error"):
        return str(job["error"].get("message") or job["error"])
    status = job["status"]
    if job.get("cancel_requested") and status == "running":
        return say("canceling")
    return {"queued": _queued, "running": _running}.get(status, lambda _: say(status))(job)


def _queued(job: dict[str, Any]) -> str:
    since = job.get("starting_since")
    if since:
        begun = datetime.fromisoformat(str(since).replace("Z", "+00:00"))
        return say("starting", seconds=max(0, int((datetime.now(timezone.utc) - begun).total_seconds())))
    queue = job.get("queue") or {}
    ahead, eta = queue.get("ahead", 0), queue.get("eta_seconds")
    return say("queued", ahead=ahead) if eta is None else say("queued_eta", ahead=ahead, eta=_duration(eta))


def _running(job: dict[str, Any]) -> str:
    progress = job.get("progress") or {}
    if not progress.get("steps"):
        return say("loading")
    return say("running", step=progress["step"], steps=progress["steps"])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _card(state: JobState) -> str:
    job = state.job
    progress = job.get("progress") or {}
    steps = progress.get("steps") or 0
    bar = f'<progress max="{steps}" value="{progress["step"]}"></progress>' if steps else "<progress></progress>"
    if state.done:
        bar = ""
    preview = ""
    if state.preview:
        preview = f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(state.preview).decode()}">'
    kind = "goc-error" if job.get("error") else "goc-state"
    label = html.escape(f"{job.get('task', '')} {job['job_id']}")
    job_id, status = html.escape(str(job["job_id"])), html.escape(job["status"])
    notes = "".join(f'<p class="goc-note">{_lines(note)}</p>' for note in state.notes)
    return (
        f'<div class="goc-card" data-job="{job_id}" data-status="{status}">{preview}'
        f'<span class="{kind}">{_lines(status_text(state))}</span>{bar}<small>{label}</small>{notes}</div>'
    )


def _lines(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")
