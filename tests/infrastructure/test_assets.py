"""What is in the assets: the Lambda bundles of both platforms and the image's build context."""

import subprocess
import sys
from pathlib import Path

import pytest

from inference_container.start import USER
from infrastructure.bundling import AWS, find_interpreter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.infrastructure.conftest import Assembly

ROOT = Path(__file__).resolve().parents[2]
ELF_MACHINE_AARCH64 = 183

SHARED_FOLDERS = {"__init__.py", "contract", "fetching", "model_files", "webui"}
"""What bundle and image both carry of `generate_on_cloud`; neither needs its client."""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("platform", ["aws", "local"])
def test_a_lambda_bundle_holds_our_code_the_contract_and_their_dependencies_only(
    platform: str, request: pytest.FixtureRequest
) -> None:
    assembly: Assembly = request.getfixturevalue(platform)
    bundle = assembly.lambda_asset

    assert {"lambdas", "generate_on_cloud", "aws_lambda_powertools", "pydantic", "pydantic_core"} <= names(bundle)
    assert names(bundle / "generate_on_cloud") - {"__pycache__"} == SHARED_FOLDERS
    assert not names(bundle) & {"torch", "boto3", "botocore", "numpy", "diffusers", "tests", "bin", "aws_cdk"}
    assert not list(bundle.glob("torch*"))


def test_the_bundle_of_webuis_api_holds_the_client_and_answers_without_the_other_bundle(changed: "Assembly") -> None:
    bundle = changed.sdapi_asset
    program = (
        f"import sys; sys.path.insert(0, {str(bundle)!r})\n"
        "import lambdas.sdapi.handler, PIL.Image\n"
        f"assert lambdas.sdapi.handler.__file__.startswith({str(bundle)!r})\n"
        "assert not {'uvicorn', 'typer', 'numpy'} & set(sys.modules)\n"
    )

    run = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    assert names(bundle / "lambdas") - {"__pycache__"} == {"__init__.py", "settings.py", "sdapi"}
    assert not names(bundle) & {"aws_lambda_powertools", "boto3", "botocore", "uvicorn", "typer", "rich"}


def test_assets_of_an_earlier_synthesis_are_removed(local: "Assembly") -> None:
    assert not (local.folder / "asset.stale").exists()
    assert local.lambda_asset.is_dir()


def test_the_aws_bundle_is_arm64_for_python_313(aws: "Assembly") -> None:
    libraries = sorted(aws.lambda_asset.rglob("*.so"))

    assert libraries
    for library in libraries:
        head = library.read_bytes()[:20]
        assert head[:5] == b"\x7fELF\x02"
        assert int.from_bytes(head[18:20], "little") == ELF_MACHINE_AARCH64
        assert "cpython-313-" in library.name or ".abi3." in library.name


def test_the_local_bundle_runs_in_this_interpreter(local: "Assembly") -> None:
    bundle = local.lambda_asset
    program = (
        f"import sys; sys.path.insert(0, {str(bundle)!r})\n"
        "import pydantic_core, aws_lambda_powertools, uuid_utils, lambdas.settings\n"
        "from generate_on_cloud.contract.messages import JobRequest\n"
        "for module in (pydantic_core, aws_lambda_powertools, uuid_utils, lambdas.settings):\n"
        f"    assert module.__file__.startswith({str(bundle)!r}), module.__file__\n"
    )

    run = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("platform", ["aws", "local"])
def test_byte_code_is_shipped_unchecked_and_for_the_runtimes_version(
    platform: str, request: pytest.FixtureRequest
) -> None:
    assembly: Assembly = request.getfixturevalue(platform)
    bundle = assembly.lambda_asset
    version = AWS.python if platform == "aws" else sys.version_info[:2]
    compiled = [path for path in bundle.rglob("*.pyc") if ".dist-info" not in path.as_posix()]

    if find_interpreter((version[0], version[1])) is None:
        assert compiled == []
        return
    assert {path.suffixes[0] for path in compiled} == {f".cpython-{version[0]}{version[1]}"}
    # PEP 552: bit 0 is set for hash-based byte code, bit 1 would ask for a check of the source.
    assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\x00\x00\x00"}
    assert (bundle / "lambdas" / "__pycache__").is_dir()


def test_the_image_is_built_from_the_container_and_the_locked_versions_only(aws: "Assembly") -> None:
    (image,) = aws.assets["dockerImages"].values()
    context = aws.folder / image["source"]["directory"]

    assert image["source"]["dockerFile"] == "inference_container/Dockerfile"
    assert image["source"]["platform"] == "linux/amd64"
    assert image["source"]["dockerOutputs"] == ["type=docker"]
    assert names(context) == {
        ".dockerignore",
        "constraints.txt",
        "generate_on_cloud",
        "inference_container",
        "pyproject.toml",
    }
    assert names(context / "generate_on_cloud") == SHARED_FOLDERS
    assert (context / "inference_container" / "models" / "configs").is_dir()
    assert not list(context.rglob("__pycache__"))


def test_the_image_starts_as_root_by_the_entry_point_that_drops_it() -> None:
    lines = (ROOT / "inference_container" / "Dockerfile").read_text().splitlines()
    instructions = [line.split(maxsplit=1) for line in lines if line[:1].isalpha()]
    copied = [value.split()[:-1] for name, value in instructions if name == "COPY"]

    assert lines[0].startswith("#")
    assert instructions[0][0] == "ARG"
    assert instructions[0][1].startswith("BASE_IMAGE=debian:bookworm")
    # SageMaker mounts a disk on /tmp that only root may write.
    assert not [value for name, value in instructions if name == "USER"]
    assert ["ENTRYPOINT", '["python", "-m", "inference_container.start"]'] in instructions
    assert f"useradd --system --uid 1001 --create-home --home-dir /home/{USER} {USER}" in "\n".join(lines)
    assert ["EXPOSE", "8080"] in instructions
    assert ["CMD", '["serve"]'] in instructions
    assert copied == [["pyproject.toml", "constraints.txt"], ["generate_on_cloud/"], ["inference_container/"]]
    assert not [name for name, _ in instructions if name == "ADD"]
    assert "--constraint constraints.txt" in "\n".join(lines)
