"""The race with a running WebUI, against an /sdapi/v1 that answers in this process."""

import base64
import io
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from PIL import Image

from benchmarks.webui import WebUi, bodies, race
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK


class FakeSdapi:
    """Draws one colour, in the size of the request."""

    def __init__(self, *, levels: int = 100, status: int = 200) -> None:
        self.levels = levels
        self.status = status
        self.asked: list[tuple[str, Any]] = []

    def webui(self, checkpoint: str = "shapes.safetensors") -> WebUi:
        http = httpx.Client(base_url="http://webui", transport=httpx.MockTransport(self._answer))
        return WebUi("http://webui", checkpoint=checkpoint, http=http)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"null")
        name = request.url.path.removeprefix("/sdapi/v1/")
        self.asked.append((name, body))
        if name == "sd-models":
            return httpx.Response(200, json=[{"title": "other.ckpt [aa]"}, {"title": "SD/shapes.safetensors [bb]"}])
        if name == "options":
            return httpx.Response(200, content=b"null")
        file = io.BytesIO()
        Image.new("RGB", (body["width"], body["height"]), (self.levels,) * 3).save(file, "PNG")
        picture = base64.b64encode(file.getvalue()).decode()
        return httpx.Response(self.status, json={"images": [picture], "info": "{}"})


def one_colour(levels: int, order: list[str] | None = None) -> Any:
    def draw(_: Task, params: Mapping[str, Any]) -> Image.Image:
        if order is not None:
            order.append(str(levels))
        return Image.new("RGB", (params["width"], params["height"]), (levels,) * 3)

    return draw


@pytest.mark.parametrize("task", [Task.TXT2IMG, Task.IMG2IMG])
def test_pairs_alternate_after_a_round_that_only_warms_up(task: Task) -> None:
    order: list[str] = []
    result = race(
        task, bodies(size=16, steps=1)[task], ours=one_colour(1, order), theirs=one_colour(2, order), rounds=3
    )
    assert order == ["2", "1", "1", "2", "2", "1", "1", "2"]
    assert len(result.ours) == len(result.theirs) == 3


def test_the_report_says_how_far_the_pictures_are_apart() -> None:
    params = bodies(size=16, steps=1)[Task.TXT2IMG]
    fake = FakeSdapi(levels=103)
    result = race(Task.TXT2IMG, params, ours=one_colour(100), theirs=fake.webui().draw, rounds=2)
    assert (result.largest, result.near) == (3, 0.0)
    assert result.ratio > 0
    assert "pictures at most 3 levels apart, 0.00% of the values within 2" in str(result)
    assert [name for name, _ in fake.asked] == ["txt2img"] * 3
    assert all(body == params for _, body in fake.asked)


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    result = race(
        Task.TXT2IMG, bodies(size=16, steps=1)[Task.TXT2IMG], ours=one_colour(1), theirs=one_colour(1), rounds=1
    )
    result.ours, result.theirs = [1.0, 9.0, 3.0], [2.0, 1.0, 4.0]
    assert result.ratio == 0.75


def test_webui_loads_the_checkpoint_before_the_first_job_by_its_own_title() -> None:
    fake = FakeSdapi()
    fake.webui().choose_checkpoint()
    assert fake.asked[-1] == (
        "options",
        {"sd_model_checkpoint": "SD/shapes.safetensors [bb]", "samples_format": "png"},
    )


def test_a_checkpoint_that_webui_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(SystemExit, match=r"does not have mine\.safetensors; it has: other\.ckpt \[aa\], SD/shapes"):
        FakeSdapi().webui("mine.safetensors").choose_checkpoint()


def test_an_answer_of_webui_that_is_an_error_ends_the_race_with_its_text() -> None:
    with pytest.raises(SystemExit, match="POST /sdapi/v1/txt2img with 500"):
        FakeSdapi(status=500).webui().draw(Task.TXT2IMG, bodies(size=16, steps=1)[Task.TXT2IMG])


def test_pictures_of_different_sizes_end_the_race() -> None:
    def larger(_: Task, __: Mapping[str, Any]) -> Image.Image:
        return Image.new("RGB", (32, 32))

    with pytest.raises(SystemExit, match=r"our picture has \(16, 16\), WebUI's \(32, 32\)"):
        race(Task.TXT2IMG, bodies(size=16, steps=1)[Task.TXT2IMG], ours=one_colour(1), theirs=larger, rounds=1)


def test_the_bodies_are_valid_params_of_our_tasks() -> None:
    for task, body in bodies(size=64, steps=2).items():
        assert not PARAMS_BY_TASK[task].model_validate(body).unsupported()
