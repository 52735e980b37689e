"""What may be uploaded has a size before it is: storage takes exactly so many bytes, and inputs are counted."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from generate_on_cloud.contract.messages import MAX_PICTURE_BYTES
from lambdas.access import input_bytes
from tests.lambdas.asset_uploads import UPLOAD, begin
from tests.lambdas.cloud import Cloud
from tests.lambdas.people import make_key, with_key


def signed_headers(url: str) -> list[str]:
    return parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"][0].split(";")


def test_the_urls_of_parts_and_inputs_sign_the_length(cloud: Cloud) -> None:
    whole = begin(cloud, UPLOAD)
    checked = begin(cloud, {**UPLOAD, "name": "other.safetensors", "checksum_algorithm": "SHA256"})
    body = {"parts": [{"part_number": 1, "sha256": "0" * 64}]}
    parts = cloud.ask("POST", f"/v1/assets/{checked['asset_id']}/parts", body).ok()["parts"]
    place = cloud.ask("POST", "/v1/inputs", {"size": 7}).ok(201)

    urls = [whole["upload"]["parts"][0]["url"], parts[0]["url"], place["upload"]["url"]]

    assert [set(signed_headers(url)) >= {"content-length", "host"} for url in urls] == [True] * 3
    assert place["upload"]["max_bytes"] == 7


@pytest.mark.parametrize("body", [None, {}, {"size": 0}, {"size": -1}, {"size": MAX_PICTURE_BYTES + 1}, {"size": "x"}])
def test_an_input_without_a_possible_size_is_refused(cloud: Cloud, body: Any) -> None:
    assert cloud.ask("POST", "/v1/inputs", body).status in (400, 422)


def test_inputs_count_against_the_bytes_of_a_user_for_a_day(cloud: Cloud) -> None:
    user = {"name": "carol", "role": "artist", "quotas": {"asset_bytes": 100}}
    cloud.ask("POST", "/v1/users", user, user="root").ok(201)
    carol = with_key(make_key(cloud, "carol"))

    def ask(size: int) -> int:
        return cloud.ask("POST", "/v1/inputs", {"size": size}, **carol).status

    first = [ask(101), ask(60), ask(41), ask(40), ask(1)]
    refused = cloud.ask("POST", "/v1/inputs", {"size": 1}, **carol).problem(429, "quota_exceeded")
    cloud.clock.now += timedelta(days=1)

    assert first == [429, 201, 429, 201, 429]
    assert "may upload as inputs in a day" in refused["detail"]
    assert ask(100) == 201
    assert cloud.ask("POST", "/v1/inputs", {"size": 1}).status == 201, "others are not counted with them"


def test_a_user_without_quotas_has_a_limit_too(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_bytes, "MOST_A_DAY", 10)

    assert [cloud.ask("POST", "/v1/inputs", {"size": 6}).status for _ in range(2)] == [201, 429]
