"""SD upscale: enlarges the init picture, then draws it tile by tile."""

from PIL import Image

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.params import Img2ImgParams
from generate_on_cloud.contract.selectable_scripts import SdUpscale
from generate_on_cloud.contract.tilings import tiling
from inference_container.drawing.upscalers import request_upscaler
from inference_container.pictures.tile_grid import cut_tiles, join_tiles
from inference_container.pictures.upscaling import upscale_by
from inference_container.scripts.composed import composed
from inference_container.scripts.drawing_board import DrawingBoard, Finished
from inference_container.scripts.init_source import as_picture, init_picture


def sd_upscale(script: SdUpscale, board: DrawingBoard[Img2ImgParams]) -> Finished:
    """Draw the enlarged picture `n_iter` times, each from its own seed.

    Raises:
        JobFailed: the picture cannot be read, enlarged or drawn.
    """
    # 1. Enlarge the picture.
    asked = board.with_fixed_seeds()
    upscaler = request_upscaler(board.job, asked, script.upscaler, progress=board.progress)
    with board.progress.phase(JobPhase.ENCODING):
        picture = init_picture(asked)
        board.check_size(picture.size)
    if upscaler is not None:
        with board.progress.phase(JobPhase.UPSCALING):
            picture = upscale_by(picture, upscaler, script.scale_factor)

    # 2. Cut it into tiles.
    plan = tiling(picture.size, tile=(asked.width, asked.height), overlap=script.overlap)
    tiles = [as_picture(one) for one in cut_tiles(picture, plan)]
    batches = [tiles[start : start + asked.batch_size] for start in range(0, len(tiles), asked.batch_size)]

    # 3. Draw every tile, and join them.
    board.note({"SD upscale overlap": script.overlap, "SD upscale upscaler": script.upscaler})
    board.expect([1] * len(batches) * asked.n_iter)
    results: list[Image.Image] = []
    for number in range(asked.n_iter):
        seed = asked.seed + number
        drawn: list[Image.Image] = []
        for batch in batches:
            drawing = board.draw(asked.model_copy(update={"n_iter": 1, "init_images": batch, "seed": seed}))
            seed = drawing.record.seeds[0] + 1
            drawn += drawing.images
        results.append(join_tiles(drawn[: len(tiles)], plan))

    # 4. All results have the infotext of the first tile.
    return composed(board, results, seeds=[asked.seed + number for number in range(len(results))])
