"""Settings, command line, styles and upscalers of the stand-in."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from modules.paths import data_path

opts = SimpleNamespace(
    CLIP_stop_at_last_layers=1,
    enable_prompt_comments=True,
    eta_noise_seed_delta=0,
    localization="None",
    outdir_samples="",
    outdir_extras_samples=str(Path(data_path) / "outputs" / "extras"),
    outdir_txt2img_samples=str(Path(data_path) / "outputs" / "txt2img"),
    outdir_img2img_samples=str(Path(data_path) / "outputs" / "img2img"),
    samples_format="png",
    samples_save=True,
)
settings = Path(data_path) / "settings.json"
for name, value in (json.loads(settings.read_text()) if settings.exists() else {}).items():
    setattr(opts, name, value)
cmd_opts = SimpleNamespace(ckpt_dir=None, embeddings_dir=str(Path(data_path) / "embeddings"))
sd_upscalers = [SimpleNamespace(name=name) for name in ("None", "Lanczos", "Nearest")]


class Styles:
    """One style, `bright`."""

    def apply_styles_to_prompt(self, prompt: str, styles: list[Any]) -> str:
        return f"{prompt}, bright" if "bright" in styles else prompt

    def apply_negative_styles_to_prompt(self, prompt: str, styles: list[Any]) -> str:
        return f"{prompt}, dull" if "bright" in styles else prompt


prompt_styles = Styles()
