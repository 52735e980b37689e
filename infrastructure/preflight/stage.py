"""The stage itself: its options, the state of its stacks and endpoint, its alarms, and what it will cost."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from botocore.exceptions import ClientError

from generate_on_cloud.standing import Standing, idle_month, read_prices
from infrastructure.endpoint_changes import CHANGING
from infrastructure.failed_endpoint import BEYOND_UPDATE
from infrastructure.kept_options import changes
from infrastructure.preflight.rows import Row, Subject, Verdict, error_message

_ENDS: Final = {
    "CREATE": "stack-create-complete",
    "UPDATE_ROLLBACK": "stack-rollback-complete",
    "UPDATE": "stack-update-complete",
    "IMPORT": "stack-import-complete",
    "DELETE": "stack-delete-complete",
}
"""What the AWS CLI waits for while a stack is …_IN_PROGRESS; it has nothing for a creation that is rolled back."""
SUFFIXES: Final = ("", "-Inference", "-Ops")
BUDGET_PROPOSED: Final = 50


def options(subject: Subject) -> Row:
    """The options the stage was deployed with, and what changes."""
    if subject.kept is None:
        asked = ", ".join(f"{name}={value}" for name, value in subject.settled.items())
        return Row("options", Verdict.OK, f"a new stage: {asked or 'all at their defaults'}")
    changed = changes(subject.kept, subject.settled)
    kept = ", ".join(f"{name}={value}" for name, value in subject.kept.items()) or "all at their defaults"
    return Row("options", Verdict.OK, f"kept: {kept}; {'; '.join(changed) or 'nothing changes'}")


def stacks(subject: Subject) -> Row:
    """Whether CloudFormation would accept an update of each stack."""
    found = dict(_stacks(subject))
    for name, stack in found.items():
        status = str(stack["StackStatus"])
        if status.endswith("_IN_PROGRESS"):
            end = next((end for begun, end in _ENDS.items() if status.startswith(begun)), None)
            mend = f"aws cloudformation wait {end} --stack-name {name}" if end else "wait some minutes"
            return Row("stacks", Verdict.STOP, f"{name} is {status}", mend)
        if status == "UPDATE_ROLLBACK_FAILED":
            mend = f"aws cloudformation continue-update-rollback --stack-name {name}"
            return Row("stacks", Verdict.STOP, f"{name} is {status}", mend)
        if status in {"DELETE_FAILED", "ROLLBACK_FAILED"}:
            mend = f"aws cloudformation delete-stack --stack-name {name}"
            return Row("stacks", Verdict.STOP, f"{name} is {status}", mend)
    if importers := _importers(subject, found.get(subject.config.stack_name)):
        mend = "; ".join(f"aws cloudformation delete-stack --stack-name {name}" for name in importers)
        text = "stacks of 0.2 import from the core, which blocks any update; they hold no data, delete them first"
        return Row("stacks", Verdict.STOP, text, mend)
    if not found:
        return Row("stacks", Verdict.OK, "none yet: a first deployment takes 30 to 60 minutes")
    told = ", ".join(f"{name} {stack['StackStatus']}" for name, stack in found.items())
    return Row("stacks", Verdict.OK, told)


def endpoint(subject: Subject) -> Row:
    """Whether SageMaker would accept an update of the default endpoint."""
    found, name = subject.endpoint, subject.config.default_endpoint
    if found is None:
        return Row("endpoint", Verdict.OK, "none yet: the first deployment starts one instance, which then sleeps")
    status = str(found["EndpointStatus"])
    reason = str(found.get("FailureReason", "")).strip()
    stack = f"{subject.config.stack_name}-Inference"
    if status in BEYOND_UPDATE:
        text = f"{name} is {status} ({reason or 'no reason given'}): `make deploy` deletes {stack} first"
        return Row("endpoint", Verdict.LOOK, f"{text}, and its waiting jobs are sent again", "fix the reason first")
    if status in CHANGING:
        text = f"{name} is {status} and cannot be updated now: `make deploy` waits until SageMaker has finished"
        return Row("endpoint", Verdict.LOOK, text)
    if status == "Deleting":
        mend = f"aws sagemaker wait endpoint-deleted --endpoint-name {name}"
        return Row("endpoint", Verdict.STOP, f"{name} is being deleted", mend)
    mixed = status == "UpdateRollbackFailed"
    if reason or mixed:
        runs = "runs a mix of old and new" if mixed else "runs"
        text = f"{name} {runs}, but its last update failed: {reason or 'no reason given'}"
        return Row("endpoint", Verdict.LOOK, text, "fix the reason and deploy again")
    return Row("endpoint", Verdict.OK, f"{name} is {status} with {subject.instances(found)} instances")


def told(subject: Subject) -> Row:
    """Someone should learn about an instance that keeps running."""
    missing = []
    if subject.config.alarm_email is None and subject.settled.get("alarm_email") is None:
        missing.append("-c alarm_email=you@example.com")
    if subject.config.monthly_budget_usd is None and subject.settled.get("monthly_budget_usd") is None:
        missing.append(f"-c monthly_budget_usd={BUDGET_PROPOSED}")
    if not missing:
        mail, budget = subject.config.alarm_email, subject.config.monthly_budget_usd
        said = f"alarms to {mail or 'nobody, as asked'}, budget {f'{budget:g} USD' if budget else 'none, as asked'}"
        return Row("alarms", Verdict.OK, said)
    text = "no one learns about an instance that keeps running" if len(missing) > 1 else "half of the alarms are set up"
    return Row("alarms", Verdict.LOOK, f"{text} (=none declines)", f'CONTEXT="{" ".join(missing)}"')


def cost(subject: Subject) -> Row:
    """List prices in us-east-1, without any AWS call."""
    config, prices = subject.config, read_prices()
    idle = idle_month(prices, replace(Standing(), firewalls=int(config.waf), keys=int(config.kms_key == "new")))
    hour = f"{config.price_per_hour:.2f}" if config.price_per_hour else "an unknown price"
    text = (
        f"idle {idle:.2f} USD a month plus storage; awake {hour} an hour for each {config.instance_type}, "
        f"{config.min_instances} to {config.max_instances} of them"
    )
    if config.min_instances and config.price_per_hour:
        always = config.min_instances * config.price_per_hour * 730
        return Row("cost", Verdict.LOOK, f"{text}: it never sleeps, {always:,.0f} a month", "-c min_instances=0")
    return Row("cost", Verdict.OK, text)


def _stacks(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for suffix in SUFFIXES:
        name = subject.config.stack_name + suffix
        try:
            yield name, subject.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" not in error_message(error):
                raise


def _importers(subject: Subject, core: Mapping[str, Any] | None) -> list[str]:
    """Stacks that import exports of the deployed core; ours export nothing since 0.3."""
    importers: set[str] = set()
    for output in (core or {}).get("Outputs", ()):
        if "ExportName" not in output:
            continue
        try:
            importers |= set(subject.client("cloudformation").list_imports(ExportName=output["ExportName"])["Imports"])
        except ClientError as error:
            if "not imported" not in error_message(error):
                raise
    return sorted(importers)
