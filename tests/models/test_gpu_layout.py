"""GPU arrangements are asked for by settings, made on a GPU only, and never on a CPU."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch._inductor import config as inductor

from inference_container.models.gpu_layout import lay_out_for_gpu, why_nothing_compiles
from inference_container.models.loader import load_checkpoint
from tests.models.conftest import model_file
from tests.tiny_checkpoint import write_tiny_checkpoint


@dataclass
class Module:
    """Writes down what is asked of it."""

    asked: list[str] = field(default_factory=list)

    def to(self, *, memory_format: torch.memory_format) -> None:
        self.asked.append(str(memory_format))

    def compile_repeated_blocks(self) -> None:
        self.asked.append("compiled")


@pytest.mark.parametrize(
    ("device", "compile_blocks", "of_unet", "of_vae"),
    [
        ("cpu", True, [], []),
        ("cuda", False, ["torch.channels_last"], ["torch.channels_last"]),
        ("cuda", True, ["torch.channels_last", "compiled"], ["torch.channels_last"]),
    ],
)
def test_what_is_asked_of_the_modules(device: str, compile_blocks: bool, of_unet: list[str], of_vae: list[str]) -> None:
    unet, vae = Module(), Module()

    lay_out_for_gpu(
        unet, vae, device=torch.device(device), compile_blocks=compile_blocks, why_not_compiled=lambda _: None
    )

    assert (unet.asked, vae.asked) == (of_unet, of_vae)


def test_where_nothing_compiles_the_unet_runs_as_it_is_and_one_warning_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No compiler is found, as in the image."""
    monkeypatch.setattr(inductor.cpp, "cxx", ("/nowhere/cc",))
    monkeypatch.setattr(inductor, "fx_graph_cache", False)
    why_nothing_compiles.cache_clear()
    torch.compiler.reset()
    unets = [Module(), Module()]

    for unet in unets:
        lay_out_for_gpu(
            unet,
            Module(),
            device=torch.device("cuda"),
            compile_blocks=True,
            why_not_compiled=lambda _: why_nothing_compiles(torch.device("cpu")),
        )

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [unet.asked for unet in unets] == [["torch.channels_last"]] * 2
    assert len(warnings) == 1
    assert warnings[0].startswith("compile_unet has no effect, the UNet runs uncompiled: ")
    why_nothing_compiles.cache_clear()


def test_a_checkpoint_on_the_cpu_is_as_its_file_has_it(tmp_path: Path) -> None:
    file = model_file(write_tiny_checkpoint(tmp_path / "tiny.safetensors"))

    loaded = load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32, compile_blocks=True)

    assert hasattr(type(loaded.unet), "compile_repeated_blocks")
    assert loaded.unet.conv_in.weight.is_contiguous()
