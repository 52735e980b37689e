"""Uploads of a small LoRA through the API, and what they leave in storage."""

from typing import Any

from tests.lambdas.cloud import Cloud
from tests.lambdas.model_bytes import LORA, safetensors_file, sha256_of

BUCKET = "assets-bucket"
LORA_FILE = safetensors_file(LORA, {"modelspec.trigger_phrase": "ink", "ss_output_name": "inky"})
UPLOAD = {"type": "lora", "name": "ink.safetensors", "size": len(LORA_FILE), "sha256": sha256_of(LORA_FILE)}


def begin(cloud: Cloud, body: dict[str, object] = UPLOAD, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = cloud.ask("POST", "/v1/assets", body, **more).ok(201)
    return answer


def put_part(cloud: Cloud, asset_id: str, data: bytes, number: int = 1) -> None:
    record = cloud.assets.get(asset_id)
    assert record is not None
    cloud.s3.upload_part(Bucket=BUCKET, Key=record.key, UploadId=record.upload_id, PartNumber=number, Body=data)


def complete(cloud: Cloud, asset_id: str, **more: Any) -> Any:
    return cloud.ask("POST", f"/v1/assets/{asset_id}/complete", {}, **more)


def join_parts(cloud: Cloud, asset_id: str) -> None:
    """What `complete` does first; a crash may leave it at that."""
    record = cloud.assets.get(asset_id)
    assert record is not None
    upload: Any = {"Bucket": BUCKET, "Key": record.key, "UploadId": record.upload_id}
    stored = cloud.s3.list_parts(**upload)["Parts"]
    parts: Any = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in stored]
    cloud.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


def uploaded(cloud: Cloud, body: dict[str, object] = UPLOAD, data: bytes = LORA_FILE, **more: Any) -> dict[str, Any]:
    asset = begin(cloud, body, **more)
    put_part(cloud, asset["asset_id"], data)
    active: dict[str, Any] = complete(cloud, asset["asset_id"]).ok()
    return active


def leftovers(cloud: Cloud) -> list[str]:
    return begun_uploads(cloud) + cloud.keys(BUCKET)


def begun_uploads(cloud: Cloud) -> list[str]:
    return [upload["Key"] for upload in cloud.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


def sweep(cloud: Cloud) -> None:
    sweeper = cloud.asset_sweep
    sweeper.run(lambda: 900.0)


def allow(cloud: Cloud, number: int) -> None:
    """Let alice own so many bytes; her key is looked up again."""
    body = {"role": "artist", "quotas": {"asset_bytes": number}}
    cloud.ask("PUT", "/v1/users/alice", body, user="root").ok()
    cloud.clock.sleep(61)


def owned(cloud: Cloud, user: str = "alice") -> int:
    used: int = cloud.ask("GET", "/v1/usage", user=user).ok()["asset_bytes"]
    return used
