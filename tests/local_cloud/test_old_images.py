"""The images of earlier deployments are deleted: each would cost half a dollar a month for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from infrastructure.config import StageConfig
from infrastructure.old_images import delete_all_images, delete_old_images
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.deployment import Deployer
from local_cloud.settings import ACCOUNT, DEFAULT_REGION
from tests.local_cloud.tiny_stack import CONTAINER, Tiny, template, write_assembly

CONFIG = StageConfig(stage="old")
REPOSITORY = f"cdk-hnb659fds-container-assets-{ACCOUNT}-{DEFAULT_REGION}"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{DEFAULT_REGION}.amazonaws.com"
SOMEBODY_ELSES = "of-another-program"


def version(folder: Path, tag: str) -> Path:
    """The tiny stack whose endpoint runs the image with this tag, which the CDK pushes."""
    stack = template()
    stack["Resources"]["Model"]["Properties"]["PrimaryContainer"]["Image"] = f"{REGISTRY}/{REPOSITORY}:{tag}"
    write_assembly(folder, stack)
    assets = json.loads((folder / "Tiny.assets.json").read_text())
    assets["dockerImages"] = {
        each: {
            "source": {"directory": "asset.image", "dockerOutputs": ["type=docker"]},
            "destinations": {"here": {"repositoryName": REPOSITORY, "imageTag": each}},
        }
        for each in (tag, SOMEBODY_ELSES)
    }
    (folder / "Tiny.assets.json").write_text(json.dumps(assets))
    return folder


def test_only_the_running_image_and_the_one_before_it_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    first = version(tmp_path / "assembly", "one")
    with LocalCloud(tmp_path / "state", assembly=first, container_command=CONTAINER) as cloud:
        monkeypatch.setattr(StageConfig, "default_endpoint", property(lambda _: cloud.endpoint_name))
        tiny, clients = Tiny(cloud), LocalClients(cloud.endpoint_url, cloud.root)
        client_of: Any = clients.client
        ecr, deployer = client_of("ecr"), Deployer(clients)

        def images() -> set[str]:
            found = ecr.describe_images(repositoryName=REPOSITORY)["imageDetails"]
            return {tag for image in found for tag in image["imageTags"]} - {SOMEBODY_ELSES}

        delete_old_images(client_of, CONFIG, say=said.append)
        seen = [images()]
        for tag in ("two", "three"):
            tiny.wait(lambda: _settled(tiny))
            deployer.deploy(version(tmp_path / "assembly", tag))
            delete_old_images(client_of, CONFIG, say=said.append)
            seen.append(images())
        # An endpoint made through the API goes on with the image that it was created with.
        role = tiny.sagemaker.describe_model(ModelName=_model(tiny))["ExecutionRoleArn"]
        tiny.sagemaker.create_model(
            ModelName="of-another-endpoint",
            ExecutionRoleArn=role,
            PrimaryContainer={"Image": f"{REGISTRY}/{REPOSITORY}:two"},
        )
        tiny.wait(lambda: _settled(tiny))
        deployer.deploy(version(tmp_path / "assembly", "four"))
        delete_old_images(client_of, CONFIG, say=said.append)
        tiny.wait(lambda: _settled(tiny))
        deployer.deploy(version(tmp_path / "assembly", "five"))
        delete_old_images(client_of, CONFIG, say=said.append)
        before_the_end = images()
        tiny.sagemaker.delete_model(ModelName="of-another-endpoint")
        client_of("cloudformation").delete_stack(StackName="Tiny")
        tiny.wait(lambda: not tiny.sagemaker.list_models()["Models"])
        delete_all_images(client_of, CONFIG, say=said.append)

        assert seen == [{"one"}, {"one", "two"}, {"two", "three"}]
        assert before_the_end == {"two", "four", "five"}
        assert images() == set()
        assert ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": SOMEBODY_ELSES}])["imageDetails"]
        assert said[:2] == [f"image {tag} of an earlier deployment" for tag in ("one", "three")]
        assert not client_of("ssm").get_parameters_by_path(Path=f"/{CONFIG.stack_name}")["Parameters"]


def _model(tiny: Tiny) -> str:
    return str(tiny.sagemaker.list_models()["Models"][0]["ModelName"])


def _settled(tiny: Tiny) -> bool:
    return tiny.sagemaker.describe_endpoint(EndpointName=tiny.cloud.endpoint_name)["EndpointStatus"] == "InService"


def test_a_stage_whose_image_is_not_the_cdks_deletes_nothing(shared: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StageConfig, "default_endpoint", property(lambda _: shared.cloud.endpoint_name))
    client_of: Any = LocalClients(shared.cloud.endpoint_url, shared.cloud.root).client

    delete_old_images(client_of, CONFIG, say=pytest.fail)
    delete_all_images(client_of, CONFIG, say=pytest.fail)

    assert not client_of("ssm").get_parameters_by_path(Path=f"/{CONFIG.stack_name}")["Parameters"]
