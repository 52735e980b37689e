"""Names of saved pictures, by the patterns of WebUI's settings page, such as `[seed]-[prompt_spaces]`."""

import hashlib
import re
import string
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from generate_on_cloud.contract.job_bodies import JobView

DEFAULT_PATTERN = "[seed]-[prompt_spaces]"
"""WebUI's own, where its setting is empty."""
MAX_PART = 128
"""Characters of one replacement, as in WebUI."""
MAX_NAME = 200
_FORBIDDEN = str.maketrans(dict.fromkeys('#<>:"/\\|?*\n\r\t', "_"))
_SEPARATORS = re.compile(rf"[\s{re.escape(string.punctuation)}]+")
_TAGS = re.compile(r"<\w+:[^<>]*>")


class _Picture:
    """One picture of a job and what WebUI's `info` says about it."""

    def __init__(self, job: JobView, number: int) -> None:
        self.job, self.number = job, number
        self.info: Mapping[str, Any] = job.result.info if job.result else {}
        self.params: Mapping[str, Any] = job.result.parameters if job.result else {}
        self.image = job.result.images[number] if job.result else None

    def of_each(self, name: str, otherwise: str) -> str:
        """This picture's entry of `all_…`; of a grid, which comes first, that of the first picture."""
        entries = self.info.get(name) or []
        place = max(0, self.number - int(self.info.get("index_of_first_image") or 0))
        if place < len(entries):
            return str(entries[place])
        return str(entries[0] if entries else self.info.get(otherwise) or self.params.get(otherwise) or "")

    @property
    def prompt(self) -> str:
        return self.of_each("all_prompts", "prompt")

    @property
    def seed(self) -> str:
        if self.image is not None and self.image.seed is not None:
            return str(self.image.seed)
        return self.of_each("all_seeds", "seed")

    def said(self, *names: str) -> str:
        """The first of these fields that info or parameters have."""
        for name in names:
            for told in (self.info, self.params):
                if told.get(name) not in (None, ""):
                    return str(told[name])
        return ""

    @property
    def time(self) -> datetime:
        return (self.job.finished_at or self.job.created_at).astimezone()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _words(text: str, most: str) -> str:
    found = [word for word in _SEPARATORS.split(text) if word] or ["empty"]
    return " ".join(found[: int(most) if most.isdecimal() else 8])


def _model(picture: _Picture) -> str:
    return picture.said("sd_model_name") or PurePosixPath(picture.job.checkpoint or "").stem


REPLACEMENTS: Mapping[str, Callable[[_Picture, str], str]] = {
    "seed": lambda picture, _: picture.seed,
    "seed_first": lambda picture, _: str((picture.info.get("all_seeds") or [picture.seed])[0]),
    "seed_last": lambda picture, _: str((picture.info.get("all_seeds") or [picture.seed])[-1]),
    "steps": lambda picture, _: picture.said("steps"),
    "cfg": lambda picture, _: picture.said("cfg_scale"),
    "width": lambda picture, _: str(picture.image.width) if picture.image else "",
    "height": lambda picture, _: str(picture.image.height) if picture.image else "",
    "sampler": lambda picture, _: picture.said("sampler_name", "sampler_index"),
    "scheduler": lambda picture, _: picture.said("scheduler"),
    "model_name": lambda picture, _: _model(picture),
    "model_hash": lambda picture, _: picture.said("sd_model_hash"),
    "styles": lambda picture, _: ", ".join(picture.params.get("styles") or []) or "None",
    "denoising": lambda picture, _: picture.said("denoising_strength"),
    "clip_skip": lambda picture, _: picture.said("clip_skip"),
    "batch_size": lambda picture, _: picture.said("batch_size"),
    "batch_number": lambda picture, _: str(picture.number + 1),
    "date": lambda picture, _: picture.time.strftime("%Y-%m-%d"),
    "datetime": lambda picture, form: picture.time.strftime(form or "%Y%m%d%H%M%S"),
    "prompt": lambda picture, _: picture.prompt.replace(" ", "_"),
    "prompt_spaces": lambda picture, _: picture.prompt,
    "prompt_no_styles": lambda picture, _: picture.said("prompt"),
    "prompt_words": lambda picture, most: _words(_TAGS.sub("", picture.prompt), most),
    "prompt_hash": lambda picture, _: _hash(picture.prompt),
    "negative_prompt_hash": lambda picture, _: _hash(picture.of_each("all_negative_prompts", "negative_prompt")),
    "job_id": lambda picture, _: picture.job.job_id,
    "task": lambda picture, _: picture.job.task,
    "number": lambda picture, _: str(picture.number),
    "none": lambda _, __: "",
}
"""WebUI's words for a picture, and of ours `job_id`, `task` and `number` (from 0)."""


def picture_name(pattern: str, job: JobView, number: int) -> str:
    """The name of a job's picture without its extension; a job that drew nothing from a prompt gets its id.

    Raises:
        ValueError: the pattern has a word that is not known.
    """
    check_pattern(pattern)
    picture = _Picture(job, number)

    def replaced(found: re.Match[str]) -> str:
        return _part(REPLACEMENTS[found[1]](picture, found[2] or ""))

    name = re.sub(r"\[(\w+)(?:<([^>]*)>)?\]", replaced, pattern).translate(_FORBIDDEN)
    name = name[:MAX_NAME].strip(" .-")
    return name or f"{job.job_id}-{number}"


def names_by(pattern: str, job: JobView) -> Callable[[int], str]:
    """The names of a job's pictures by number, for `Jobs.save`.

    Raises:
        ValueError: the pattern has a word that is not known.
    """
    check_pattern(pattern)
    return lambda number: picture_name(pattern, job, number)


def check_pattern(pattern: str) -> None:
    """Raises ValueError if the pattern has a word that is not known."""
    for word in re.findall(r"\[([^\[\]<>]*)(?:<[^>]*>)?\]", pattern):
        if word not in REPLACEMENTS:
            allowed = ", ".join(f"[{name}]" for name in REPLACEMENTS)
            raise ValueError(f"received [{word}] in the pattern {pattern!r}; allowed: {allowed}")


def _part(text: str) -> str:
    return text.translate(_FORBIDDEN).lstrip(" ")[:MAX_PART].rstrip(" .")
