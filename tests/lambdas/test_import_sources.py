"""What an import fetches and how its file is called: pages and shorthands of model sites, headers, ends of URLs."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from generate_on_cloud.fetching.model_sites import ModelSites
from lambdas.assets.import_sources import ImportSources
from tests.fetch.local_sites import Handler, Sites
from tests.lambdas.cloud import Cloud

Answer = Callable[[Handler], None]
SHA256 = "6c" * 32
ONE_FILE = {"name": "ink v2.safetensors", "primary": True, "hashes": {"SHA256": SHA256.upper()}}


@pytest.fixture(autouse=True)
def asked_on_this_machine(cloud: Cloud, sites: Sites) -> None:
    here = ModelSites(sites.fetch, civitai=sites.url(""), hugging_face=sites.url(""))
    vars(cloud.services)["uploads"] = replace(cloud.services.uploads, sources=ImportSources(here))


def json_file(document: object) -> Answer:
    return lambda handler: handler.answer(json.dumps(document).encode(), Content_Type="application/json")


def called(name: str) -> Answer:
    return lambda handler: handler.answer(b"x" * 100, Content_Disposition=name)


def begun(cloud: Cloud, source: str, **more: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """The new asset, and the order that its import began with."""
    asset = cloud.ask("POST", "/v1/assets", {"type": "lora", "source_url": source, **more}).ok(201)
    function, order = cloud.functions.called[-1]
    assert function == "import"
    return asset, order


@pytest.mark.parametrize(
    ("path", "header", "name"),
    [
        ("/a/ink.safetensors", None, "ink.safetensors"),
        ("/a/My%20Model%20%281%29.safetensors?download=true", None, "My Model (1).safetensors"),
        ("/a/%E3%82%AC%E3%83%A9%E3%82%B9.safetensors", None, "ガラス.safetensors"),
        ("/a/%E3%82%AB%E3%82%99.safetensors", None, "ガ.safetensors"),
        ("/a/b%2Fc.safetensors", None, "c.safetensors"),
        ("/api/download/models/128713?type=Model", 'attachment; filename="ink.safetensors"', "ink.safetensors"),
        ("/1", "attachment; filename=ink.pt", "ink.pt"),
        ("/1", "attachment; filename*=UTF-8''%E3%82%AC%20x.safetensors; filename=\"a.pt\"", "ガ x.safetensors"),
        ("/1", 'inline; filename="ガ.safetensors"', "ガ.safetensors"),
        ("/1", 'attachment; filename="../../ink.safetensors"', "ink.safetensors"),
        ("/1", 'attachment; filename="C:\\\\x\\\\ink.safetensors"', "ink.safetensors"),
        ("/1.php", "attachment;filename=ink.safetensors;size=9", "ink.safetensors"),
    ],
)
def test_an_import_without_a_name_is_called_by_its_url_or_its_answer(
    cloud: Cloud, sites: Sites, path: str, header: str | None, name: str
) -> None:
    if header is not None:
        sites.on(path, called(header.encode().decode("latin-1")))

    asset, order = begun(cloud, sites.url(path))

    assert (asset["name"], order["url"]) == (name, sites.url(path))
    assert [seen.headers.get("range") for seen in sites.asked] == ([] if header is None else ["bytes=0-0"])


def test_a_name_that_is_given_stays_and_nobody_is_asked(cloud: Cloud, sites: Sites) -> None:
    asset, _ = begun(cloud, sites.url("/1"), name="mine.safetensors")

    assert (asset["name"], sites.asked) == ("mine.safetensors", [])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda handler: handler.answer(b"x"), "the source calls the file '1'; allowed for a lora: names ending in"),
        (called("attachment; filename=ink.zip"), "the source calls the file 'ink.zip'; allowed for a lora: names"),
        (called(f"attachment; filename={'x' * 300}.pt"), "the source calls the file 'xxx"),
        (
            lambda handler: handler.answer(status=404),
            "cannot be asked for the file's name: models.example answered 404",
        ),
        (lambda handler: handler.answer(status=401), "401 Unauthorized; give a token of that site"),
    ],
)
def test_a_source_without_a_name_is_refused_with_the_way_out(
    cloud: Cloud, sites: Sites, answer: Answer, said: str
) -> None:
    body = {"type": "lora", "source_url": sites.on("/1", answer)}

    (error,) = cloud.ask("POST", "/v1/assets", body).problem(422, "invalid_params")["errors"]

    assert error["pointer"] == "/name"
    assert said in error["message"]
    assert error["message"].endswith("give one with `name` (`goc assets import --name`)")
    assert cloud.all_assets() == []


@pytest.mark.parametrize(
    "source",
    [
        "civitai:42",
        "CivitAI:42",
        "https://civitai.com/models/42",
        "https://civitai.com/models/42/ink-style",
        "https://www.civitai.com/models/42/ink-style?foo=1",
        "civitai:42@7",
        "urn:air:sd1:lora:civitai:42@7",
        "https://civitai.com/models/42?modelVersionId=7",
        "https://civitai.com/models/42/ink-style?x=1&modelVersionId=7",
    ],
)
def test_civitais_models_are_found_with_their_name_and_hash(cloud: Cloud, sites: Sites, source: str) -> None:
    download = sites.url("/api/download/models/7")
    files = [{"name": "training.zip"}, {"name": "ink.pt"}, {**ONE_FILE, "downloadUrl": download}]
    version = {"id": 7, "files": files}
    sites.on("/api/v1/models/42", json_file({"id": 42, "modelVersions": [version, {"id": 3, "files": []}]}))
    sites.on("/api/v1/model-versions/7", json_file(version))

    asset, order = begun(cloud, source, bearer_token="hush")

    assert (asset["name"], asset["sha256"]) == ("ink v2.safetensors", SHA256)
    assert (order["url"], order["token"]) == (download, "hush")
    assert [seen.headers["authorization"] for seen in sites.asked] == ["Bearer hush"]
    assert "hush" not in str(cloud.all_assets())


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"modelVersions": []}, "Civitai's model 42 has no version"),
        (
            {"modelVersions": [{"id": 1, "files": [{"name": "a.zip"}]}]},
            "these files of it: a.zip; allowed: names ending",
        ),
        ({"modelVersions": "x"}, "has no version"),
        ([], "has no version"),
        (
            {"modelVersions": [{"id": 1, "files": [{**ONE_FILE, "downloadUrl": "https://evil.example/x"}]}]},
            "sends to another site for it (evil.example)",
        ),
    ],
)
def test_what_civitai_cannot_give_is_said(cloud: Cloud, sites: Sites, document: object, said: str) -> None:
    sites.on("/api/v1/models/42", json_file(document))

    refused = cloud.ask("POST", "/v1/assets", {"type": "lora", "source_url": "civitai:42"})

    (error,) = refused.problem(422, "invalid_params")["errors"]
    assert error["pointer"] == "/source_url"
    assert said in error["message"]


@pytest.mark.parametrize(
    ("source", "path", "name"),
    [
        ("hf:owner/repo/ink.safetensors", "/owner/repo/resolve/main/ink.safetensors", "ink.safetensors"),
        (
            "hf://owner/repo/a/My Ink.safetensors",
            "/owner/repo/resolve/main/a/My%20Ink.safetensors",
            "My Ink.safetensors",
        ),
        ("hf:owner/repo/ink.pt@v1.0", "/owner/repo/resolve/v1.0/ink.pt", "ink.pt"),
        ("https://huggingface.co/owner/repo/blob/main/a/b%20c.pt", "/owner/repo/resolve/main/a/b%20c.pt", "b c.pt"),
        ("https://hf.co/owner/repo/blob/refs%2Fpr%2F1/b.pt", "/owner/repo/resolve/refs%2Fpr%2F1/b.pt", "b.pt"),
    ],
)
def test_files_of_hugging_face_are_found(cloud: Cloud, sites: Sites, source: str, path: str, name: str) -> None:
    asset, order = begun(cloud, source)

    assert (asset["name"], order["url"], sites.asked) == (name, sites.url(path), [])


def test_a_url_of_hugging_face_that_names_the_file_itself_stays(cloud: Cloud) -> None:
    url = "https://huggingface.co/u/r/resolve/main/My%20Model%20%281%29.safetensors?download=true"

    asset, order = begun(cloud, url)

    assert (asset["name"], order["url"]) == ("My Model (1).safetensors", url)


@pytest.mark.parametrize("source", ["civitai:ink", "hf:repo/ink.safetensors", "urn:air:sd1:lora:other:4@3", "civitai:"])
def test_a_shorthand_that_is_none_is_refused_with_those_there_are(cloud: Cloud, source: str) -> None:
    refused = cloud.ask("POST", "/v1/assets", {"type": "lora", "source_url": source}).problem(422, "invalid_params")

    (error,) = refused["errors"]
    assert error["pointer"] == "/source_url"
    assert f"received {source!r}; allowed: an https URL, civitai:MODEL" in error["message"]


def test_an_upload_needs_a_name(cloud: Cloud) -> None:
    refused = cloud.ask("POST", "/v1/assets", {"type": "lora", "size": 9}).problem(422, "invalid_params")

    assert "received neither name nor source_url" in refused["errors"][0]["message"]
