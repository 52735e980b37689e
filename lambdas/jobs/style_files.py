"""Styles that a request names, read from the uploaded styles files while the request is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generate_on_cloud.contract.assets import MAX_STYLES_BYTES
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.params import ImageParams, Txt2ImgParams
from generate_on_cloud.webui.prompt.errors import StyleError, StylesFileError
from generate_on_cloud.webui.prompt.styles import Style, apply_styles, read_styles
from lambdas.assets.record import AssetRecord
from lambdas.problems import ProblemError, invalid, shortened

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

POINTER = "/params/styles"
MAX_FILES = 10
"""Maximum number of styles files in use at once."""


@dataclass(frozen=True)
class StyleFiles:
    client: "S3Client"
    bucket: str

    def apply(self, params: ImageParams, files: Sequence[AssetRecord], *, allowed: str = "") -> ImageParams:
        """Merge the params' styles into all their prompts; one call per file.

        `allowed` ends the message that there are no files.

        Raises:
            ProblemError: `invalid_params` or `asset_not_found`, because a style is in no file or a file is invalid.
        """
        if not files:
            message = (
                "received styles, but no styles file is uploaded yet by you, an administrator or a user you trust; "
                f"upload your WebUI's styles.csv{allowed}"
            )
            raise ProblemError(
                ProblemCode.ASSET_NOT_FOUND, message, errors=[FieldError(pointer=POINTER, message=message)]
            )
        if len(files) > MAX_FILES:
            raise _refused(f"{len(files)} styles files are uploaded; allowed: up to {MAX_FILES}; delete some")
        styles: dict[str, Style] = {}
        for file in files:
            styles |= self._read(file)
        try:
            return params.model_copy(update=_styled(params, styles))
        except StyleError as error:
            raise _refused(shortened(str(error))) from error

    def _read(self, file: AssetRecord) -> Mapping[str, Style]:
        with self.client.get_object(Bucket=self.bucket, Key=file.key)["Body"] as body:
            data = body.read(MAX_STYLES_BYTES)
        try:
            return read_styles(data)
        except StylesFileError as error:
            raise _refused(f"{file.name} is not a styles file: {error}") from error


def _styled(params: ImageParams, styles: Mapping[str, Style]) -> dict[str, str]:
    pairs = [("prompt", "negative_prompt")]
    if isinstance(params, Txt2ImgParams) and params.enable_hr:
        pairs.append(("hr_prompt", "hr_negative_prompt"))
    prompts: dict[str, str] = {}
    for names in pairs:
        texts = [str(getattr(params, name)) for name in names]
        merged = apply_styles(texts[0], texts[1], names=params.styles, styles=styles)
        # An empty prompt in the second pass means the first one's, which already has its styles.
        prompts |= {name: new for name, old, new in zip(names, texts, merged, strict=True) if old or names is pairs[0]}
    return prompts


def _refused(message: str) -> ProblemError:
    return invalid([FieldError(pointer=POINTER, message=message)])
