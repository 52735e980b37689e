"""Styles of the server's own file are listed and merged as WebUI does."""

import json
from typing import Any

import pytest

from generate_on_cloud.contract.job_bodies import ResultView
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.faces.sdapi.answers import drawing_answer
from generate_on_cloud.faces.sdapi.lists import LISTS
from generate_on_cloud.faces.sdapi.orders import Order, drawing_order
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.faces.sdapi.settings import Settings
from generate_on_cloud.faces.sdapi.shelf import Shelf
from generate_on_cloud.webui.prompt.styles import read_styles
from tests.faces.shelves import SHELF

FILE = b"name,prompt,negative_prompt\nink,ink drawing,photo\nframe,a frame around {prompt},\nlong,{prompt}{prompt},\n"
STYLED = Shelf(SHELF.assets, read_styles(FILE))


def ordered(**body: Any) -> Order:
    return drawing_order(Task.TXT2IMG, {"prompt": "a cat", "negative_prompt": "dull"} | body, Settings(), STYLED)


def test_the_files_styles_are_listed_in_its_order() -> None:
    rows = LISTS["/sdapi/v1/prompt-styles"](STYLED)

    assert rows[0] == {"name": "ink", "prompt": "ink drawing", "negative_prompt": "photo"}
    assert [row["name"] for row in rows] == ["ink", "frame", "long"]


@pytest.mark.parametrize(
    ("body", "merged"),
    [
        ({"styles": ["ink"]}, {"prompt": "a cat, ink drawing", "negative_prompt": "dull, photo", "styles": []}),
        ({"styles": ["ink", "frame"]}, {"prompt": "a frame around a cat, ink drawing"}),
        (
            {"styles": ["frame", "ink"]},
            {"prompt": "a frame around a cat, ink drawing", "negative_prompt": "dull, photo"},
        ),
        (
            {"styles": ["frame", "ink", "cloud's"]},
            {"prompt": "a frame around a cat, ink drawing", "styles": ["cloud's"]},
        ),
        ({"styles": ["cloud's"]}, {"prompt": "a cat", "negative_prompt": "dull", "styles": ["cloud's"]}),
        (
            {"styles": ["ink"], "prompt": "", "negative_prompt": ""},
            {"prompt": "ink drawing", "negative_prompt": "photo"},
        ),
        ({"styles": ["ink"], "hr_prompt": "a dog"}, {"hr_prompt": "a dog, ink drawing", "hr_negative_prompt": None}),
        ({"styles": []}, {"prompt": "a cat"}),
        ({}, {"prompt": "a cat", "styles": None}),
        ({"styles": [{"name": "ink"}]}, {"prompt": "a cat", "styles": [{"name": "ink"}]}),
        ({"styles": ["ink"], "prompt": ["a"]}, {"prompt": ["a"], "styles": ["ink"]}),
    ],
)
def test_the_files_styles_are_merged_and_the_others_left_to_the_cloud(
    body: dict[str, Any], merged: dict[str, Any]
) -> None:
    order = ordered(**body)

    assert {name: order.params.get(name) for name in merged} == merged


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"styles": ["ink"], "script_name": "Prompt matrix"}, "received 'ink' with a script.*goc assets upload"),
        ({"styles": ["cloud's", "ink"]}, r"received cloud's, ink; allowed: those of this server's file \(ink\) before"),
        ({"styles": ["long"] * 30}, "styles: received styles that make a prompt longer than"),
    ],
)
def test_what_would_not_be_webuis_prompt_is_refused(body: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusalError, match=said):
        ordered(**body)


def test_the_answer_says_what_was_asked_as_webui_does() -> None:
    order = ordered(styles=["ink"])
    result = ResultView.model_validate(
        {"images": [], "info": {"prompt": order.params["prompt"], "styles": []}, "parameters": {}, "caption": None,
         "models": [], "timings": {}}
    )  # fmt: skip

    answer = drawing_answer(order, result, [])

    assert json.loads(answer["info"]) == {"prompt": "a cat, ink drawing", "styles": ["ink"]}
    assert (answer["parameters"]["prompt"], answer["parameters"]["styles"]) == ("a cat", ["ink"])


def test_without_styles_of_the_file_the_jobs_own_info_is_answered() -> None:
    result = ResultView.model_validate(
        {"images": [], "info": {"styles": ["of a script"]}, "parameters": {}, "caption": None, "models": [],
         "timings": {}}
    )  # fmt: skip

    for order in (ordered(), ordered(styles=["cloud's"]), ordered(styles=[])):
        assert json.loads(drawing_answer(order, result, [])["info"]) == {"styles": ["of a script"]}
