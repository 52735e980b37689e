"""Imports in small parts, from a server on this machine."""

from typing import Any

from generate_on_cloud.fetching.safe_fetch import SafeFetch
from lambdas.assets.work import ImportOrder
from lambdas.functions.asset_import import ImportRun
from tests.fetch.local_sites import Handler
from tests.lambdas.asset_uploads import BUCKET, begin
from tests.lambdas.cloud import Cloud
from tests.lambdas.model_bytes import LORA, safetensors_file

SMALL_PARTS = 5 * 1024**2
"""The least S3 joins."""
BIG = safetensors_file({**LORA, "lora_unet_x.diff": (3 * SMALL_PARTS // 2,)})


def file_server(data: bytes, *, etag: str = '"1"', ranges: bool = True, cut: list[int] | None = None) -> Any:
    """Answers GETs of `data`; the first len(cut) answers break off after so many bytes."""

    def answer(handler: Handler) -> None:
        start = 0
        if ranges and (asked := handler.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - start))
        handler.send_header("ETag", etag)
        handler.end_headers()
        end = start + cut.pop(0) if cut else len(data)
        handler.wfile.write(data[start:end])
        handler.close_connection = end < len(data)

    return answer


def importing(cloud: Cloud, url: str, **more: object) -> ImportOrder:
    """Begin an import whose parts are as small as S3 allows; the order its function was called with."""
    begin(cloud, {"type": "lora", "name": "big.safetensors", "source_url": url, **more})
    (_, order) = cloud.functions.called.pop()
    cloud.dynamodb.update_item(
        TableName="assets",
        Key={"asset_id": {"S": order["asset_id"]}},
        UpdateExpression="SET part_size = :size",
        ExpressionAttributeValues={":size": {"N": str(SMALL_PARTS)}},
    )
    return ImportOrder.model_validate(order)


def import_run(cloud: Cloud, fetch: SafeFetch) -> ImportRun:
    return ImportRun(
        cloud.transitions, cloud.work, cloud.s3, BUCKET, fetch, now=cloud.clock.moment, sleep=lambda _: None
    )


def look(cloud: Cloud, order: ImportOrder) -> dict[str, Any]:
    found: dict[str, Any] = cloud.ask("GET", f"/v1/assets/{order.asset_id}").ok()
    return found
