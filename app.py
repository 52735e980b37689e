"""The CDK app: `cdk deploy` runs it; `python app.py -o OUTDIR -c name=value` synthesises without the CDK CLI."""

import argparse
import sys
from pathlib import Path

from infrastructure.bundling import BundleError
from infrastructure.config import ConfigError
from infrastructure.node import NodeMissingError, choose_node


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, help="folder for the assembly (default: cdk.out)")
    parser.add_argument(
        "-c", "--context", action="append", default=[], metavar="NAME=VALUE", help="e.g. local=true, min_instances=1"
    )
    options = parser.parse_args(arguments)
    if wrong := [pair for pair in options.context if "=" not in pair]:
        parser.error(f"-c: received {', '.join(wrong)}; allowed: NAME=VALUE")
    try:
        # Importing aws_cdk starts jsii's Node.
        choose_node()
        from infrastructure.assembly import synthesise

        synthesise(outdir=options.output, context=dict(pair.split("=", 1) for pair in options.context))
    except (BundleError, ConfigError, NodeMissingError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
