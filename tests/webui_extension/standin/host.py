"""A stand-in for the WebUI: real gradio, the host's element ids, values, outputs and hooks.

Started in an environment with the pins of AUTOMATIC1111 (gradio 3.41.2) or of Forge (gradio 4.40.0):
`STANDIN_FOLDER=… python host.py PORT`, where the folder has `extensions/`.
"""

import base64
import io
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import gradio as gr

if not gr.__version__.startswith("3."):  # gradio 4 would write a .pyi next to each class of ours; Forge forbids it too
    import gradio.component_meta

    gradio.component_meta.create_or_modify_pyi = lambda *_args, **_keywords: None
import gradio.routes
from modules import img2img, paths, script_callbacks, scripts, txt2img
from modules.ui_common import connect_send_buttons, output_panel
from modules.ui_components import ToolButton
from PIL import Image

GRADIO_3 = gr.__version__.startswith("3.")
JS = "_js" if GRADIO_3 else "js"
EXTENSIONS = Path(paths.data_path) / "extensions"
PICTURE = {"source": "upload", "tool": "editor"} if GRADIO_3 else {"sources": ["upload"]}


def announce_components() -> None:
    """Call the hook for every component, as the host does."""
    base = gr.components.IOComponent if GRADIO_3 else gr.components.Component
    original = base.__init__

    def announced(self: Any, *args: Any, **keywords: Any) -> None:
        original(self, *args, **keywords)
        for callback in script_callbacks.after_component:
            callback(self, **keywords)

    base.__init__ = announced


class Layer(gr.Textbox):  # type: ignore[misc]
    """One layer of Forge's canvas: a text box with a data URL in the page, a picture in Python."""

    def get_block_name(self) -> str:
        return "textbox"

    def preprocess(self, payload: str | None) -> Any:
        if not payload:
            return None
        return Image.open(io.BytesIO(base64.b64decode(payload.partition(",")[2]))).convert("RGBA")


def canvas(name: str) -> list[Any]:
    """The components of one inner tab, in the order in which the host hands them over."""
    if name == "img2img_upload":
        base = gr.Image(type="pil", elem_id="img_inpaint_base", label="Image", **PICTURE)
        return [base, gr.Image(type="pil", image_mode="RGBA", elem_id="img_inpaint_mask", label="Mask", **PICTURE)]
    if not GRADIO_3:
        layers = [Layer(elem_id=f"{name}_background", label=f"{name} background")]
        return layers if name == "img2img_image" else [*layers, Layer(elem_id=f"{name}_foreground", label="strokes")]
    made = {"type": "pil", "source": "upload", "elem_id": name, "height": 600}
    if name == "img2img_image":
        return [gr.Image(tool="editor", image_mode="RGBA", **made)]
    if name == "img2maskimg":
        return [gr.Image(tool="sketch", image_mode="RGBA", **made)]
    sketch = gr.Image(tool="color-sketch", image_mode="RGB", **made)
    if name == "img2img_sketch":
        return [sketch]
    original = gr.State(None)
    sketch.change(keep_original, [sketch, original], original)
    return [sketch, original]


def keep_original(image: Any, known: Any) -> Any:
    """The picture before the strokes."""
    if image is not None and known is not None and image.size == known.size:
        return known
    return image


def top_row(tab: str) -> tuple[Any, Any, Any, dict[str, Any]]:
    prompt = gr.Textbox(label="Prompt", elem_id=f"{tab}_prompt", lines=2)
    negative = gr.Textbox(label="Negative prompt", elem_id=f"{tab}_neg_prompt", lines=1)
    with gr.Row(elem_id=f"{tab}_generate_box"):
        generate = gr.Button("Generate", elem_id=f"{tab}_generate", variant="primary")
    tools = {}
    with gr.Row(elem_id=f"{tab}_tools"):
        if tab == "img2img":
            tools = {name: ToolButton(value=name[:1], elem_id=name) for name in ("interrogate", "deepbooru")}
    return prompt, negative, generate, tools


def common(tab: str) -> dict[str, Any]:
    return {
        "n_iter": gr.Slider(1, 100, 1, step=1, label="Batch count", elem_id=f"{tab}_batch_count"),
        "batch_size": gr.Slider(1, 8, 1, step=1, label="Batch size", elem_id=f"{tab}_batch_size"),
        "cfg_scale": gr.Slider(1, 30, 7, step=0.5, label="CFG Scale"),
    }


def txt2img_tab() -> None:
    prompt, negative, generate, _ = top_row("txt2img")
    with gr.Row():
        with gr.Column():
            values = {
                "prompt": prompt,
                "negative_prompt": negative,
                "id_task": gr.Textbox(visible=False),
                **common("txt2img"),
            }
            values["prompt_styles"] = gr.Dropdown(
                ["bright"], multiselect=True, label="Styles", elem_id="txt2img_styles"
            )
            values["height"] = gr.Slider(64, 512, 64, step=8, label="Height", elem_id="txt2img_height")
            values["width"] = gr.Slider(64, 512, 64, step=8, label="Width", elem_id="txt2img_width")
            values["enable_hr"] = gr.Checkbox(False, label="Hires. fix")
            values["denoising_strength"] = gr.Slider(0, 1, 0.7, label="Denoising strength")
            values["hr_scale"] = gr.Slider(1, 4, 2, label="Upscale by")
            for name in ("second_pass_steps", "resize_x", "resize_y"):
                values[f"hr_{name}"] = gr.Number(0, label=name)
            for name, value in (("upscaler", "Latent"), ("checkpoint_name", "Use same checkpoint"), ("prompt", ""),
                                ("sampler_name", "Use same sampler"), ("scheduler", "Use same scheduler"),
                                ("negative_prompt", "")):  # fmt: skip
                values[f"hr_{name}"] = gr.Textbox(value, label=f"hires {name}")
            values["override_settings_texts"] = gr.Dropdown([], multiselect=True, label="Override settings")
            script_inputs = scripts.scripts_txt2img.build()
        with gr.Column():
            outputs = output_panel("txt2img")
    wire("txt2img", generate, values, script_inputs, outputs, txt2img.txt2img_create_processing)


MODES = ("img2img_image", "img2img_sketch", "img2maskimg", "inpaint_sketch", "img2img_upload")
MODE_NAMES = ("img2img", "Sketch", "Inpaint", "Inpaint sketch", "Inpaint upload")
CANVASES: dict[str, Any] = {}
"""Where a result can be sent to."""


def img2img_tab() -> None:
    prompt, negative, generate, tools = top_row("img2img")
    with gr.Row():
        with gr.Column():
            values = {
                "prompt": prompt,
                "negative_prompt": negative,
                "id_task": gr.Textbox(visible=False),
                **common("img2img"),
            }
            values["mode"] = gr.Number(0, visible=False)
            values["prompt_styles"] = gr.Dropdown(["bright"], multiselect=True, label="Styles")
            canvases: list[Any] = []
            first: list[Any] = []
            with gr.Tabs(elem_id="mode_img2img"):
                for title, name in zip(MODE_NAMES, MODES, strict=True):
                    with gr.TabItem(title, elem_id=f"img2img_{name}_tab"):
                        made = canvas(name)
                    canvases += made
                    first.append(made[0])
            values["mask_blur"] = gr.Slider(0, 64, 4, step=1, label="Mask blur")
            values["mask_alpha"] = gr.Slider(0, 100, 0, label="Mask transparency")
            values["inpainting_fill"] = gr.Radio(
                ["fill", "original", "latent noise", "latent nothing"], value="original", type="index", label="Masked"
            )
            values["image_cfg_scale"] = gr.Slider(0, 3, 1.5, label="Image CFG Scale")
            values["distilled_cfg_scale"] = gr.Slider(0, 30, 3.5, label="Distilled CFG Scale", visible=not GRADIO_3)
            values["denoising_strength"] = gr.Slider(0, 1, 0.6, label="Denoising strength", elem_id="denoising")
            values["selected_scale_tab"] = gr.Number(0, visible=False)
            with gr.Tabs():
                with gr.TabItem("Resize to", elem_id="img2img_tab_resize_to") as resize_to:
                    values["height"] = gr.Slider(64, 512, 64, step=8, label="Height", elem_id="img2img_height")
                    values["width"] = gr.Slider(64, 512, 64, step=8, label="Width", elem_id="img2img_width")
                with gr.TabItem("Resize by", elem_id="img2img_tab_resize_by") as resize_by:
                    values["scale_by"] = gr.Slider(0.05, 4, 1, label="Scale", elem_id="img2img_scale")
            for number, chosen in enumerate((resize_to, resize_by)):
                chosen.select(lambda number=number: number, outputs=[values["selected_scale_tab"]], queue=False)
            values["resize_mode"] = gr.Radio(
                ["Just resize", "Crop and resize", "Resize and fill"], value="Just resize", type="index", label="Resize"
            )
            values["inpaint_full_res"] = gr.Radio(
                ["Whole picture", "Only masked"], value="Whole picture", type="index", label="Inpaint area"
            )
            values["inpaint_full_res_padding"] = gr.Slider(0, 256, 32, step=4, label="Only masked padding")
            values["inpainting_mask_invert"] = gr.Radio(
                ["Inpaint masked", "Inpaint not masked"], value="Inpaint masked", type="index", label="Mask mode"
            )
            values["override_settings_texts"] = gr.Dropdown([], multiselect=True, label="Override settings")
            script_inputs = scripts.scripts_img2img.build()
        with gr.Column():
            outputs = output_panel("img2img")
    names = list(parameters(img2img.img2img))
    begin = names.index("init_img")
    values.update(zip(names[begin : begin + len(canvases)], canvases, strict=True))
    wire("img2img", generate, values, script_inputs, outputs, img2img.img2img)
    CANVASES.update(img2img=first[0], inpaint=first[2])
    dummy = gr.Textbox(visible=False)
    folders = [gr.Textbox(visible=False), gr.Textbox(visible=False)]
    for button in tools.values():
        button.click(
            lambda *_: ["(no local model)", None],
            inputs=[dummy, *folders, *first],
            outputs=[prompt, dummy],
            **{JS: "get_img2img_tab_index"},
        )


def parameters(function: Any) -> list[str]:
    import inspect

    return [
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.name != "request" and each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]


def wire(
    tab: str, generate: Any, values: dict[str, Any], script_inputs: Any, outputs: list[Any], function: Any
) -> None:
    runner = scripts.scripts_img2img if tab == "img2img" else scripts.scripts_txt2img
    controlnet = next(script for script in runner.alwayson_scripts if isinstance(script, scripts.ControlNet))
    generate.click(scripts.Unit, inputs=controlnet.widgets, outputs=[controlnet.unit], queue=False)
    generate.click(
        lambda *_: [[], "", "<p>No checkpoints found</p>", ""],
        inputs=[*(values[name] for name in parameters(function)), *script_inputs],
        outputs=outputs,
        show_progress=False if GRADIO_3 else "hidden",
        **{JS: "submit_img2img" if tab == "img2img" else "submit"},
    )


def build() -> Any:
    scripts.load_scripts(EXTENSIONS)
    with gr.Blocks(analytics_enabled=False) as txt2img_page:
        txt2img_tab()
    with gr.Blocks(analytics_enabled=False) as img2img_page:
        img2img_tab()
    with gr.Blocks(analytics_enabled=False) as extras_page:
        CANVASES["extras"] = gr.Image(type="pil", elem_id="extras_image", label="Source", **PICTURE)
    pages = [(txt2img_page, "txt2img", "txt2img"), (img2img_page, "img2img", "img2img"),
             (extras_page, "Extras", "extras")]  # fmt: skip
    for callback in script_callbacks.ui_tabs:
        pages += callback()
    with gr.Blocks(analytics_enabled=False, title="Stand-in") as demo, gr.Tabs(elem_id="tabs"):
        for page, title, name in pages:
            with gr.TabItem(title, id=name, elem_id=f"tab_{name}"):
                page.render()
        connect_send_buttons(CANVASES)
    return demo


def add_to_the_page() -> None:
    """Scripts and style sheets of the host and of its extensions go into the page's head."""
    scripts_text = "".join(
        f"<script>{path.read_text()}</script>\n" for path in [HERE / "page.js", *EXTENSIONS.glob("*/javascript/*.js")]
    )
    styles = "".join(f"<style>{path.read_text()}</style>\n" for path in EXTENSIONS.glob("*/style.css"))
    original = gradio.routes.templates.TemplateResponse

    def response(*args: Any, **keywords: Any) -> Any:
        answer = original(*args, **keywords)
        answer.body = answer.body.replace(b"</head>", (scripts_text + styles + "</head>").encode())
        answer.init_headers()
        return answer

    gradio.routes.templates.TemplateResponse = response


def main() -> None:
    announce_components()
    demo = build()
    add_to_the_page()
    if GRADIO_3:
        demo.queue(concurrency_count=64)
    demo.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), show_api=False, quiet=True,
                allowed_paths=[paths.data_path])  # fmt: skip


if __name__ == "__main__":
    main()
