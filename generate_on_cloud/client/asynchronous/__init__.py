"""The client for asyncio: the nouns of `generate_on_cloud.client`, with the same methods to await.

`nouns/` is made from the other client by `python -m generate_on_cloud.client.asynchronous`.
"""

from generate_on_cloud.client.asynchronous.cloud import AsyncGenerateOnCloud, open_async_cloud

__all__ = ["AsyncGenerateOnCloud", "open_async_cloud"]
