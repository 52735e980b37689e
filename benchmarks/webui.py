"""`make bench-webui WEBUI=URL`: races a running WebUI against the local cloud, whole jobs with one checkpoint, in turn.

Start WebUI with `--api` and the checkpoint in its folder of models. Both sides get the same body; the time of a job is
from sending it until its PNG has arrived. Both run
on this machine, so neither should have other work.
"""

import argparse
import base64
import io
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from PIL import Image

from demo_models.checkpoint import TRAINED
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from local_cloud.cloud import LocalCloud
from local_cloud.unkindness import KIND

ANSWER_SECONDS = 3600.0
NEAR = 2
"""Levels of 255 that WebUI itself differs by when it sums in another order."""
Draw = Callable[[Task, Mapping[str, Any]], Image.Image]


@dataclass
class Race:
    """What alternating pairs of one task took, and how far apart their pictures were."""

    task: Task
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    largest: int = 0
    """The largest difference of any value, in levels of 255."""
    near: float = 1.0
    """The smallest share of a picture's values within two levels."""

    @property
    def ratio(self) -> float:
        """Median of our seconds over theirs, pair by pair."""
        return statistics.median(one / other for one, other in zip(self.ours, self.theirs, strict=True))

    def __str__(self) -> str:
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return (
            f"{self.task.value}: ours {ours:.2f} s, WebUI {theirs:.2f} s, medians of {len(self.ours)}; "
            f"median ratio {self.ratio:.3f}; pictures at most {self.largest} levels apart, "
            f"{self.near:.2%} of the values within {NEAR}"
        )


class WebUi:
    """The API of a running WebUI."""

    def __init__(self, url: str, *, checkpoint: str, http: httpx.Client | None = None) -> None:
        self._http = http or httpx.Client(base_url=url.rstrip("/"), timeout=ANSWER_SECONDS)
        self._checkpoint = checkpoint

    def choose_checkpoint(self) -> None:
        """Load the checkpoint, so that no job's time contains it.

        Raises:
            SystemExit: WebUI does not have it.
        """
        titles = [model["title"] for model in self._answer("GET", "sd-models")]
        title = next(
            (title for title in titles if Path(title.split(" [")[0]).stem == Path(self._checkpoint).stem), None
        )
        if title is None:
            raise SystemExit(f"WebUI does not have {self._checkpoint}; it has: {', '.join(titles) or 'no checkpoint'}")
        self._answer("POST", "options", {"sd_model_checkpoint": title, "samples_format": "png"})

    def draw(self, task: Task, params: Mapping[str, Any]) -> Image.Image:
        """Draw one picture."""
        answer = self._answer("POST", task.value, params)
        return Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))).convert("RGB")

    def _answer(self, method: str, name: str, body: Mapping[str, Any] | None = None) -> Any:
        response = self._http.request(method, f"/sdapi/v1/{name}", json=body)
        if response.status_code != httpx.codes.OK:
            raise SystemExit(
                f"WebUI answered {method} /sdapi/v1/{name} with {response.status_code}: {response.text[:300]}"
            )
        return response.json()


def cloud_draw(service: GenerateOnCloud, checkpoint: str, folder: Path) -> Draw:
    """Draws one picture by a job of the cloud."""

    def draw(task: Task, params: Mapping[str, Any]) -> Image.Image:
        submitted = service.jobs.submit(CreateJob(task=task, params=dict(params), checkpoint=checkpoint))
        # The API looks once a second while it waits for a job; looking ourselves costs 20 ms at most.
        while (job := service.jobs.get(submitted.job_id)).status in {JobStatus.QUEUED, JobStatus.RUNNING}:
            time.sleep(0.02)
        if job.result is None:
            raise SystemExit(f"our job did not succeed: {job.error}")
        return Image.open(service.jobs.save(job, folder)[0]).convert("RGB")

    return draw


def race(task: Task, params: Mapping[str, Any], *, ours: Draw, theirs: Draw, rounds: int) -> Race:
    """Draw in turn, after a round that only warms up; each pair begins with the other side than the last one.

    Raises:
        SystemExit: the pictures have different sizes.
    """
    result = Race(task)
    for number in range(rounds + 1):
        sides: Sequence[tuple[list[float], Draw]] = ((result.ours, ours), (result.theirs, theirs))
        pictures: dict[int, Image.Image] = {}
        for place in (0, 1) if number % 2 else (1, 0):
            seconds, draw = sides[place]
            began = time.perf_counter()
            pictures[place] = draw(task, params)
            if number:
                seconds.append(time.perf_counter() - began)
        _compare(result, pictures[0], pictures[1])
    return result


def _compare(result: Race, ours: Image.Image, theirs: Image.Image) -> None:
    if ours.size != theirs.size:
        raise SystemExit(f"our picture has {ours.size}, WebUI's {theirs.size}")
    apart = np.abs(np.asarray(ours, dtype=np.int16) - np.asarray(theirs, dtype=np.int16))
    result.largest = max(result.largest, int(apart.max()))
    result.near = min(result.near, float((apart <= NEAR).mean()))


def bodies(*, size: int, steps: int) -> dict[Task, dict[str, Any]]:
    """The body of each task, as WebUI and we take it."""
    body: dict[str, Any] = {
        "prompt": "a lighthouse on a cliff",
        "steps": steps,
        "width": size,
        "height": size,
        "seed": 1,
        "sampler_name": "Euler",
    }
    file = io.BytesIO()
    Image.radial_gradient("L").resize((size, size)).convert("RGB").save(file, "PNG")
    picture = {"init_images": [base64.b64encode(file.getvalue()).decode()], "denoising_strength": 0.75}
    return {Task.TXT2IMG: body, Task.IMG2IMG: body | picture}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--webui", required=True, help="URL of a WebUI that was started with --api")
    parser.add_argument("--checkpoint", type=Path, default=TRAINED, help="the file; WebUI must have one of its name")
    parser.add_argument("--size", type=int, default=256, help="width and height of the pictures")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4, help="pairs of jobs of each task")
    chosen = parser.parse_args(arguments)
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}, torch {torch.__version__}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        webui = WebUi(chosen.webui, checkpoint=chosen.checkpoint.name)
        webui.choose_checkpoint()
        cloud = stack.enter_context(LocalCloud(folder / "cloud", unkindness=KIND))
        service = stack.enter_context(GenerateOnCloud(cloud.api_url, cloud.admin_key))
        service.assets.upload(chosen.checkpoint, "checkpoint")
        ours = cloud_draw(service, chosen.checkpoint.name, folder)
        for task, params in bodies(size=chosen.size, steps=chosen.steps).items():
            print(race(task, params, ours=ours, theirs=webui.draw, rounds=chosen.rounds), flush=True)


if __name__ == "__main__":
    main()
