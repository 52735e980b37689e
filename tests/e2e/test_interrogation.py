"""The demo family's interrogator and tagger, uploaded and asked over HTTP about a render nothing was trained on."""

import base64
import io
import itertools

import pytest
from PIL import Image

from demo_models.interrogation import INTERROGATOR, ONNX_TAGGER
from demo_models.renderer import Renderer
from demo_models.scenes import draw_scenes, list_tags
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]


def test_both_interrogations_name_shape_and_colour(service: GenerateOnCloud) -> None:
    (scene,) = itertools.islice(draw_scenes(seed=31, split="held_out", things=1), 1)
    (render,) = Renderer().render([scene])
    file = io.BytesIO()
    Image.fromarray(render.permute(1, 2, 0).numpy()).save(file, "PNG")
    body = {"image": base64.b64encode(file.getvalue()).decode()}
    service.assets.upload(INTERROGATOR, "interrogator")
    service.assets.upload(ONNX_TAGGER, "tagger", name="shapes.zip")

    said = service.jobs.finish(
        service.jobs.submit(CreateJob(task=Task.INTERROGATE_CLIP, params=body | {"model": "clip"})).job_id
    )
    tagged = service.jobs.finish(
        service.jobs.submit(CreateJob(task=Task.INTERROGATE_DEEPBOORU, params=body | {"tagger": "shapes"})).job_id
    )

    thing = scene.things[0]
    assert said.result is not None
    assert tagged.result is not None
    assert f"{thing.colour} {thing.shape}" in str(said.result.caption)
    assert any(f"{thing.colour} {thing.shape}" in phrase for phrase in said.result.scores)
    assert {thing.colour, thing.shape} <= set(str(tagged.result.caption).split(", "))
    assert {tag.replace(" ", "_") for tag in list_tags(scene)} == set(tagged.result.scores)
    assert [model.name for model in tagged.result.models] == ["shapes.zip"]
