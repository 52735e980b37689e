"""Loopback: draws from its own result again and again, with a strength that follows a curve."""

import math

from PIL import Image

from generate_on_cloud.contract.interrogation import InterrogateOptions
from generate_on_cloud.contract.params import Img2ImgParams
from generate_on_cloud.contract.script_work import one_picture
from generate_on_cloud.contract.selectable_scripts import Loopback
from generate_on_cloud.webui.infotext.writer import write_infotext
from inference_container.drawing.drawings import Drawing
from inference_container.drawing.init_picture import ORIGINAL_CONTENT
from inference_container.drawing.picture_words import captioned, tagged
from inference_container.pictures.decoding import decode_picture
from inference_container.pictures.picture_grid import picture_grid
from inference_container.scripts.composed import composed
from inference_container.scripts.drawing_board import DrawingBoard, Finished
from inference_container.scripts.init_source import as_picture


def loopback(script: Loopback, board: DrawingBoard[Img2ImgParams]) -> Finished:
    """Draw `loops` pictures from each other, `n_iter` times; of several rounds only the last pictures are returned.

    Raises:
        JobFailed: the picture cannot be read or drawn.
    """
    # 1. Colours are corrected after each picture's own init picture; WebUI keeps those of the first for a setting of
    #    its page, not of a request.
    asked = board.with_fixed_seeds()
    board.note({"Final denoising strength": script.final_denoising_strength, "Denoising curve": script.denoising_curve})

    # 2. Draw; from the second picture of a round on, there is content under the mask to start from.
    rounds, seed = asked.n_iter, asked.seed
    board.expect([1] * rounds * script.loops)
    kept: list[Drawing] = []
    for _ in range(rounds):
        params = one_picture(asked)
        for loop in range(script.loops):
            update: dict[str, object] = {"seed": seed, "denoising_strength": strength_at(script, asked, loop)}
            if script.append_interrogation != "None":
                update["prompt"] = _described(script, board, asked.prompt, params.init_images[0])
            drawing = board.draw(params.model_copy(update=update))
            seed = drawing.record.seeds[0] + 1
            source = {"init_images": [as_picture(drawing.images[0])], "inpainting_fill": ORIGINAL_CONTENT}
            params = params.model_copy(update=source)
            if rounds == 1 or loop == script.loops - 1:
                kept.append(drawing)

    # 3. A grid precedes several pictures.
    images: list[Image.Image] = [one.images[0] for one in kept]
    texts = [write_infotext(one.record, 0) for one in kept]
    seeds: list[int | None] = [one.record.seeds[0] for one in kept]
    if len(images) > 1 and asked.options.return_grid:
        images, texts, seeds = [picture_grid(images, rows=1), *images], ["", *texts], [None, *seeds]
    after = strength_at(script, asked, script.loops)
    return composed(board, images, seeds=seeds, own_texts=texts, denoising_strength=after)


def _described(script: Loopback, board: DrawingBoard[Img2ImgParams], prompt: str, picture: str) -> str:
    """The request's prompt and the words for the picture that is drawn from."""
    words = captioned if script.append_interrogation == "CLIP" else tagged
    image = decode_picture(picture, field="init_images[0]")
    said = words(board.job, image, name=None, options=InterrogateOptions(), progress=board.progress, is_counted=False)
    return f"{prompt}, {said.text}" if prompt else said.text


def strength_at(script: Loopback, params: Img2ImgParams, loop: int) -> float:
    """The denoising strength of a loop, counted from 0; like WebUI, the curve goes on after the last one."""
    start = params.denoising_strength
    if script.loops == 1 or loop == 0:
        return start
    way = loop / (script.loops - 1)
    if script.denoising_curve == "Aggressive":
        way = math.sin(way * math.pi * 0.5)
    elif script.denoising_curve == "Lazy":
        way = 1 - math.cos(way * math.pi * 0.5)
    return start + (script.final_denoising_strength - start) * way
