"""`make gpu-check` with tiny models on this machine's CPU, and what it does with checks that go wrong."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from checks.gpu import __main__ as gpu_check
from checks.gpu.bench import Bench
from checks.gpu.full_size import BIG_G, OPEN_CLIP, SDXL
from checks.gpu.report import Row, Verdict, judged
from tests.tiny_checkpoint import STABLE_DIFFUSION_1_5, text_shapes, unet_shapes, vae_shapes
from tests.tiny_families import open_clip_shapes


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(torch.device("cpu"), tmp_path, tiny=True, ends_at=time.monotonic() + 100)


def check(report: Path, *names: str) -> list[dict[str, str]]:
    chosen = [word for name in names for word in ("--only", name)]
    assert gpu_check.main(["--tiny", "--json", str(report), *chosen]) == 0
    rows: list[dict[str, str]] = json.loads(report.read_text(encoding="utf-8"))["rows"]
    return rows


def test_noise_nan_and_loading_pass_with_tiny_models(tmp_path: Path) -> None:
    rows = check(tmp_path / "report.json", "noise", "NaN", "loading")
    verdicts = {row["name"]: row["verdict"] for row in rows if not row["name"].startswith("cold")}
    assert verdicts == {
        "NV: known numbers of seed 0": Verdict.OK,
        "NV and GPU against torch on CUDA": Verdict.SKIPPED,
        "a VAE that overflows in float16": Verdict.OK,
        "a UNet that gives NaN": Verdict.OK,
        "switching between two checkpoints": Verdict.MEASURED,
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of diffusers' own pipeline
def test_speed_compiling_and_precision_pass_with_tiny_models(tmp_path: Path) -> None:
    rows = check(tmp_path / "report.json", "speed", "compile", "precision")
    speeds = [row["figures"] for row in rows if row["section"] == "speed"]
    assert len(speeds) == 2
    assert all(min(figures.values()) > 0 for figures in speeds)  # type: ignore[attr-defined]
    assert {row["name"] for row in rows if row["verdict"] == Verdict.OK} == {
        "without a compiler a picture is drawn",
        "the trained demo model, bfloat16",
        "tiny SD 1, bfloat16",
        "tiny SD 2, bfloat16",
        "tiny SDXL, bfloat16",
    }


def test_a_check_that_crashes_is_a_failed_row_and_the_next_one_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashing(_: Bench) -> Iterator[Row]:
        yield judged("one", "before", good=True, text="")
        raise RuntimeError("CUDA error")

    def passing(_: Bench) -> Iterator[Row]:
        yield judged("two", "after", good=True, text="")

    monkeypatch.setattr(gpu_check, "CHECKS", {"one": crashing, "two": passing})
    rows = list(gpu_check.run_checks(bench, ["one", "two"]))
    assert [(row.name, row.verdict) for row in rows] == [
        ("before", Verdict.OK),
        ("the check itself", Verdict.FAILED),
        ("after", Verdict.OK),
    ]
    assert rows[1].text == "RuntimeError: CUDA error"


def test_a_check_that_no_time_is_left_for_is_skipped(bench: Bench) -> None:
    bench.ends_at = time.monotonic() - 1
    assert [row.verdict for row in gpu_check.run_checks(bench, ["noise", "NaN"])] == [Verdict.SKIPPED] * 2


def test_without_a_gpu_full_size_is_refused_and_tiny_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        gpu_check.main([])
    assert "allowed without one: --tiny" in capsys.readouterr().err


def test_the_models_of_full_size_have_as_many_parameters_as_the_published_ones() -> None:
    def count(shapes: Iterator[tuple[str, tuple[int, ...]]]) -> int:
        return sum(int(torch.Size(shape).numel()) for _, shape in shapes)

    assert count(unet_shapes(STABLE_DIFFUSION_1_5)) == 859_520_964
    assert count(unet_shapes(SDXL)) == 2_567_463_684
    assert count(vae_shapes(SDXL)) == 83_653_863
    assert count(text_shapes(SDXL)) == 123_060_480
    assert count(open_clip_shapes(OPEN_CLIP, BIG_G)) == 694_659_841
