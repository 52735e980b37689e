"""Texts as editors on Windows write them: with a byte order mark."""

import pytest

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK, Txt2ImgParams
from generate_on_cloud.model_files.facts import read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.webui.infotext.parser import parse_infotext
from generate_on_cloud.webui.prompt.styles import Style, read_styles
from lambdas.json_documents import read_document
from tests.model_files.archive_rows import zipped
from tests.tiny_interrogation import WD_CSV, wd_network

MARK = "\ufeff"
MARKS = pytest.mark.parametrize("mark", ["", MARK])
INFOTEXT = "a cat\nNegative prompt: a dog\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1"


@MARKS
def test_a_document_may_begin_with_one(mark: str) -> None:
    assert read_document(f'{mark}{{"prompt": "a"}}'.encode()) == {"prompt": "a"}


@MARKS
def test_a_styles_file_may_begin_with_one(mark: str) -> None:
    table = f"{mark}name,prompt,negative_prompt\r\nink,drawn,blurred\r\n".encode()

    assert read_styles(table) == {"ink": Style("drawn", "blurred")}
    read_facts(MemoryBytes(table), name="styles.csv", asset_type=AssetType.STYLES)


@MARKS
def test_a_taggers_list_of_tags_may_begin_with_one(mark: str) -> None:
    tagger = zipped({"model.onnx": wd_network(), "selected_tags.csv": mark + WD_CSV.replace("\n", "\r\n")})

    read_facts(MemoryBytes(tagger), name="wd.zip", asset_type=AssetType.TAGGER)


@MARKS
def test_an_infotext_may_begin_with_one(mark: str) -> None:
    assert parse_infotext(mark + INFOTEXT).prompt == "a cat"


@MARKS
def test_a_file_of_prompts_may_begin_with_one(mark: str) -> None:
    body = {"script_name": "Prompts from file or textbox", "script_args": [0, 0, 0, f"{mark}--prompt a\r\nb"]}
    params = PARAMS_BY_TASK[Task.TXT2IMG].model_validate(body)

    assert isinstance(params, Txt2ImgParams)
    assert [one.prompt for one in params.variants()] == ["a", "b"]
