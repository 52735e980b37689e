"""image-generation-mcp: its provider for WebUI. Its smallest pictures have 768x512 pixels and 30 steps."""

import asyncio
import io
from typing import Any

from image_generation_mcp.providers.sd_webui import SdWebuiImageProvider
from image_generation_mcp.providers.types import ImageProviderError, ImageResult, InputImage
from kit import URL, picture, tell
from PIL import Image

pictures: dict[str, list[Image.Image]] = {}
said: dict[str, Any] = {}


def keep(name: str, result: ImageResult) -> None:
    pictures[name] = [Image.open(io.BytesIO(result.image_data))]
    said[name] = result.provider_metadata


async def main() -> None:
    provider = SdWebuiImageProvider(URL)
    said["models"] = [str(model) for model in (await provider.discover_capabilities()).models]
    try:
        await provider.generate("the red cat", model="no such model")
    except ImageProviderError as error:
        said["refusal"] = str(error)
    # 1. From a prompt, with the progress that it polls.
    steps: list[tuple[float, str]] = []
    drawing = provider.generate(
        "the red cat",
        negative_prompt="a dog",
        aspect_ratio="3:2",
        progress_callback=lambda done, text: steps.append((done, text)),
    )
    keep("txt2img", await drawing)
    said["steps"] = steps
    # 2. From a picture.
    buffer = io.BytesIO()
    picture().save(buffer, format="PNG")
    reference = InputImage(data=buffer.getvalue(), content_type="image/png")
    changing = provider.generate("the red cat", aspect_ratio="3:2", reference_images=[reference], strength=0.2)
    keep("img2img", await changing)
    await provider.aclose()


asyncio.run(main())
tell(pictures, said)
