"""The demo: upload a checkpoint, draw from a photograph and from a drawing, save the pictures and time each step."""

import base64
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from generate_on_cloud.client.assets import file_sha256
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import JobNotSucceededError
from generate_on_cloud.contract.assets import AssetStatus, AssetType
from generate_on_cloud.contract.job_bodies import CreateJob, JobView
from generate_on_cloud.contract.jobs import JobPhase, JobStatus, Task

PHOTOGRAPH = Path(__file__).parent / "pictures" / "chelsea.png"


@dataclass(frozen=True)
class DemoJob:
    name: str
    source: Image.Image
    params: Mapping[str, Any]
    mask: Image.Image | None = None

    def body(self) -> dict[str, Any]:
        """WebUI's img2img request."""
        mask = {} if self.mask is None else {"mask": _png(self.mask)}
        return {**self.params, **mask, "init_images": [_png(self.source)]}


@dataclass(frozen=True)
class FinishedDemoJob:
    demo: DemoJob
    job: JobView
    seconds: float
    """Seconds from submitting the job to having its pictures on disk."""
    pictures: tuple[Path, ...]


def run_demo(cloud: GenerateOnCloud, *, checkpoint: Path, out: Path, console: Console) -> list[FinishedDemoJob]:
    """Upload `checkpoint` if needed, run every demo job, and print where the pictures are and how long each job took.

    Raises:
        CloudError: a request was refused or a job did not succeed.
        OSError: a file could not be read or written.
    """
    name = _upload(cloud, checkpoint, console)
    finished = [_run(cloud, job, checkpoint=name, out=out, console=console) for job in demo_jobs()]
    _print_summary(finished, console)
    sheet = out / "contact-sheet.png"
    contact_sheet(finished).save(sheet)
    console.print(f"{sheet} (each picture next to its source)", soft_wrap=True)
    return finished


def demo_jobs() -> tuple[DemoJob, ...]:
    """img2img and inpaint jobs, on a photograph and on a drawing."""
    drawing = scene()
    with Image.open(PHOTOGRAPH) as opened:
        photograph = opened.convert("RGB")
    star = {"prompt": "a yellow star on a blue background", "seed": 7, "steps": 20, "cfg_scale": 5}
    # The native size of our trained demo checkpoint; others can draw at it too.
    size = {"width": 64, "height": 64}
    euler = star | size | {"sampler_name": "Euler a"}
    dpm = star | size | {"sampler_name": "DPM++ 2M", "scheduler": "Karras"}
    only_masked = {"inpainting_fill": 2, "inpaint_full_res_padding": 0, "denoising_strength": 1}
    whole_picture = {"inpaint_full_res": False}
    return (
        DemoJob("photograph-img2img", photograph, euler | {"denoising_strength": 0.4}),
        DemoJob("photograph-inpaint", photograph, dpm | only_masked, mask=_circle_mask(photograph.size)),
        DemoJob("drawing-img2img", drawing, euler | {"denoising_strength": 0.6}),
        DemoJob("drawing-inpaint", drawing, dpm | whole_picture, mask=_circle_mask(drawing.size)),
    )


def contact_sheet(finished: Sequence[FinishedDemoJob]) -> Image.Image:
    """Source, mask and result side by side, a row for each job, cells of 192 pixels."""
    cell, gap = 192, 8
    sheet = Image.new("RGB", (3 * (cell + gap) + gap, len(finished) * (cell + gap) + gap), "white")
    for row, done in enumerate(finished):
        with Image.open(done.pictures[0]) as opened:
            cells = (done.demo.source, done.demo.mask, opened.convert("RGB"))
        for column, image in enumerate(cells):
            if image is not None:
                shown = image.resize((cell, cell), Image.Resampling.NEAREST)
                sheet.paste(shown, (gap + column * (cell + gap), gap + row * (cell + gap)))
    return sheet


def scene() -> Image.Image:
    """The drawing that the demo starts from: 256×256, a red circle on blue."""
    image = Image.new("RGB", (256, 256), (58, 92, 190))
    ImageDraw.Draw(image).ellipse((72, 72, 184, 184), fill=(214, 52, 44))
    return image


def _circle_mask(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size, 0)
    width, height = size
    ImageDraw.Draw(mask).ellipse((width // 4, height // 4, width * 3 // 4, height * 3 // 4), fill=255)
    return mask


def _png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _upload(cloud: GenerateOnCloud, checkpoint: Path, console: Console) -> str:
    digest = file_sha256(checkpoint)
    there = [each for each in cloud.assets.list(asset_type=AssetType.CHECKPOINT) if each.status is AssetStatus.ACTIVE]
    for asset in there:
        if asset.sha256 == digest:
            console.print(f"checkpoint {asset.name} is already in the cloud")
            return asset.name
    name = checkpoint.name
    if any(asset.name == name for asset in there):  # other bytes: a checkpoint of before a training
        name = f"{checkpoint.stem}-{digest[:8]}{checkpoint.suffix}"
    started = time.perf_counter()
    asset = cloud.assets.upload(checkpoint, AssetType.CHECKPOINT, name=name, sha256=digest)
    console.print(f"checkpoint {asset.name}: {asset.size / 1e6:.1f} MB in {time.perf_counter() - started:.1f} s")
    return name


def _run(cloud: GenerateOnCloud, job: DemoJob, *, checkpoint: str, out: Path, console: Console) -> FinishedDemoJob:
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[phase]:<16}"),
        TimeElapsedColumn(),
    )
    started = time.perf_counter()
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(job.name, total=None, phase="sending")
        submitted = cloud.jobs.submit(CreateJob(task=Task.IMG2IMG, params=job.body(), checkpoint=checkpoint))
        for view in cloud.jobs.watch(submitted.job_id):
            if view.progress is not None and view.status is JobStatus.RUNNING:
                progress.update(
                    bar, total=view.progress.steps or None, completed=view.progress.step, phase=view.progress.phase
                )
            else:
                progress.update(bar, phase=view.status)
        if view.status is JobStatus.SUCCEEDED:
            steps = progress.tasks[bar].total or 1
            progress.update(bar, total=steps, completed=steps)
    if view.status is not JobStatus.SUCCEEDED:
        raise JobNotSucceededError(view)
    pictures = tuple(cloud.jobs.save(view, out, name=job.name))
    return FinishedDemoJob(job, view, time.perf_counter() - started, pictures)


def _print_summary(finished: list[FinishedDemoJob], console: Console) -> None:
    console.print(f"{'seconds':<20}{'models':>9}{'sampling':>10}{'pictures':>10}{'container':>11}{'whole job':>11}")
    for done in finished:
        timings = done.job.result.timings if done.job.result else {}
        models = timings.get(JobPhase.FETCHING_MODELS, 0) + timings.get(JobPhase.LOADING_MODELS, 0)
        pictures = sum(timings.get(phase, 0) for phase in (JobPhase.ENCODING, JobPhase.DECODING, JobPhase.SAVING))
        console.print(
            f"{done.demo.name:<20}{models:>9.2f}{timings.get(JobPhase.SAMPLING, 0):>10.2f}{pictures:>10.2f}"
            f"{timings.get('total', 0):>11.2f}{done.seconds:>11.2f}"
        )
    for done in finished:
        for picture in done.pictures:
            console.print(str(picture), soft_wrap=True)
