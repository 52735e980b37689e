"""Puts many small pictures on one sheet for people to look at."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor


def save_contact_sheet(pictures: Tensor, path: Path, *, columns: int = 8, zoom: int = 2) -> None:
    """Write a PNG of the pictures in reading order.

    Args:
        pictures: uint8, shape (count, 3, side, side).
        zoom: whole pixels per pixel.
    """
    count, _, side, _ = pictures.shape
    rows = -(-count // columns)
    sheet = torch.full((3, rows * (side + 2), columns * (side + 2)), 128, dtype=torch.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (side + 2), index % columns * (side + 2)
        sheet[:, top : top + side, left : left + side] = picture
    image = Image.fromarray(sheet.permute(1, 2, 0).contiguous().numpy())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST).save(path)
