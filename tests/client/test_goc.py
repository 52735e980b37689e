"""The `goc` command: login, and failures in one line with an exit code."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from generate_on_cloud.cli.exit_codes import ExitCode
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.client.login import Login, find_login, keep_login, login_file


def test_the_environment_comes_before_the_kept_login(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    keep_login(Login(url="http://kept", api_key="k"), login_file(environment))

    assert find_login(environment).url == "http://kept"
    assert find_login(environment | {"GOC_URL": "http://other", "GOC_API_KEY": "o"}).url == "http://other"


def test_the_kept_key_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    path = login_file({"XDG_CONFIG_HOME": str(tmp_path)})

    keep_login(Login(url="http://kept", api_key="k"), path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json"])
def test_a_damaged_login_says_which_file(tmp_path: Path, content: str) -> None:
    path = login_file({"XDG_CONFIG_HOME": str(tmp_path)})
    path.parent.mkdir()
    path.write_text(content)

    with pytest.raises(CloudError, match=r"login\.json is damaged"):
        find_login({"XDG_CONFIG_HOME": str(tmp_path)})


def test_without_a_login_goc_says_how_to_get_one(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", "from generate_on_cloud.cli.command import main; main()", "endpoints"]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == ExitCode.NOT_ALLOWED
    assert "not logged in: run `goc auth login`" in done.stderr
    assert "Traceback" not in done.stderr
