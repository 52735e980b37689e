"""The page asks for news of the jobs it watches; a finished one goes into the host's gallery."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from webui_extension.core.errors import CloudError
from webui_extension.core.followers import GONE, JobState
from webui_extension.host.cards import cards, status_text
from webui_extension.host.cloud import Cloud
from webui_extension.host.gradio_events import unchanged
from webui_extension.host.guard import told
from webui_extension.host.results import shown

GALLERY_OUTPUTS = 4
"""Gallery, generation info, infotext, log."""


def reply(*, watch: Sequence[str] = (), drop: Sequence[str] = ()) -> str:
    """The message that the page's own code reads: jobs to watch from now on, and jobs that are done with."""
    return json.dumps({"watch": list(watch), "drop": list(drop)})


def news(cloud: Cloud, asked: str, *, captions: bool) -> list[Any]:
    """Values of the four gallery outputs, of the prompt (with `captions`), of the notes, of the cards, and the reply.

    `asked` is the page's list of job ids, as JSON. What is said once, about a job that is done with, goes into the
    notes; the cards change every second.
    """
    states: list[JobState] = []
    errors: list[str] = []
    last_words: list[str] = []
    gone: list[str] = []
    for job_id in map(str, json.loads(asked or "[]")):
        state, error = _look(cloud, job_id)
        if state is not None:
            states.append(state)
        if error is not None:
            is_gone = isinstance(error, CloudError) and bool(error.code) and error.status in GONE
            (last_words if is_gone else errors).append(told(error))
            gone += [job_id] * is_gone
    ended = next((state for state in states if state.done), None)
    gallery, prompt = [unchanged()] * GALLERY_OUTPUTS, unchanged()
    if ended is not None:
        states.remove(ended)
        gone.append(ended.job_id)
        if ended.job["status"] == "succeeded" and not ended.trouble:
            caption = (ended.job.get("result") or {}).get("caption")
            if caption is not None:
                prompt = caption
            else:
                gallery = list(shown(ended))
        else:
            last_words.append(f"{ended.job_id}: {status_text(ended)}")
    notes = cards([], errors=last_words) if last_words else unchanged()
    return [*gallery, *([prompt] if captions else []), notes, cards(states, errors=errors), reply(drop=gone)]


def _look(cloud: Cloud, job_id: str) -> tuple[JobState | None, Exception | None]:
    try:
        return _state(cloud, job_id), None
    except Exception as error:
        return None, error


def _state(cloud: Cloud, job_id: str) -> JobState:
    state = cloud.followers.state(job_id)
    if state is None:  # the WebUI was restarted, or the page asks for an old job
        state = cloud.followers.follow(cloud.jobs().get(job_id))
    return state
