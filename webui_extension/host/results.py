"""Pictures of a finished job for the host's gallery, and in the host's own folders."""

from __future__ import annotations

import html
import importlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from webui_extension.core.extras import TASK
from webui_extension.core.followers import JobState
from webui_extension.core.texts import say
from webui_extension.host.program import setting


def open_pictures(state: JobState) -> list[Image.Image]:
    """The job's pictures, each with its infotext and, where the host saved it, its file."""
    pictures: list[Image.Image] = []
    for number, content in enumerate(state.pictures):
        image = Image.open(io.BytesIO(content))
        image.load()
        if number < len(state.saved):
            image.already_saved_as = state.saved[number]  # type: ignore[attr-defined]  # the host's own mark
        pictures.append(image)
    return pictures


def info_of(state: JobState) -> dict[str, Any]:
    """WebUI's `info` document, as the service made it."""
    result = state.job.get("result") or {}
    return dict(result.get("info") or {})


def save(state: JobState) -> tuple[str, ...]:
    """Write the pictures where the host would, by its own patterns; returns the files, none if saving is off."""
    if not setting("samples_save") or not state.pictures:
        return ()
    task = str(state.job["task"])
    folder = setting("outdir_samples") or setting(f"outdir_{'extras' if task == TASK else task}_samples")
    info, images = info_of(state), importlib.import_module("modules.images")
    infotexts, saved = _infotexts(state), []
    for number, image in enumerate(open_pictures(state)):
        seeds = info.get("all_seeds") or [info.get("seed")]
        place = max(0, number - int(info.get("index_of_first_image") or 0))
        # As in the Extras tab: what the picture already says stays, and a text about the enlargement is added.
        texts = {"pnginfo_section_name": "extras", "existing_info": dict(image.info)} if task == TASK else {}
        file, _ = images.save_image(
            image,
            str(folder),
            "",
            seed=seeds[min(place, len(seeds) - 1)],
            prompt=info.get("prompt"),
            extension=setting("samples_format") or "png",
            info=infotexts[number] if number < len(infotexts) else None,
            **texts,
        )
        saved.append(str(Path(file).resolve()))
    return tuple(saved)


def _infotexts(state: JobState) -> list[str]:
    images: Sequence[dict[str, Any]] = (state.job.get("result") or {}).get("images", ())
    return [str(image.get("infotext") or "") for image in images]


def shown(state: JobState) -> tuple[list[Image.Image], str, str, str]:
    """Values of the host's four outputs: gallery, generation info, infotext, log."""
    infotexts = _infotexts(state)
    job = state.job
    lines = [say("took", seconds=round(job.get("run_seconds") or 0, 1), job=job["job_id"])]
    if state.saved:
        lines.append(say("saved_in", folder=Path(state.saved[0]).parent))
    lines += [*state.notes, *(str(warning) for warning in (job.get("result") or {}).get("warnings", ()))]
    ignored = "; ".join(f"{each['pointer']}: {each['message']}" for each in job.get("warnings", ()))
    if ignored:
        lines.append(say("ignored", what=ignored))
    return (
        open_pictures(state),
        json.dumps(info_of(state)),
        _paragraph(infotexts[0] if infotexts else ""),
        "".join(map(_paragraph, lines)),
    )


def _paragraph(text: str) -> str:
    return "<p>" + "<br>\n".join(html.escape(line) for line in text.split("\n")) + "</p>"
