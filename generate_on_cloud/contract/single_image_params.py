"""Parameters of the tasks that read one picture and draw none: the two interrogations and extra-single-image."""

from typing import Literal

from pydantic import Field, field_validator

from generate_on_cloud.contract.interrogation import InterrogateOptions
from generate_on_cloud.contract.task_params import Picture, TaskParams
from generate_on_cloud.contract.upscalers import PIXEL_UPSCALER_SCHEMA, check_upscaler


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


class ExtraSingleImageParams(TaskParams):
    """`/sdapi/v1/extra-single-image`: the upscalers of the Extras tab."""

    image: Picture
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
    """Upscale before restoring faces; face restoration is not supported."""

    @field_validator("upscaler_1", "upscaler_2")
    @classmethod
    def _upscaler_exists(cls, value: str) -> str:
        check_upscaler(value)
        return value
