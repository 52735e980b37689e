"""`make preflight`: prints a row for everything a deployment needs; changes nothing, takes under ten seconds."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from infrastructure.config import ConfigError, StageConfig
from infrastructure.deployed import session_here
from infrastructure.kept_options import read_kept, read_pairs, stage_context
from infrastructure.preflight import account, image, stage
from infrastructure.preflight.rows import Check, Machine, Row, Subject, Verdict, error_code

CHECKS: Final[Mapping[str, Check]] = {
    "options": stage.options,
    "bootstrap": account.bootstrap,
    "docker": image.docker,
    "image": image.manifest,
    "gpu quota": account.gpu_quota,
    "offered": account.offered,
    "concurrency": account.concurrency,
    "stacks": stage.stacks,
    "endpoint": stage.endpoint,
    "alarms": stage.told,
    "cost": stage.cost,
}
"""In printing order; the credentials come first."""
SECONDS: Final = 9.0
_CONFIG: Final = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})


@dataclass(frozen=True)
class Asked:
    """The command line's options."""

    stage: str
    options: Mapping[str, str]
    reset: bool = False


def preflight(asked: Asked, session: boto3.session.Session, machine: Machine) -> list[Row]:
    """All rows; only the account's row if the account cannot be used.

    Raises:
        ConfigError: an option is unknown or its value is not allowed.
    """
    stage_context(None, asked.stage, asked.options)
    client, region = _clients(session), session.region_name
    first, number = account.credentials(client, region, is_local=_is_local())
    if number is None:
        return [first]
    named = StageConfig.from_context({"stage": asked.stage})
    try:
        kept = read_kept(client, named.stack_name)
    except (BotoCoreError, ClientError) as error:
        return [first, _unknown("options", error)]
    context = stage_context(None if asked.reset else kept, asked.stage, asked.options)
    subject = Subject(
        config=StageConfig.from_context(context),
        client=client,
        account=number,
        region=str(region),
        kept=kept,
        settled={name: value for name, value in context.items() if name != "stage"},
        machine=machine,
    )
    return [first, *_look(subject)]


def _look(subject: Subject) -> list[Row]:
    """Run all checks at once: some of them call AWS many times."""
    pool = ThreadPoolExecutor(max_workers=len(CHECKS))
    futures = {name: pool.submit(check, subject) for name, check in CHECKS.items()}
    wait(futures.values(), timeout=SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    return [_row(name, future) for name, future in futures.items()]


def _row(name: str, future: "Future[Row]") -> Row:
    if not future.done():
        return Row(name, Verdict.LOOK, f"could not be checked within {SECONDS:.0f} seconds")
    try:
        return future.result()
    except (BotoCoreError, ClientError) as error:
        return _unknown(name, error)


def _unknown(name: str, error: Exception) -> Row:
    said = error_code(error) if isinstance(error, ClientError) else type(error).__name__
    return Row(name, Verdict.LOOK, f"could not be checked ({said}): {str(error).splitlines()[0]}")


def _clients(session: boto3.session.Session) -> Callable[[str], Any]:
    """One client per service: threads may share clients but may not create them."""
    made: dict[str, Any] = {}
    lock = Lock()

    def client(service: str) -> Any:
        with lock:
            if service not in made:
                made[service] = session.client(service, config=_CONFIG)  # type: ignore[call-overload]
            return made[service]

    return client


def _is_local() -> bool:
    return urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname in {"127.0.0.1", "localhost"}


def report(rows: Iterable[Row], *, seconds: float) -> int:
    """Print the rows; returns 1 if one of them stops a deployment."""
    rows = list(rows)
    for row in rows:
        print(row)
    stops = sum(row.verdict is Verdict.STOP for row in rows)
    print(f"{f'{stops} to fix before deploying' if stops else 'ready to deploy'} ({seconds:.1f} s)")
    return 1 if stops else 0


def main(
    arguments: list[str] | None = None,
    *,
    session: Callable[[], boto3.session.Session] = session_here,
    machine: Machine | None = None,
) -> int:
    """Returns 0 if a deployment can start, 1 if something stops it, 2 for invalid options."""
    parser = argparse.ArgumentParser(prog="make preflight", description=__doc__, allow_abbrev=False)
    parser.add_argument("--stage", default="", help="suffix of the stacks' names; empty for the only one")
    parser.add_argument("-c", "--context", action="append", default=[], metavar="NAME=VALUE", help="an option")
    parser.add_argument("--reset", action="store_true", help="forget the options the stage was deployed with")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        pairs = read_pairs(chosen.context)
        asked = Asked(pairs.pop("stage", chosen.stage), pairs, chosen.reset)
        rows = preflight(asked, session(), machine or Machine())
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ProfileNotFound as error:
        rows = [Row("account", Verdict.STOP, str(error), "aws configure list-profiles, export AWS_PROFILE=NAME")]
    return report(rows, seconds=time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
