"""Scripts: the classes that extensions derive from, and the runner that builds their controls."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

AlwaysVisible = object()


class Script:
    args_from = 0
    args_to = 0
    is_img2img = False

    def title(self) -> str:
        raise NotImplementedError

    def show(self, is_img2img: bool) -> Any:
        return True

    def ui(self, is_img2img: bool) -> Sequence[Any]:
        return []


class Sampler(Script):
    def show(self, is_img2img: bool) -> Any:
        return AlwaysVisible

    def title(self) -> str:
        return "Sampler"

    def ui(self, is_img2img: bool) -> Sequence[Any]:
        tab = "img2img" if is_img2img else "txt2img"
        return [
            gr.Slider(1, 150, 8, step=1, label="Sampling steps", elem_id=f"{tab}_steps"),
            gr.Dropdown(["Euler", "DPM++ 2M"], value="Euler", label="Sampling method", elem_id=f"{tab}_sampling"),
            gr.Dropdown(["Automatic", "Karras"], value="Automatic", label="Schedule type"),
        ]


class Seed(Script):
    def show(self, is_img2img: bool) -> Any:
        return AlwaysVisible

    def title(self) -> str:
        return "Seed"

    def ui(self, is_img2img: bool) -> Sequence[Any]:
        tab = "img2img" if is_img2img else "txt2img"
        return [
            gr.Number(7, label="Seed", elem_id=f"{tab}_seed", precision=0),
            gr.Checkbox(False, label="Extra"),
            gr.Number(-1, label="Variation seed", precision=0),
            gr.Slider(0.0, 1, 0, label="Variation strength"),
            gr.Slider(0, 2048, 0, label="Resize seed from width"),
            gr.Slider(0, 2048, 0, label="Resize seed from height"),
        ]


class Unit:
    """What an extension for ControlNet hands over: an object with attributes, its picture an array."""

    def __init__(self, enabled: bool, model: str, weight: float, image: Any) -> None:
        self.enabled, self.module, self.model, self.weight, self.image = enabled, "none", model, weight, image
        self.resize_mode, self.control_mode, self.pixel_perfect = "Crop and Resize", "Balanced", False
        self.processor_res, self.threshold_a, self.threshold_b = -1, -1, -1
        self.guidance_start, self.guidance_end = 0.0, 1.0


class ControlNet(Script):
    """Collects a unit's last edit by a click event of its own on Generate, as the extension does."""

    def show(self, is_img2img: bool) -> Any:
        return AlwaysVisible

    def title(self) -> str:
        return "ControlNet"

    def ui(self, is_img2img: bool) -> Sequence[Any]:
        tab = "img2img" if is_img2img else "txt2img"
        self.widgets = [
            gr.Checkbox(False, label="Enable", elem_id=f"{tab}_controlnet_enable"),
            gr.Dropdown(["None", "edges [3f1b2a90]"], value="None", label="Model", elem_id=f"{tab}_controlnet_model"),
            gr.Slider(0, 2, 1, label="Control Weight", elem_id=f"{tab}_controlnet_weight"),
            gr.Image(type="numpy", label="Image", elem_id=f"{tab}_controlnet_image"),
        ]
        self.unit = gr.State(value=Unit(False, "None", 1.0, None))
        return [self.unit]


class PromptMatrix(Script):
    """A script that the cloud has, too."""

    def title(self) -> str:
        return "Prompt matrix"

    def ui(self, is_img2img: bool) -> Sequence[Any]:
        return [
            gr.Checkbox(False, label="Put variable parts at start of prompt"),
            gr.Checkbox(False, label="Use different seed for each picture"),
            gr.Radio(["positive", "negative"], value="positive", label="Select prompt"),
            gr.Radio(["comma", "space"], value="comma", label="Select joining char"),
            gr.Slider(0, 500, 0, label="Grid margins (px)"),
        ]


class Runner:
    def __init__(self, *, is_img2img: bool) -> None:
        self.is_img2img = is_img2img
        self.alwayson_scripts: list[Any] = []
        self.selectable_scripts: list[Any] = []
        self.inputs: list[Any] = [None]

    def load(self, classes: Sequence[type[Any]]) -> None:
        for each in classes:
            script = each()
            script.is_img2img = self.is_img2img
            shown = script.show(self.is_img2img)
            if shown is AlwaysVisible:
                self.alwayson_scripts.append(script)
            elif shown:
                self.selectable_scripts.append(script)

    def build(self) -> Sequence[Any]:
        names = ["None", *(script.title() for script in self.selectable_scripts)]
        self.inputs = [gr.Dropdown(names, value="None", type="index", label="Script", elem_id="script_list")]
        for script in [*self.alwayson_scripts, *self.selectable_scripts]:
            script.args_from = len(self.inputs)
            self.inputs += script.ui(self.is_img2img)
            script.args_to = len(self.inputs)
        return self.inputs


scripts_txt2img = Runner(is_img2img=False)
scripts_img2img = Runner(is_img2img=True)


def load_scripts(extensions: Path) -> None:
    classes: list[type[Any]] = [Sampler, Seed, ControlNet, PromptMatrix]
    for path in sorted(extensions.glob("*/scripts/*.py")):
        spec = importlib.util.spec_from_file_location(path.name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        classes += [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Script)]
    for runner in (scripts_txt2img, scripts_img2img):
        runner.load(classes)
