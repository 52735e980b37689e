"""A small service, and `goc` in this process against it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from generate_on_cloud.cli.command import main
from tests.client.goc import Goc, Said
from tests.client.small_service import Answer, SmallService, open_service


@pytest.fixture
def service() -> Iterator[SmallService]:
    with open_service(SmallService(size=5, part_size=3)) as opened:
        yield opened


@pytest.fixture
def goc(
    service: SmallService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Goc:
    """Run a command in an empty folder; the answers are `METHOD path` to status and document."""
    for name, value in service.environment().items():
        monkeypatch.setenv(name, value)
    for name in ("GOC_PROFILE", "GOC_CONFIG", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **answers: Answer | list[Answer]) -> Said:
        service.answers.update(answers)
        monkeypatch.setattr("sys.argv", ["goc", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0, out, err)

    return run
