"""The styles that a job can use, from its files."""

from collections.abc import Mapping

from generate_on_cloud.contract.assets import MAX_STYLES_BYTES, AssetType
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.webui.prompt.errors import StylesFileError
from generate_on_cloud.webui.prompt.styles import Style, read_styles
from inference_container.models.files import JobFiles
from inference_container.models.tensor_file import corrupt


def job_styles(params: ImageParams, files: JobFiles) -> Mapping[str, Style]:
    """All styles by name if the request names any; of several with one name, that of the last file counts.

    Raises:
        JobFailed: asset_corrupt, if a styles file cannot be read.
    """
    styles: dict[str, Style] = {}
    for file in files.of(AssetType.STYLES) if params.styles else ():
        try:
            with file.path.open("rb") as stream:
                styles |= read_styles(stream.read(MAX_STYLES_BYTES))
        except StylesFileError as error:
            raise corrupt(file, str(error)) from error
    return styles
