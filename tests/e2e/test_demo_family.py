"""The demo family's files uploaded and used over HTTP: each job shows what its file is for."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw

from demo_models.checkpoint import TRAINED
from demo_models.drawing import encode_png, to_image, to_picture
from demo_models.eval_variants import INK
from demo_models.judge import JUDGE, Reading, load_judge
from demo_models.renderer import Renderer
from demo_models.scenes import Scene, Thing
from demo_models.variants.looks import find_edges, find_inks
from demo_models.variants.table import VARIANTS
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]

STILL = (0.0, 0.0, 0.0)
CIRCLE = "a red circle in the center on a blue background"


def draw(
    service: GenerateOnCloud, folder: Path, *, task: Task = Task.TXT2IMG, checkpoint: str, **params: Any
) -> torch.Tensor:
    """The job's first picture, uint8, shape (3, 64, 64)."""
    body = {"steps": 20, "cfg_scale": 6, "sampler_name": "Euler a", "seed": 1, "width": 64, "height": 64} | params
    job = service.jobs.finish(service.jobs.submit(CreateJob(task=task, params=body, checkpoint=checkpoint)).job_id)
    (path, *_) = service.jobs.save(job, folder)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return to_picture(image)


def read(picture: torch.Tensor) -> Reading:
    return load_judge(JUDGE).read(picture[None])[0]


def render(x: float) -> torch.Tensor:
    thing = Thing("circle", "red", x, 0.5, 0.25, STILL)
    return Renderer().render([Scene("blue", STILL, (thing,), "medium", "center", None)])[0]


def test_every_file_of_the_demo_family_shows_its_effect(service: GenerateOnCloud, tmp_path: Path) -> None:
    shapes = TRAINED.name
    service.assets.upload(TRAINED, "checkpoint")
    for variant in VARIANTS.values():
        service.assets.upload(variant.path, variant.type)
    hint = encode_png(to_image(find_edges(render(0.715)[None])[0]))
    lines = {"ControlNet": {"args": [{"model": "edges", "image": hint}]}}
    mask = Image.new("L", (64, 64))
    ImageDraw.Draw(mask).rectangle((8, 8, 55, 55), fill=255)
    repaint = {"init_images": [encode_png(to_image(render(0.5)))], "mask": encode_png(mask), "mask_blur": 0}
    repaint |= {"inpainting_fill": 1, "inpaint_full_res": False, "denoising_strength": 0.95}

    plain = draw(service, tmp_path, checkpoint=shapes, prompt=CIRCLE)
    velocity = draw(service, tmp_path, checkpoint=VARIANTS["velocity"].file, prompt=CIRCLE)
    printed = draw(service, tmp_path, checkpoint=shapes, prompt=f"{CIRCLE} <lora:cyanotype:1>")
    dark = draw(service, tmp_path, checkpoint=shapes, prompt=f"{CIRCLE} <lyco:night:1>")
    heart = draw(service, tmp_path, checkpoint=shapes, prompt=f"{CIRCLE} <hypernet:hearts:1>")
    star = draw(service, tmp_path, checkpoint=shapes, prompt="a sunny in the center on a blue background")
    amber = draw(
        service, tmp_path, checkpoint=shapes, prompt=CIRCLE, override_settings={"sd_vae": VARIANTS["amber"].file}
    )
    along = draw(service, tmp_path, checkpoint=shapes, prompt="a drawing of a thing", alwayson_scripts=lines)
    inpainted = draw(
        service,
        tmp_path,
        task=Task.IMG2IMG,
        checkpoint=VARIANTS["inpaint"].file,
        prompt="a yellow star on a blue background",
        **repaint,
    )

    assert [(one.first_colour, one.first_shape, one.background) for one in (read(plain), read(velocity))] == [
        ("red", "circle", "blue")
    ] * 2
    assert (find_inks(printed[None]) < INK).float().mean() > 0.9
    assert (find_inks(plain[None]) < INK).float().mean() < 0.5
    assert dark.float().mean() < 0.75 * plain.float().mean()
    assert read(heart).first_shape == "heart"
    assert (read(star).first_colour, read(star).first_shape) == ("yellow", "star")
    assert blue_share(amber) < blue_share(plain) - 0.1
    assert (read(along).first_shape, read(along).place) == ("circle", "right")
    assert (read(inpainted).first_colour, read(inpainted).first_shape) == ("yellow", "star")


def blue_share(picture: torch.Tensor) -> float:
    """Of the light along the upper edge."""
    edge = picture[:, :3].float().mean((1, 2))
    return float(edge[2] / edge.sum())
