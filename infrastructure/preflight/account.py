"""What the account and the region must have: credentials, the CDK's bootstrap, quotas, the instance type."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from infrastructure.config import NEW_NETWORK_ZONES
from infrastructure.deployed import ClientOf
from infrastructure.preflight.rows import Row, Subject, Verdict, error_code, error_message

BOOTSTRAP_PARAMETER: Final = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION: Final = 6
"""The version that our assembly requires (`requiresBootstrapStackVersion` in its manifest; a test compares them)."""
FEW_EXECUTIONS: Final = 50
"""Below this, a handful of waiting clients can exhaust Lambda's concurrency."""
LAMBDA_QUOTA: Final = "L-B99A9384"
"""Service Quotas' code for Lambda's concurrent executions."""
_STALE: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


def credentials(client: ClientOf, region: str | None, *, is_local: bool) -> tuple[Row, str | None]:
    """Who deploys where, and the account; None without valid credentials, as nothing else can then be checked."""
    name = "account"
    if not region:
        return Row(name, Verdict.STOP, "no region is set", "export AWS_REGION=us-east-1"), None
    try:
        who = client("sts").get_caller_identity()
    except (SSOTokenLoadError, TokenRetrievalError, UnauthorizedSSOTokenError):
        return Row(name, Verdict.STOP, "the sign-in has expired", "aws sso login"), None
    except (NoCredentialsError, ProfileNotFound) as error:
        return Row(name, Verdict.STOP, f"no credentials ({error})", "aws configure, or export AWS_PROFILE=NAME"), None
    except ClientError as error:
        mend = "aws sso login, or new keys" if error_code(error) in _STALE else "aws sts get-caller-identity"
        return Row(name, Verdict.STOP, f"AWS refuses the credentials: {error_message(error)}", mend), None
    except BotoCoreError as error:
        return Row(
            name, Verdict.STOP, f"AWS could not be reached in {region}: {error}", "check network and region"
        ), None
    cloud = ", the local cloud" if is_local else ""
    return Row(name, Verdict.OK, f"{who['Account']} in {region}{cloud}, as {who['Arn']}"), str(who["Account"])


def bootstrap(subject: Subject) -> Row:
    try:
        found = subject.client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"]
    except ClientError as error:
        if error_code(error) != "ParameterNotFound":
            raise
        text = f"the CDK's bucket and repository are missing in {subject.region}"
        return Row("bootstrap", Verdict.STOP, text, "make bootstrap")
    if not found.isdigit() or int(found) < BOOTSTRAP_VERSION:
        text = f"the CDK's bootstrap has version {found}; needed: {BOOTSTRAP_VERSION}"
        return Row("bootstrap", Verdict.STOP, text, "make bootstrap")
    return Row("bootstrap", Verdict.OK, f"version {found}")


def gpu_quota(subject: Subject) -> Row:
    """Quota for instances of the stage's type: the maximum that may run, plus as many during an update while awake."""
    config = subject.config
    quota_name = f"{config.instance_type} for endpoint usage"
    found = _quota(subject, quota_name)
    if found is None:
        text = f"SageMaker has no quota called {quota_name!r}; is the type spelled correctly?"
        return Row("gpu quota", Verdict.STOP, text, 'choose another with CONTEXT="-c instance_type=…"')
    allowed, code = int(found["Value"]), found["QuotaCode"]
    others = _instances_of_others(subject)
    here = subject.instances(subject.endpoint, kind=config.instance_type)
    running = config.max_instances + others
    awake = running + max(1, here, config.min_instances)
    text = f"{allowed} {quota_name}; {running} may run, {awake} while an awake endpoint is updated"
    mend = (
        "aws service-quotas request-service-quota-increase --service-code sagemaker "
        f"--quota-code {code} --desired-value {awake}"
    )
    if allowed < running:
        return Row("gpu quota", Verdict.STOP, text, mend)
    if here and allowed < others + 2 * here:
        text = f"{text}; {here} run now, and an update starts as many next to them: let the endpoint sleep, or"
        return Row("gpu quota", Verdict.STOP, text, mend)
    if allowed < awake:
        return Row("gpu quota", Verdict.LOOK, text, mend)
    return Row("gpu quota", Verdict.OK, text)


def offered(subject: Subject) -> Row:
    """SageMaker has no list by region, but it does not offer what EC2 does not."""
    kind = subject.config.instance_type.removeprefix("ml.")
    asked = {"LocationType": "region", "Filters": [{"Name": "instance-type", "Values": [kind]}]}
    if not subject.client("ec2").describe_instance_type_offerings(**asked)["InstanceTypeOfferings"]:
        text = f"{kind} does not exist in {subject.region}"
        return Row("offered", Verdict.STOP, text, 'choose another with CONTEXT="-c instance_type=…", or another region')
    return _in_its_zones(subject, kind) if subject.config.vpc == "new" else _exists(subject, kind)


def _in_its_zones(subject: Subject, kind: str) -> Row:
    """A new network has subnets in the region's first zones, and a type may be in others only."""
    ec2 = subject.client("ec2")
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
    first = sorted(zones)[:NEW_NETWORK_ZONES]
    asked = {"LocationType": "availability-zone", "Filters": [{"Name": "instance-type", "Values": [kind]}]}
    having = {each["Location"] for each in ec2.describe_instance_type_offerings(**asked)["InstanceTypeOfferings"]}
    if having & set(first):
        return _exists(subject, kind)
    text = f"{kind} exists in {', '.join(sorted(having))}, but vpc=new has subnets in {' and '.join(first)}"
    mend = 'CONTEXT="-c vpc=none -c subnet_ids=… -c security_group_ids=…" with subnets there, or another instance_type'
    return Row("offered", Verdict.STOP, text, mend)


def _exists(subject: Subject, kind: str) -> Row:
    return Row("offered", Verdict.OK, f"{kind} exists in {subject.region}")


def concurrency(subject: Subject) -> Row:
    allowed = int(subject.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    if allowed >= FEW_EXECUTIONS:
        return Row("concurrency", Verdict.OK, f"{allowed} Lambda executions at a time")
    text = f"{allowed} Lambda executions at a time: a few waiting clients use them up, and the API answers 429"
    mend = f"aws service-quotas request-service-quota-increase --service-code lambda --quota-code {LAMBDA_QUOTA}"
    return Row("concurrency", Verdict.LOOK, text, f"{mend} --desired-value 1000")


def _quota(subject: Subject, name: str) -> dict[str, Any] | None:
    """A quota of SageMaker by its name: the account's value, or else AWS's default."""
    quotas = subject.client("service-quotas")
    for ask in (quotas.list_service_quotas, quotas.list_aws_default_service_quotas):
        for quota in _pages(ask, "Quotas", ServiceCode="sagemaker", MaxResults=100):
            if quota["QuotaName"] == name:
                return quota
    return None


def _instances_of_others(subject: Subject) -> int:
    """Instances of the same type that the stage's other endpoints run now."""
    sagemaker, config = subject.client("sagemaker"), subject.config
    total = 0
    for endpoint in _pages(sagemaker.list_endpoints, "Endpoints", NameContains=config.endpoint_prefix):
        name = endpoint["EndpointName"]
        if name == config.default_endpoint or not name.startswith(config.endpoint_prefix):
            continue
        found = sagemaker.describe_endpoint(EndpointName=name)
        total += subject.instances(found, kind=config.instance_type)
    return total


def _pages(ask: Callable[..., Any], key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    token: str | None = None
    while True:
        page = ask(**arguments, **({"NextToken": token} if token else {}))
        yield from page.get(key, ())
        token = page.get("NextToken")
        if not token:
            return
