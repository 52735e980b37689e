"""Picture files of the user: one, several or whole folders, and the mask that belongs to each."""

import base64
from collections.abc import Sequence
from pathlib import Path

from generate_on_cloud.client.errors import CloudError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff")


def pictures_in(paths: Sequence[Path]) -> list[Path]:
    """The files, and of folders every picture in them by name.

    Raises:
        CloudError: a file does not exist, or a folder has no picture.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            if not path.exists():
                raise CloudError(f"there is no file {path}")
            found.append(path)
            continue
        inside = sorted(one for one in path.iterdir() if one.suffix.lower() in EXTENSIONS and one.is_file())
        if not inside:
            raise CloudError(f"{path} has no pictures; allowed: {', '.join(EXTENSIONS)}")
        found += inside
    return found


def mask_of(picture: Path, masks: Path | None) -> Path | None:
    """The mask of a picture: the file itself, or in a folder the one called like the picture.

    Raises:
        CloudError: the folder has no such mask.
    """
    if masks is None or not masks.is_dir():
        return masks
    same = [path for path in sorted(masks.iterdir()) if path.stem == picture.stem and path.suffix.lower() in EXTENSIONS]
    if not same:
        raise CloudError(f"{masks} has no mask for {picture.name}; it must be called {picture.stem}.png or similar")
    return same[0]


def read_picture(path: Path) -> str:
    """The file in base64, as WebUI's fields for pictures take it.

    Raises:
        OSError: it cannot be read.
    """
    return base64.b64encode(path.read_bytes()).decode()
