"""The init picture of a script, and how it hands other ones to its drawings."""

import base64

from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.params import Img2ImgParams
from inference_container.pictures.decoding import decode_picture
from inference_container.pictures.encoding import encode_picture
from inference_container.pictures.flattening import flatten


def init_picture(params: Img2ImgParams) -> Image.Image:
    """The request's first init picture, RGB.

    Raises:
        JobFailed: bad_image; or invalid_params, if `img2img_background_color` is not a colour.
    """
    background = params.options.img2img_background_color
    image = decode_picture(params.init_images[0], field="init_images[0]")
    try:
        return flatten(image, background=background)
    except ValueError as error:
        message = f"img2img_background_color: received {background!r}; allowed: a colour such as #ffffff"
        raise JobFailed(JobErrorCode.INVALID_PARAMS, message) from error


def as_picture(image: Image.Image) -> str:
    """The picture as a request holds it, without loss."""
    return base64.b64encode(encode_picture(image)).decode("ascii")
