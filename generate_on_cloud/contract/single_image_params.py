"""Parameters of the tasks that read pictures and draw none: the two interrogations and the Extras tab's."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from generate_on_cloud.contract.interrogation import InterrogateOptions
from generate_on_cloud.contract.task_params import Picture, TaskParams
from generate_on_cloud.contract.upscalers import PIXEL_UPSCALER_SCHEMA, read_upscaler

MAX_BATCH: Final = 100
"""Pictures in one job of `extra_batch_images`."""


class InterrogateParams(TaskParams):
    """`/sdapi/v1/interrogate`. `model` only restates the task, for clients that send WebUI's own body.

    Fields of our own choose the model file and its options: WebUI has only one model of each kind and takes its options
    from the settings page.
    """

    image: Picture
    override_settings: InterrogateOptions = InterrogateOptions()


class InterrogateClipParams(InterrogateParams):
    model: Literal["clip"] | None = None
    interrogator: str | None = None
    """File name or stem of an asset; None: the newest one."""


class InterrogateDeepbooruParams(InterrogateParams):
    model: Literal["deepdanbooru", "deepbooru"] | None = None
    tagger: str | None = None
    """File name or stem of an asset; None: the newest one."""


class ExtrasParams(TaskParams):
    """The upscalers of the Extras tab."""

    resize_mode: Literal[0, 1] = 0
    """0: by `upscaling_resize`; 1: to `upscaling_resize_w` by `upscaling_resize_h`."""
    show_extras_results: bool = True
    """Has an effect only on folders, as in WebUI."""
    gfpgan_visibility: float = Field(default=0, ge=0, le=1)
    codeformer_visibility: float = Field(default=0, ge=0, le=1)
    codeformer_weight: float = Field(default=0, ge=0, le=1)
    upscaling_resize: float = Field(default=2, ge=1, le=8)
    upscaling_resize_w: int = Field(default=512, ge=1, le=16384)
    upscaling_resize_h: int = Field(default=512, ge=1, le=16384)
    upscaling_crop: bool = True
    upscaler_1: str = Field(default="None", json_schema_extra=PIXEL_UPSCALER_SCHEMA)
    """`None` leaves the picture as it is."""
    upscaler_2: str = Field(default="None", json_schema_extra=PIXEL_UPSCALER_SCHEMA)
    extras_upscaler_2_visibility: float = Field(default=0, ge=0, le=1)
    upscale_first: bool = False
    """Without effect, as in WebUI 1.10.1, which always upscales first."""

    @field_validator("upscaler_1", "upscaler_2")
    @classmethod
    def _upscaler_exists(cls, value: str) -> str:
        return read_upscaler(value)


class ExtraSingleImageParams(ExtrasParams):
    """`/sdapi/v1/extra-single-image`"""

    image: Picture


class BatchPicture(BaseModel):
    """WebUI's `FileData`."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    data: Picture
    name: str = Field(default="", max_length=1024)
    """The client's own; the results come in the order of the pictures."""


class ExtraBatchImagesParams(ExtrasParams):
    """`/sdapi/v1/extra-batch-images`: several pictures in one job, all enlarged alike."""

    imageList: list[BatchPicture] = Field(min_length=1, max_length=MAX_BATCH)  # noqa: N815 - WebUI's name
