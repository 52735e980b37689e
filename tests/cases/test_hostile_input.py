"""Every finding of the review of hostile input has its tests; files of one user do not act on another's pictures."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.cases.model_files import DemoModels, pickled, with_header
from tests.cases.product import Product
from tests.lambdas.asset_uploads import begin, complete, put_part
from tests.lambdas.model_bytes import sha256_of
from tests.models.hostile_work import PICKLES

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
FINDINGS = {"C1", "C2", "H1", "H2", "H3", *(f"M{n}" for n in range(1, 7)), *(f"L{n}" for n in range(1, 11))}
STYLE = b"name,prompt,negative_prompt\nink,WHAT,\n"
STAR: dict[str, Any] = {"prompt": "a red star", "width": 64, "height": 64, "steps": 2, "seed": 7}


def test_every_finding_has_a_row_with_tests() -> None:
    rows = re.findall(r"^\| ((?:[CHML]\d+(?:, )?)+) \| .* \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert {finding for findings, _ in rows for finding in findings.split(", ")} == FINDINGS
    assert [findings for findings, tests in rows if "`test_" not in tests] == []


def vector(weights: Path) -> torch.Tensor:
    """Of the width of the demo checkpoint's text encoder, and much longer than its words."""
    width = DemoModels(weights).sunny().shape[-1]
    return torch.randn(1, width, generator=torch.Generator().manual_seed(0)) * 5


def theirs(weights: Path) -> dict[str, tuple[str, str, bytes]]:
    """What bob uploads: type, name, bytes."""
    amber = (weights / "amber.vae.safetensors").read_bytes()
    shared = next(data for what, data, _ in PICKLES if what == "shared tuples in a set")
    empty = b'{"emb_params":{"dtype":"F16","shape":[0,768],"data_offsets":[0,0]}}'
    return {
        "C2 an embedding called e": ("embedding", "e.safetensors", len(empty).to_bytes(8, "little") + empty),
        "C2 an embedding called star": ("embedding", "star.pt", pickled({"string_to_param": {"*": vector(weights)}})),
        "C2 a pickle called star": ("embedding", "star.bin", shared),
        "C2 a VAE called like the checkpoint": ("vae", "shapes.vae.safetensors", with_header(amber, n="c2")),
        "C2 a style of the same name": ("styles", "styles.csv", STYLE.replace(b"WHAT", b"a blue moon")),
    }


@pytest.mark.parametrize(
    "row", ["C2 an embedding called e", "C2 an embedding called star", "C2 a pickle called star",
            "C2 a VAE called like the checkpoint", "C2 a style of the same name"],
)  # fmt: skip
def test_what_another_artist_uploads_changes_no_picture_that_does_not_name_it(
    product: Product, weights: Path, row: str
) -> None:
    kind, name, data = theirs(weights)[row]
    params = STAR | ({"styles": ["ink"]} if kind == "styles" else {})
    if kind == "styles":
        assert product.upload("styles", "mine.csv", STYLE.replace(b"WHAT", b"{prompt} in ink"))["status"] == "active"
    body = {"task": "txt2img", "checkpoint": "shapes", "params": params}
    before = product.pixels(body)

    upload = {"type": kind, "name": name, "size": len(data), "sha256": sha256_of(data)}
    asset = begin(product.cloud, upload, user="bob")
    put_part(product.cloud, asset["asset_id"], data)
    complete(product.cloud, asset["asset_id"], user="bob")

    assert np.array_equal(product.pixels(body), before)
    if kind != "styles" and product.cloud.ask("GET", f"/v1/assets/{asset['asset_id']}").ok()["status"] == "active":
        job = product.cloud.ask("POST", "/v1/jobs", body, user="bob").ok(201)
        result = product.run(job)
        assert not np.array_equal(np.asarray(product.picture(result.images[0].key)), before), "his own job has it"
