"""Networks that the prompts name take part in a job, and only in that one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import Txt2ImgParams
from inference_container.drawing.prompts import read_prompts
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.networks.network_file import load_network_file
from tests.networks.network_files import hypernetwork_file, linear_pair, lora, model_file, numbers, write_network
from tests.tasks.conftest import as_text, noisy
from tests.tasks.running import SMALL, pixels, run

LAYERS = (
    ("lora_unet_up_blocks_3_attentions_0_transformer_blocks_0_attn2_to_v", (16, 32)),
    ("lora_unet_down_blocks_1_resnets_0_conv1", (32, 16, 3, 3)),
    ("lora_te_text_model_encoder_layers_0_mlp_fc1", (128, 32)),
)


@pytest.fixture
def ink(tmp_path: Path) -> ModelFile:
    """A LoRA for both parts of the tiny model."""
    return write_network(
        tmp_path / "ink.safetensors",
        {layer: lora(torch.Size(shape), seed=7 * number) for number, (layer, shape) in enumerate(LAYERS)},
    )


def test_a_lora_moves_the_picture_and_the_next_job_draws_as_before(checkpoint: Checkpoint, ink: ModelFile) -> None:
    plain = run(checkpoint, Task.TXT2IMG)

    drawn = run(checkpoint, Task.TXT2IMG, prompt="the red cat<lora:ink:0.8>", files=[ink])

    assert not np.array_equal(pixels(drawn), pixels(plain))
    assert drawn.images[0].infotext.startswith("the red cat<lora:ink:0.8>\n")
    assert ', Lora hashes: "ink: ' in drawn.images[0].infotext
    assert np.array_equal(pixels(run(checkpoint, Task.TXT2IMG)), pixels(plain))
    nought = run(checkpoint, Task.TXT2IMG, prompt="the red cat<lora:ink:0>", files=[ink])
    assert np.array_equal(pixels(nought), pixels(plain))


@pytest.mark.parametrize(
    ("prompt", "options", "written"),
    [
        ("red", {"sd_lora": "ink"}, "red<lora:ink:1.0>"),
        ("red", {"sd_lora": "ink", "extra_networks_default_multiplier": 0.5}, "red<lora:ink:0.5>"),
        ("red<lora:ink:0.3>", {"sd_lora": "ink"}, "red<lora:ink:0.3>"),
    ],
)
def test_an_option_adds_a_lora_to_every_prompt(
    checkpoint: Checkpoint, ink: ModelFile, prompt: str, options: dict[str, Any], written: str
) -> None:
    drawn = run(checkpoint, Task.TXT2IMG, prompt=prompt, files=[ink], override_settings=options)
    tagged = run(checkpoint, Task.TXT2IMG, prompt=written, files=[ink])

    assert drawn.images[0].infotext.splitlines()[0] == drawn.info["prompt"] == written
    assert np.array_equal(pixels(drawn), pixels(tagged))


def test_both_passes_add_the_lora_of_the_option_and_infotext_shows_both_tags(
    checkpoint: Checkpoint, ink: ModelFile
) -> None:
    hires: dict[str, Any] = {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 1.5}
    options = {"sd_lora": "ink"}

    drawn = run(checkpoint, Task.TXT2IMG, prompt="red", files=[ink], override_settings=options, **hires)
    tagged = run(checkpoint, Task.TXT2IMG, prompt="red<lora:ink>", files=[ink], **hires)
    off = run(checkpoint, Task.TXT2IMG, prompt="red", override_settings=options, disable_extra_networks=True, **hires)

    assert drawn.info["prompt"] == "red<lora:ink:1.0><lora:ink:1.0>"
    assert ", Hires prompt: red, " in drawn.images[0].infotext
    assert np.array_equal(pixels(drawn), pixels(tagged))
    assert off.info["prompt"] == "red"


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("red", "red<hypernet:bend:0.5><lora:ink:0.5>"),
        ("red<lora:wax>", "red<lora:wax><lora:ink:0.5><hypernet:bend:0.5>"),
        ("red<hypernet:bend>", "red<hypernet:bend><lora:ink:0.5>"),
        ("<hypernet:old><lora:wax>", "<hypernet:old><lora:wax><hypernet:bend:0.5><lora:ink:0.5>"),
        ("<lora:ink><hypernet:bend>", "<lora:ink><hypernet:bend>"),
    ],
)
def test_options_add_networks_in_webuis_order(prompt: str, written: str) -> None:
    options = {"sd_lora": "ink", "sd_hypernetwork": "bend", "extra_networks_default_multiplier": 0.5}
    params = Txt2ImgParams(**{**SMALL, "prompt": prompt, "override_settings": options})

    assert read_prompts(params, styles={}).prompt == written


def test_an_option_adds_a_hypernetwork_to_every_prompt(checkpoint: Checkpoint, tmp_path: Path) -> None:
    bend = linear_pair(32, seed=1)
    files = [hypernetwork_file(tmp_path / "bend.pt", {32: (bend, bend)})]

    drawn = run(checkpoint, Task.TXT2IMG, prompt="red", files=files, override_settings={"sd_hypernetwork": "bend"})
    tagged = run(checkpoint, Task.TXT2IMG, prompt="red<hypernet:bend:1.0>", files=files)

    assert drawn.info["prompt"] == "red<hypernet:bend:1.0>"
    assert np.array_equal(pixels(drawn), pixels(tagged))
    assert not np.array_equal(pixels(drawn), pixels(run(checkpoint, Task.TXT2IMG, prompt="red")))


def test_hashes_of_networks_can_be_left_out_of_infotexts(checkpoint: Checkpoint, tmp_path: Path) -> None:
    layers = {layer: lora(torch.Size(shape)) for layer, shape in LAYERS}
    ink = write_network(
        tmp_path / "ink.safetensors", layers | {"bundle_emb.cat": {"string_to_param.*": numbers(2, 32)}}
    )

    def told(**options: bool) -> str:
        body: dict[str, Any] = {"prompt": "cat<lora:ink>", "negative_prompt": ""}
        infotext = run(checkpoint, Task.TXT2IMG, files=[ink], override_settings=options, **body).images[0].infotext
        return infotext.partition("RNG: CPU, ")[2].partition("Version: ")[0]

    loras, embeddings = f'Lora hashes: "ink: {load_network_file(ink).hash}", ', 'TI hashes: "cat: ink", '
    assert told() == loras + embeddings
    assert told(lora_add_hashes_to_infotext=False) == embeddings
    assert told(textual_inversion_add_hashes_to_infotext=False) == loras
    assert told(lora_bundled_ti_to_infotext=False) == loras + 'TI hashes: "cat: ", '


def test_layers_that_do_not_fit_are_named_in_the_result(checkpoint: Checkpoint, tmp_path: Path) -> None:
    layers = {layer: lora(torch.Size(shape)) for layer, shape in LAYERS}
    odd = write_network(tmp_path / "odd.safetensors", layers | {"lora_unet_no_such": lora(torch.Size((4, 4)))})
    hires: dict[str, Any] = {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 1.5}

    drawn = run(checkpoint, Task.TXT2IMG, prompt="cat<lora:odd>", files=[odd], **hires)
    image = as_text(noisy(64, 64))
    redrawn = run(checkpoint, Task.IMG2IMG, prompt="cat<lora:odd>", files=[odd], init_images=[image])

    assert drawn.warnings == redrawn.warnings
    assert [warning.partition(" layers of odd.safetensors")[0] for warning in drawn.warnings] == ["1 of 4"]


def test_a_job_that_fails_under_a_lora_leaves_the_model_as_it_was(checkpoint: Checkpoint, ink: ModelFile) -> None:
    plain = run(checkpoint, Task.TXT2IMG)

    with pytest.raises(JobFailed, match="clip skip 3"):
        run(
            checkpoint,
            Task.TXT2IMG,
            prompt="<lora:ink>",
            files=[ink],
            override_settings={"CLIP_stop_at_last_layers": 3},
        )

    assert np.array_equal(pixels(run(checkpoint, Task.TXT2IMG)), pixels(plain))


def test_the_second_pass_of_hires_fix_has_the_networks_of_its_own_prompt(
    checkpoint: Checkpoint, ink: ModelFile
) -> None:
    hires: dict[str, Any] = {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 1.5, "n_iter": 2}
    both = run(checkpoint, Task.TXT2IMG, prompt="the red cat<lora:ink>", files=[ink], **hires)
    second = run(checkpoint, Task.TXT2IMG, hr_prompt="the red cat<lora:ink>", files=[ink], **hires)
    none = run(checkpoint, Task.TXT2IMG, **hires)

    for number in range(2):
        drawn = [pixels(output, number) for output in (both, second, none)]
        assert not np.array_equal(drawn[0], drawn[1])
        assert not np.array_equal(drawn[1], drawn[2])
        assert not np.array_equal(drawn[0], drawn[2])
    assert ', Lora hashes: "ink: ' in second.images[0].infotext


def test_the_second_passes_prompts_can_be_encoded_with_the_networks_of_the_first(
    checkpoint: Checkpoint, ink: ModelFile, tmp_path: Path
) -> None:
    torch.save({"string_to_param": {"*": numbers(3, 32)}}, tmp_path / "cat.pt")
    cat = model_file(tmp_path / "cat.pt", AssetType.EMBEDDING)
    hires: dict[str, Any] = {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 1.5, "files": [ink, cat]}
    early = {"hires_fix_use_firstpass_conds": True}

    drawn = run(checkpoint, Task.TXT2IMG, prompt="cat<lora:ink>", hr_prompt="a cat", override_settings=early, **hires)
    same = run(checkpoint, Task.TXT2IMG, prompt="cat<lora:ink>", hr_prompt="a cat<lora:ink:1:0>", **hires)
    default = run(checkpoint, Task.TXT2IMG, prompt="cat<lora:ink>", hr_prompt="a cat", **hires)

    assert np.array_equal(pixels(drawn), pixels(same))
    assert not np.array_equal(pixels(drawn), pixels(default))
    one = f"cat: {cat.sha256[:12]}"
    assert f'TI hashes: "{one}, {one}"' in drawn.images[0].infotext
    assert f'TI hashes: "{one}"' in default.images[0].infotext


def test_a_hypernetwork_moves_img2img_and_the_next_job_draws_as_before(checkpoint: Checkpoint, tmp_path: Path) -> None:
    bend = linear_pair(32, seed=1)
    file = hypernetwork_file(tmp_path / "bend.pt", {32: (bend, bend)})
    body: dict[str, Any] = {"init_images": [as_text(noisy(64, 64))], "denoising_strength": 0.9}
    plain = run(checkpoint, Task.IMG2IMG, **body)

    drawn = run(checkpoint, Task.IMG2IMG, prompt="the red cat<hypernet:bend:3>", files=[file], **body)

    assert not np.array_equal(pixels(drawn), pixels(plain))
    assert np.array_equal(pixels(run(checkpoint, Task.IMG2IMG, **body)), pixels(plain))


def test_an_embedding_stands_for_its_name_in_both_prompts(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "Cat.pt"
    torch.save({"string_to_param": {"*": numbers(3, 32)}}, path)
    file = model_file(path, AssetType.EMBEDDING)
    plain = run(checkpoint, Task.TXT2IMG, negative_prompt="on")

    positive = run(checkpoint, Task.TXT2IMG, negative_prompt="on", files=[file])
    negative = run(checkpoint, Task.TXT2IMG, prompt="the red", negative_prompt="cat", files=[file])
    unnamed = run(checkpoint, Task.TXT2IMG, prompt="the red", negative_prompt="on", files=[file])

    assert not np.array_equal(pixels(positive), pixels(plain))
    assert f', TI hashes: "Cat: {file.sha256[:12]}", ' in positive.images[0].infotext
    assert f', TI hashes: "Cat: {file.sha256[:12]}", ' in negative.images[0].infotext
    assert "TI hashes" not in unnamed.images[0].infotext


def test_styles_are_merged_into_the_prompts_before_their_tags_are_read(
    checkpoint: Checkpoint, ink: ModelFile, tmp_path: Path
) -> None:
    path = tmp_path / "styles.csv"
    path.write_text("name,prompt,negative_prompt\nink,{prompt} on<lora:ink>,cat\nred,red,\n")
    styles = model_file(path, AssetType.STYLES)

    styled = run(checkpoint, Task.TXT2IMG, prompt="the cat", styles=["ink", "red"], files=[styles, ink])
    written_out = run(checkpoint, Task.TXT2IMG, prompt="the cat on<lora:ink>, red", negative_prompt="cat", files=[ink])

    assert np.array_equal(pixels(styled), pixels(written_out))
    assert styled.images[0].infotext == written_out.images[0].infotext
    assert styled.info["styles"] == ["ink", "red"]
    assert styled.parameters["prompt"] == "the cat"
    with pytest.raises(JobFailed, match="styles: unknown style 'oil'; allowed: ink, red"):
        run(checkpoint, Task.TXT2IMG, styles=["oil"], files=[styles])
