"""`python -m local_cloud`: the whole stack on this machine until Ctrl-C."""

import argparse
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

from local_cloud.faults import NotificationFaults
from local_cloud.preflight import CannotStartError
from local_cloud.server import serve
from local_cloud.settings import CONTAINER_COMMAND, DEFAULT_PORT, DEFAULT_REGION, DEFAULT_STATE_DIR, LocalSettings
from local_cloud.unkindness import Unkindness


def _settings(arguments: list[str] | None) -> tuple[LocalSettings, bool]:
    parser = argparse.ArgumentParser(prog="python -m local_cloud", description=__doc__)
    parser.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, help="folder for all data")
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help=f"port on 127.0.0.1 (default {DEFAULT_PORT})")
    parser.add_argument("--region", default=DEFAULT_REGION, help="AWS region to emulate")
    parser.add_argument("--assembly", type=Path, help="deploy this cloud assembly instead of synthesising the sources")
    parser.add_argument(
        "-c", "--context", type=_variable, action="append", default=[], metavar="NAME=VALUE", help="option of the stage"
    )
    parser.add_argument("--container-command", type=_command, default=CONTAINER_COMMAND, help="JSON list of words")
    parser.add_argument(
        "--container-environment", type=_variable, action="append", default=[], metavar="NAME=VALUE", help="repeatable"
    )
    parser.add_argument(
        "--notification-faults", type=_faults, metavar="JSON", help="lose, duplicate and delay notifications on purpose"
    )
    parser.add_argument(
        "--unkindness",
        type=_unkindness,
        default=Unkindness(),
        metavar="JSON",
        help="events that come twice, lag of indices",
    )
    parser.add_argument("--concurrency", type=_concurrency, help="functions that run at once; a new AWS account has 10")
    parser.add_argument(
        "--record-requests", action="store_true", help="record every request of every role, as JSON lines"
    )
    parser.add_argument(
        "--credential-seconds", type=float, default=3600.0, help="how long the credentials of functions live at least"
    )
    parser.add_argument("--without-rights-checks", action="store_true", help="let every role do everything")
    parser.add_argument("--stop-with-stdin", action="store_true", help="also stop when standard input ends")
    chosen = parser.parse_args(arguments)
    settings = LocalSettings(
        state_dir=chosen.state_dir.resolve(),
        port=chosen.port,
        region=chosen.region,
        assembly=chosen.assembly.resolve() if chosen.assembly else None,
        context=tuple(chosen.context),
        container_command=chosen.container_command,
        container_environment=tuple(chosen.container_environment),
        notification_faults=chosen.notification_faults,
        unkindness=replace(chosen.unkindness, concurrency=chosen.concurrency or chosen.unkindness.concurrency),
        record_requests=chosen.record_requests,
        check_rights=not chosen.without_rights_checks,
        credential_seconds=chosen.credential_seconds,
    )
    return settings, chosen.stop_with_stdin


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"received {text!r}; allowed: from 1 to 65535")
    return int(text)


def _command(text: str) -> tuple[str, ...]:
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise argparse.ArgumentTypeError(f'received {text!r}; allowed: a JSON list like ["python", "-m", "server"]')
    return tuple(words)


def _faults(text: str) -> NotificationFaults:
    try:
        return NotificationFaults.of(json.loads(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _unkindness(text: str) -> Unkindness:
    try:
        given = json.loads(text)
        # JSON has no way to leave a field out that Python writes.
        return Unkindness.of({name: value for name, value in given.items() if value is not None})
    except (AttributeError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _concurrency(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"received {text!r}; allowed: from 1 to 1000")
    return int(text)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"received {text!r}; allowed: NAME=VALUE")
    return name, value


def main(arguments: list[str] | None = None) -> int:
    """Run until stopped; returns 0 if stopped, 1 if the deployment failed, 2 if it could not start."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("local_cloud").setLevel(logging.INFO)
    settings, stop_with_stdin = _settings(arguments)
    try:
        serve(settings, stop_with_stdin=stop_with_stdin)
    except CannotStartError as error:
        print(f"local cloud: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
