"""`python -m benchmarks.cost`: what a stage costs while nobody draws, counted from the templates that are deployed."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generate_on_cloud.standing import (
    HOURS,
    Scheduled,
    Standing,
    idle_month,
    read_prices,
    standing_lines,
    storage_lines,
)

ROOT = Path(__file__).resolve().parent.parent
_MINUTES = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60, "day": 1440, "days": 1440}


def alarm_metrics(properties: Mapping[str, Any]) -> int:
    """How many metrics an alarm looks at: CloudWatch bills each."""
    if "MetricName" in properties:
        return 1
    return sum("MetricStat" in each for each in properties["Metrics"])


def read_standing(resources: Mapping[str, Mapping[str, Any]]) -> Standing:
    """What of a stage's resources, all stacks together, costs something by being there.

    Raises:
        KeyError: a schedule is of a kind that is not known here, or starts no function of the templates.
    """

    def of(kind: str) -> Iterator[Mapping[str, Any]]:
        return (each.get("Properties", {}) for each in resources.values() if each["Type"] == kind)

    scheduled = []
    for rule in of("AWS::Events::Rule"):
        if "ScheduleExpression" not in rule:
            continue
        number, unit = re.findall(r"rate\((\d+) (\w+)\)", rule["ScheduleExpression"])[0]
        (function,) = [target["Arn"]["Fn::GetAtt"][0] for target in rule["Targets"]]
        megabytes = resources[function]["Properties"]["MemorySize"]
        scheduled.append(Scheduled(runs=60 * HOURS / (int(number) * _MINUTES[unit]), memory_gb=megabytes / 1024))
    sweeper = next(
        (
            each
            for each in of("AWS::Lambda::Function")
            if "DEAD_LETTER_QUEUES" in json.dumps(each.get("Environment", {}))
        ),
        {},
    )
    dead = set(re.findall(r'"([^"]*DeadLetters[^"]*)"', json.dumps(sweeper)))
    mappings = [each for each in of("AWS::Lambda::EventSourceMapping") if each.get("Enabled", True)]
    return Standing(
        alarm_metrics=sum(alarm_metrics(each) for each in of("AWS::CloudWatch::Alarm")),
        secrets=sum(1 for _ in of("AWS::SecretsManager::Secret")),
        keys=sum(1 for _ in of("AWS::KMS::Key")),
        firewalls=sum(1 for _ in of("AWS::WAFv2::WebACL")),
        queue_mappings=len(mappings),
        dead_letter_queues=len(dead),
        scheduled=tuple(sorted(scheduled, key=lambda each: (-each.runs, each.memory_gb))),
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "app.py",
            "-o",
            folder,
            "-c",
            "local=true",
            "-c",
            "aws:cdk:disable-asset-staging=true",
        ]
        subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603
        resources: dict[str, Any] = {}
        for path in Path(folder).glob("*.template.json"):
            resources |= json.loads(path.read_text())["Resources"]
    standing, prices = read_standing(resources), read_prices()
    print(f"default stage, list prices of {prices.region} on {prices.as_of}, without free allowances, USD a month")
    print(f"metrics that alarms look at: {standing.alarm_metrics}")
    for name, dollars in standing_lines(standing, prices).items():
        print(f"  {name:26} {dollars:.3f}")
    print(f"idle: {idle_month(prices, standing):.2f}")
    for name, dollars in storage_lines(prices, models_gb=20).items():
        print(f"besides, {name} ({'one version' if 'ECR' in name else '20 GB'}): {dollars:.2f}")


if __name__ == "__main__":
    main()
