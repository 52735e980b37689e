"""The answer of a script that composes its pictures from those of several drawings."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from generate_on_cloud.webui.infotext.writer import build_info, write_infotext
from inference_container.scripts.drawing_board import DrawingBoard, Finished

NO_SUBSEED = -1
"""The `subseed` that WebUI reports for such an answer."""


def composed(
    board: DrawingBoard[Any],
    images: Sequence[Image.Image],
    *,
    seeds: Sequence[int | None],
    own_texts: Sequence[str] | None = None,
    **changed: object,
) -> Finished:
    """The answer with these pictures; WebUI describes it by the last drawing, with seed and infotext of the first.

    Args:
        seeds: of each picture; None for a grid.
        own_texts: the infotext inside each file, "" for none; None: all files have none, as for composed pictures.
        changed: further entries of `info`.

    Raises:
        JobFailed: invalid_params, if the format does not support such a picture.
    """
    texts = [write_infotext(board.first, 0)] * len(images)
    info = {
        **build_info(board.last),
        "seed": board.first.seeds[0],
        "subseed": NO_SUBSEED,
        "infotexts": texts,
        **changed,
    }
    return Finished(board.store(images, infotexts=texts, seeds=seeds, inside=own_texts or [""] * len(images)), info)
