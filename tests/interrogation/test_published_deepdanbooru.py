"""DeepDanbooru against numbers that the published network wrote: see published/README.md."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.interrogation import InterrogateOptions
from inference_container.interrogation.tagging import keep_tags, write_tags
from inference_container.models.tagger import DeepDanbooruTagger, load_tagger
from inference_container.pictures.resizing import resize
from tests.interrogation.published_models import Numbers, numbers, weights
from tests.tiny_interrogation import model_file

ROUNDING = 2e-5
"""Relative to the root mean square of a layer: float32, summed in another order."""


@pytest.fixture(scope="module")
def published() -> Numbers:
    return numbers("deepdanbooru")


@pytest.fixture(scope="module")
def tagger(published: Numbers, tmp_path_factory: pytest.TempPathFactory) -> DeepDanbooruTagger:
    path = tmp_path_factory.mktemp("published") / "model-resnet_custom_v3.pt"
    torch.save({**weights(published), "tags": published["tags"].tolist()}, path)
    loaded = load_tagger(model_file(path, AssetType.TAGGER), device=torch.device("cpu"), dtype=torch.float32)
    assert isinstance(loaded, DeepDanbooruTagger)
    return loaded


def test_the_picture_that_the_network_sees_is_webuis_to_the_bit(published: Numbers) -> None:
    shown = np.array(resize(Image.fromarray(published["picture"]), mode=2, width=512, height=512))
    assert np.array_equal(shown[::37, ::37], published["shown_8"])
    assert np.array_equal(shown.astype(np.int64).sum((0, 2)), published["shown_sum"])


def test_each_of_the_179_convolutions_gives_the_published_numbers(
    published: Numbers, tagger: DeepDanbooruTagger
) -> None:
    names = {
        value.removesuffix(".weight"): key.removesuffix(".weight") for key, value in tagger.network.file_names.items()
    }
    modules = dict(tagger.network.named_modules())
    seen: dict[int, torch.Tensor] = {}
    hooks = [
        modules[names[f"n_Conv_{number}"]].register_forward_hook(
            lambda _module, _inputs, output, number=number: seen.update({number: output.detach()})
        )
        for number in range(len(published["shapes"]))
    ]
    scores = tagger.score(Image.fromarray(published["picture"]))
    for hook in hooks:
        hook.remove()

    assert len(seen) == 179
    for number, output in sorted(seen.items()):
        assert output.shape[1:] == tuple(published["shapes"][number]), f"n_Conv_{number}"
        picked = output.flatten()[torch.from_numpy(published["picked"][number].astype(np.int64))]
        error = (picked - torch.from_numpy(published["values"][number])).abs().max() / published["rms"][number]
        assert error < ROUNDING, f"n_Conv_{number} differs by {error:.1e} of its root mean square"
    logits = seen[178].mean((2, 3))[0].numpy()
    assert np.abs(logits - published["logits"]).max() < ROUNDING
    assert np.abs(np.array(scores) - published["probabilities"]).max() < ROUNDING


def test_the_line_of_tags_is_webuis_for_every_setting(published: Numbers, tagger: DeepDanbooruTagger) -> None:
    lines = json.loads(str(published["lines"]))
    assert len(lines) == 144
    for settings, line in lines:
        options = InterrogateOptions(**settings)
        scores = published["probabilities"].tolist()
        kept = keep_tags(zip(tagger.tags, scores, strict=True), options)
        assert write_tags(kept, options) == line, settings
