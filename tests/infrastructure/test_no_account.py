"""The commands that need an AWS account say what is missing, in a line, when there is none."""

from collections.abc import Callable

import boto3
import pytest

from infrastructure import replay, teardown

COMMANDS = {"destroy": teardown.main, "replay": replay.main}
NO_CREDENTIALS = {"AWS_DEFAULT_REGION": "eu-central-1"}
NO_REGION = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
NO_PROFILE = {"AWS_PROFILE": "nobody"}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param(NO_CREDENTIALS, "Unable to locate credentials", id="no-credentials"),
        pytest.param(NO_REGION, "You must specify a region", id="no-region"),
        pytest.param(NO_PROFILE, "The config profile (nobody) could not be found", id="no-such-profile"),
    ],
)
def test_without_an_account_one_line_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: Callable[[list[str]], int],
    variables: dict[str, str],
    said: str,
) -> None:
    for name in ("PROFILE", "REGION", "DEFAULT_REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "ENDPOINT_URL"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    nowhere = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    for name, value in {**nowhere, "AWS_EC2_METADATA_DISABLED": "true", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    code = command(["--stage", "dev"])

    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(said)
    assert "AWS_PROFILE and AWS_REGION" in line
