"""The `.yaml` that WebUI users have next to a checkpoint says what it predicts."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError, NotFoundError
from generate_on_cloud.client.model_yaml import prediction_type_beside
from generate_on_cloud.contract.assets import PredictionType
from tests.client.small_service import asset

Answers = Mapping[str, httpx.Response | Callable[[httpx.Request], httpx.Response]]
NOISE, VELOCITY = PredictionType.EPSILON, PredictionType.V_PREDICTION
LDM = "model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n  params:\n    linear_start: 0.00085\n"
SGM = (
    "model:\n  target: sgm.models.diffusion.DiffusionEngine\n  params:\n    denoiser_config:\n      params:\n"
    "        scaling_config:\n          target: sgm.modules.diffusionmodules.denoiser_scaling.{}\n"
)


class Service:
    """Answers by `METHOD path` and remembers what it was asked."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[f"{request.method} {request.url.path}"]
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def client(self) -> GenerateOnCloud:
        http = httpx.Client(transport=httpx.MockTransport(self))
        return GenerateOnCloud("http://cloud.test/prod/", "goc_key", http=http)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (LDM + '    parameterization: "v"\n', VELOCITY),
        (LDM + "    parameterization: v\n", VELOCITY),
        (LDM + "    parameterization: 'eps'\n", NOISE),
        ("\ufeff" + LDM.replace("\n", "\r\n") + '    parameterization: "v"\r\n', VELOCITY),
        ('model: {params: {parameterization: "v"}}', VELOCITY),
        (LDM, NOISE),
        (SGM.format("VScaling"), VELOCITY),
        (SGM.format("EpsScaling"), NOISE),
        ("model:\n  target: sgm.models.diffusion.DiffusionEngine\n", None),
        ("model: [1, 2]\n", None),
        ("just a text", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
def test_configurations_of_every_kind_are_read(
    tmp_path: Path, text: str, meant: PredictionType | None, suffix: str
) -> None:
    (tmp_path / f"furry.v2{suffix}").write_text(text, encoding="utf-8", newline="")

    assert prediction_type_beside(tmp_path / "furry.v2.safetensors", "checkpoint") is meant
    assert prediction_type_beside(tmp_path / "furry.v2.ckpt", "Stable-diffusion") is meant
    assert prediction_type_beside(tmp_path / "furry.v2.safetensors", "lora") is None
    assert prediction_type_beside(tmp_path / "other.safetensors", "checkpoint") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            LDM.encode() + b"    parameterization: x0\n",
            "furry.yaml says that the checkpoint predicts 'x0'; allowed: eps",
        ),
        (SGM.format("EDMScaling").encode(), "EDMScaling'; allowed: eps"),
        (b"a: [", "furry.yaml is not YAML"),
        (b"!!python/object/apply:os.system [ls]", "furry.yaml is not YAML"),
        (b"\xff\xfe\x00", "furry.yaml is not YAML"),
        (b"#" * 1024**2 + b"##", "furry.yaml has 1048578 bytes; allowed for a model's .yaml: 1048576"),
    ],
)
def test_what_cannot_be_read_or_drawn_stops_the_upload(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "furry.safetensors").write_bytes(b"model")
    (tmp_path / "furry.yaml").write_bytes(content)
    service = Service({})

    with service.client() as cloud, pytest.raises(CloudError, match=said.replace(".", r"\.")):
        cloud.assets.upload(tmp_path / "furry.safetensors", "checkpoint")
    assert service.requests == []


def test_an_upload_sends_what_the_yaml_says(tmp_path: Path) -> None:
    (tmp_path / "furry.safetensors").write_bytes(b"model")
    (tmp_path / "furry.yaml").write_text(LDM + "    parameterization: v\n")
    sent = {}

    def refuse(request: httpx.Request) -> httpx.Response:
        sent.update(json.loads(request.content))
        raise httpx.ConnectError("enough seen")

    service = Service(
        {
            "GET /prod/v1/assets": httpx.Response(200, json={"assets": [], "next_cursor": None}),
            "POST /prod/v1/assets": refuse,
        }
    )
    with service.client() as cloud, pytest.raises(CloudError):
        cloud.assets.upload(tmp_path / "furry.safetensors", "checkpoint")

    assert sent["prediction_type"] == "v_prediction"


@pytest.mark.parametrize(("known", "changes"), [(None, 1), ("epsilon", 1), ("v_prediction", 0)])
def test_a_yaml_sent_later_changes_the_checkpoint_of_its_name(tmp_path: Path, known: str | None, changes: int) -> None:
    (tmp_path / "furry.yaml").write_text(LDM + "    parameterization: v\n")
    stored = [
        asset(name="furry.safetensors", type="checkpoint", prediction_type=known),
        asset(name="furry.ckpt", type="checkpoint", asset_id="a2", status="failed"),
        asset(name="other.safetensors", type="checkpoint", asset_id="a3"),
    ]
    changed = asset(name="furry.safetensors", type="checkpoint", prediction_type="v_prediction")
    service = Service(
        {
            "GET /prod/v1/assets": httpx.Response(200, json={"assets": stored, "next_cursor": None}),
            "PATCH /prod/v1/assets/a1": httpx.Response(200, json=changed),
        }
    )

    with service.client() as cloud:
        answer = cloud.assets.apply_yaml(tmp_path / "furry.yaml")

    assert answer.prediction_type is VELOCITY
    bodies = [json.loads(request.content) for request in service.requests if request.method == "PATCH"]
    assert bodies == [{"prediction_type": "v_prediction"}] * changes


def test_a_yaml_without_its_checkpoint_says_so(tmp_path: Path) -> None:
    (tmp_path / "furry.yaml").write_text(LDM)
    service = Service({"GET /prod/v1/assets": httpx.Response(200, json={"assets": [], "next_cursor": None})})

    with (
        service.client() as cloud,
        pytest.raises(NotFoundError, match="received 0 called 'furry'; upload the checkpoint"),
    ):
        cloud.assets.apply_yaml(tmp_path / "furry.yaml")
