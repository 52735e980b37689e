"""What `goc` shows at 80 columns: the help of every command, and each table.

`TZ=UTC python -m tests.client.snapshots` writes it.
Each page begins with its command line, after `$ goc`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from generate_on_cloud.cli.command import app
from tests.client.people_answers import PEOPLE, ROLE
from tests.client.small_service import SmallService, asset, job, open_service

FOLDER = Path(__file__).parent / "snapshots"
HELP, TABLES = FOLDER / "help.txt", FOLDER / "tables.txt"
DONE = job(
    "succeeded", job_id="01a22c31-a13f-761b-a8b4-59ec66185543", checkpoint="dreams.safetensors", starred=True,
    prompt="a red fox in the snow, evening light, by the river",
    started_at="2026-01-02T03:04:06Z", finished_at="2026-01-02T03:04:14Z", queued_seconds=0.8, run_seconds=8.0,
    result={
        "images": [{"url": "u", "width": 64, "height": 64, "format": "png", "seed": 7, "infotext": "a fox\nSteps: 2"}],
        "info": {}, "parameters": {}, "caption": None, "models": [], "timings": {},
    },
)  # fmt: skip
FAILED = job(
    "failed", job_id="01a22c31-a13f-761b-a8b4-59ec66185544", task="extra_single_image", checkpoint=None,
    error={"code": "bad_image", "message": "a PDF", "retryable": False},
)  # fmt: skip
ASSETS = [
    asset(type="checkpoint", name="dreams.safetensors", size=2_132_625_894, asset_id=DONE["job_id"]),
    asset(name="a-lora-with-a-very-long-name-that-does-not-fit-into-one-line-at-all.safetensors", size=151_110_000),
    asset("failed", name="moon.safetensors"),
]
LIMITED = asset(asset_id="a2", name="limited.safetensors", users=["ada", "bob"], roles=["trainee"])
GROUPS = [
    {"key": "dreams.safetensors", "jobs": 12, "gpu_seconds": 1234.5, "cost": 0.4321},
    {"key": "", "jobs": 1, "gpu_seconds": 0.5, "cost": None},
]
ENDPOINTS = [
    {"name": "goc-main-default", "status": "InService", "instance_count": 1, "open_jobs": 2},
    {"name": "goc-main-fast", "status": "ScaledToZero", "instance_count": 0, "managed_by": "api", "max_instances": 3,
     "instance_type": "ml.g6.xlarge", "open_jobs": 0},
]  # fmt: skip
SHOWN: Mapping[str, dict[str, Any]] = {
    "jobs list": {"GET /v1/jobs": (200, {"jobs": [DONE, FAILED], "next_cursor": None})},
    "jobs list --status failed": {"GET /v1/jobs": (200, {"jobs": [], "next_cursor": None})},
    "jobs show j1": {"GET /v1/jobs/j1": (200, DONE)},
    "jobs deliveries j1": {
        "GET /v1/jobs/j1/deliveries": (
            200,
            {
                "webhook": {"url": "https://a.example/x"},
                "deliveries": [
                    {
                        "attempt": 1,
                        "at": "2026-01-02T03:04:15Z",
                        "status": 503,
                        "outcome": "retrying",
                        "error": "HTTP 503",
                    },
                    {"attempt": 2, "at": "2026-01-02T03:04:45Z", "status": 200, "outcome": "delivered"},
                ],
            },
        )
    },
    "assets list": {"GET /v1/assets": (200, {"assets": ASSETS, "next_cursor": None})},
    "endpoints": {"GET /v1/endpoints": (200, {"endpoints": ENDPOINTS})},
    "assets list --type lora": {
        "GET /v1/assets": (200, {"assets": [asset(), LIMITED], "next_cursor": None}),
    },
    "usage": PEOPLE["usage"][0],
    "usage --by model": {
        "GET /v1/usage": (200, {"days": [], "groups": GROUPS, "price_per_hour": 1.2, "next_cursor": None}),
    },
    "me": PEOPLE["me"][0],
    "users list": PEOPLE["users list"][0],
    "users show ada": PEOPLE["users show ada"][0],
    "roles list": PEOPLE["roles list"][0],
    "roles show trainee": PEOPLE["roles show trainee"][0],
    "roles show apprentice": {
        "GET /v1/roles/apprentice": (200, {**ROLE, "name": "apprentice", "assets": ["shapes", "tag:training"]}),
    },
    "keys list": PEOPLE["keys list"][0],
    "cost estimate": {},
}


def commands(group: Any = None, *path: str) -> Iterator[str]:
    """Every command and group, the root first."""
    group = get_command(app) if group is None else group
    yield " ".join(path)
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *path, name)


def shown(command: str, environment: Mapping[str, str]) -> str:
    """What the command prints in a terminal of 80 columns, without colours."""
    fixed = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "XDG_CONFIG_HOME": str(FOLDER / "none")}
    ran = CliRunner().invoke(app, command.split(), env={**fixed, **environment}, prog_name="goc")
    text = ran.output.replace(environment.get("GOC_URL", "\0"), "http://a.example")
    return "\n".join(line.rstrip() for line in text.splitlines())


def help_pages() -> str:
    """The help of every command."""
    return "".join(
        f"$ goc {command} -h\n".replace("  ", " ") + shown(f"{command} -h", {}) + "\n\n" for command in commands()
    )


def tables() -> str:
    """Every table and sheet."""
    pages = ""
    for command, answers in SHOWN.items():
        with open_service(SmallService(answers=dict(answers))) as service:
            pages += f"$ goc {command}\n" + shown(f"{command} --no-json", service.environment()) + "\n\n"
    return pages


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    HELP.write_text(help_pages(), encoding="utf-8")
    TABLES.write_text(tables(), encoding="utf-8")
