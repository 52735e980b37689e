"""image-generation-mcp: its provider for WebUI. Its smallest picture has 768x768 pixels: here it draws none."""

import asyncio
from typing import Any

from image_generation_mcp.providers.sd_webui import SdWebuiImageProvider
from image_generation_mcp.providers.types import ImageProviderError
from kit import URL, tell

said: dict[str, Any] = {}


async def main() -> None:
    provider = SdWebuiImageProvider(URL)
    said["models"] = [str(model) for model in (await provider.discover_capabilities()).models]
    try:
        await provider.generate("the red cat", model="no such model")
    except ImageProviderError as error:
        said["refusal"] = str(error)
    await provider.aclose()


asyncio.run(main())
tell({}, said)
