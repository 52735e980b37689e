"""The styles a job may use, from the files it was given."""

from collections.abc import Mapping

from inference_container.contract.assets import MAX_STYLES_BYTES, AssetType
from inference_container.contract.params import ImageParams
from inference_container.models.files import JobFiles
from inference_container.models.tensor_file import corrupt
from inference_container.prompt.errors import StylesFileError
from inference_container.prompt.styles import Style, read_styles


def job_styles(params: ImageParams, files: JobFiles) -> Mapping[str, Style]:
    """All styles by name when the request asks for any; of two with one name the one of the later file.

    Raises:
        JobFailed: asset_corrupt, a styles file cannot be read.
    """
    styles: dict[str, Style] = {}
    for file in files.of(AssetType.STYLES) if params.styles else ():
        try:
            with file.path.open("rb") as stream:
                styles |= read_styles(stream.read(MAX_STYLES_BYTES))
        except StylesFileError as error:
            raise corrupt(file, str(error)) from error
    return styles
