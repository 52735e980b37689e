"""The typed client's people, against the service itself."""

import json
from collections.abc import Iterator

import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import ProblemError
from generate_on_cloud.client.webhooks import is_genuine
from generate_on_cloud.contract.access import Permission, Quotas
from generate_on_cloud.contract.accounts import CreateKey, CreateRole, CreateUser, PutRole, PutUser
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.webhooks import sign
from tests.lambdas.clients import client_of
from tests.lambdas.cloud import KEYS, Cloud


@pytest.fixture
def root(cloud: Cloud) -> Iterator[GenerateOnCloud]:
    with client_of(cloud, KEYS["root"]) as client:
        yield client


def test_a_team_is_set_up_with_the_client_alone(cloud: Cloud, root: GenerateOnCloud) -> None:
    root.roles.create(CreateRole(name="painter", permissions=[Permission.INFERENCE_CREATE, Permission.INFERENCE_LIST]))
    root.users.create(CreateUser(name="anna@x.org", role="painter", quotas=Quotas(jobs_per_day=3)))
    made = root.keys.create(CreateKey(user="anna@x.org", label="laptop"))

    anna = client_of(cloud, made.key).me.get()

    assert (anna.user, anna.role, anna.quotas.jobs_per_day) == ("anna@x.org", "painter", 3)
    assert [key.label for key in root.keys.list("anna@x.org")] == ["laptop"]
    root.roles.replace("painter", PutRole(permissions=[Permission.INFERENCE_LIST]))
    assert root.roles.get("painter").permissions == [Permission.INFERENCE_LIST]
    assert root.users.replace("anna@x.org", PutUser(role="artist")).quotas == Quotas()
    assert root.users.get("anna@x.org").role == "artist"
    root.keys.revoke(made.key_id)
    assert [role.name for role in root.roles.list()] == ["admin", "artist", "painter"]
    assert root.users.delete("anna@x.org").name == "anna@x.org"
    assert root.roles.delete("painter").name == "painter"


def test_lists_are_read_to_their_last_page(cloud: Cloud, root: GenerateOnCloud) -> None:
    names = [f"user-{number:03}" for number in range(101)]
    for name in names:
        root.users.create(CreateUser(name=name, role="artist"))

    assert [user.name for user in root.users.list()] == ["alice", "bob", "root", *names]
    assert root.usage.everyone().days == []
    assert root.usage.month().asset_bytes == 0


def test_a_session_is_opened_by_key_or_code_and_ended(cloud: Cloud, root: GenerateOnCloud) -> None:
    code = root.sessions.create_code("bob")

    session = client_of(cloud, "").sessions.create(code=code.code, label="phone", keep=True)
    bob = client_of(cloud, session.key)

    assert (code.user, bob.me.get().user, session.session) == ("bob", "bob", True)
    assert bob.sessions.create(permissions=[Permission.INFERENCE_LIST]).permissions == [Permission.INFERENCE_LIST]
    assert bob.sessions.end().key_id == session.key_id
    with pytest.raises(ProblemError) as refused:
        bob.me.get()
    assert refused.value.problem.code is ProblemCode.UNAUTHORIZED


def test_ones_own_things_are_the_clients_too(cloud: Cloud, root: GenerateOnCloud) -> None:
    alice = client_of(cloud, KEYS["alice"])

    assert alice.me.trust(["bob"]).trusted == ["bob"]
    secret = alice.webhooks.new_secret()
    assert secret.secret.startswith("whsec_")
    job = cloud.job()
    assert alice.webhooks.deliveries(job.job_id).deliveries == []


@pytest.mark.parametrize(
    ("change", "genuine"),
    [
        ({}, True),
        ({"now": 1_000_299.0}, True),
        ({"now": 1_000_301.0}, False),
        ({"now": 999_699.0}, False),
        ({"body": b"{}"}, False),
        ({"id": "other"}, False),
        ({"timestamp": "1000001"}, False),
        ({"timestamp": "soon"}, False),
        ({"signature": ""}, False),
        ({"signature": "v1,é"}, False),
    ],
)
def test_a_webhook_is_genuine_only_with_its_own_signature(
    root: GenerateOnCloud, change: dict[str, object], genuine: bool
) -> None:
    secret, older = root.webhooks.new_secret().secret, root.webhooks.new_secret().secret
    body = json.dumps({"type": "job.succeeded"}).encode()
    signature = sign([older, secret], message_id="job-1", timestamp=1_000_000, body=body)
    headers = {
        "Webhook-Id": str(change.get("id", "job-1")),
        "Webhook-Timestamp": str(change.get("timestamp", "1000000")),
        "Webhook-Signature": str(change.get("signature", signature)),
    }
    now = change.get("now", 1_000_000.0)
    assert isinstance(now, float)

    assert is_genuine(bytes(change.get("body", body)), headers, secret, now=now) is genuine  # type: ignore[call-overload]
