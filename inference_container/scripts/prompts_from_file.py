"""Prompts from file or textbox: draws every line of a text as a request."""

from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.prompt_lines import line_params
from generate_on_cloud.contract.selectable_scripts import PromptsFromFile
from generate_on_cloud.webui.infotext.writer import build_info, write_infotext
from inference_container.drawing.results import encode_drawing
from inference_container.scripts.composed import NO_SUBSEED
from inference_container.scripts.drawing_board import DrawingBoard, Finished, drawing_shares
from inference_container.task import EncodedImage


def prompts_from_file(script: PromptsFromFile, board: DrawingBoard[ImageParams]) -> Finished:
    """Draw each line with its own fields.

    Raises:
        JobFailed: a line cannot be drawn.
    """
    # 1. One seed for all lines, or a random one for each.
    asked = board.params
    if asked.seed == -1 and (script.checkbox_iterate or script.checkbox_iterate_batch):
        asked = asked.model_copy(update={"seed": board.with_fixed_seeds().seed})

    # 2. Draw every line.
    lines = line_params(script, asked)
    board.expect(drawing_shares(lines))
    encoded: list[EncodedImage] = []
    prompts: list[str] = []
    infotexts: list[str] = []
    for line in lines:
        drawing = board.draw(line)
        encoded += encode_drawing(drawing)
        prompts += drawing.record.prompts
        infotexts += [write_infotext(drawing.record, number) for number in range(len(drawing.images))]

    # 3. WebUI describes the whole by the request, of which nothing was drawn.
    seed = asked.seed + (len(lines) * asked.batch_size * asked.n_iter if script.checkbox_iterate else 0)
    info = {
        **build_info(board.last),
        "prompt": prompts[0],
        "all_prompts": prompts,
        "negative_prompt": asked.negative_prompt,
        "all_negative_prompts": [asked.negative_prompt],
        "seed": seed,
        "all_seeds": [seed],
        "subseed": NO_SUBSEED,
        "all_subseeds": [NO_SUBSEED],
        "subseed_strength": asked.subseed_strength,
        "width": asked.width,
        "height": asked.height,
        "sampler_name": asked.sampler_choice().sampler,
        "cfg_scale": asked.cfg_scale,
        "steps": asked.steps,
        "batch_size": asked.batch_size,
        "restore_faces": asked.restore_faces,
        **dict.fromkeys(("sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash")),
        "seed_resize_from_w": asked.seed_resize_from_w,
        "seed_resize_from_h": asked.seed_resize_from_h,
        "denoising_strength": getattr(asked, "denoising_strength", None),
        "infotexts": infotexts,
        "styles": list(asked.styles),
        "clip_skip": asked.options.CLIP_stop_at_last_layers,
        "is_using_inpainting_conditioning": False,
    }
    return Finished(tuple(encoded), info)
