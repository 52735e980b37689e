"""`goc doctor` says why nothing is drawn, and what mends it: a row for each thing that drawing needs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from generate_on_cloud.cli import doctor_command
from generate_on_cloud.client.login import Login, keep_login, login_file
from generate_on_cloud.contract import CONTRACT_VERSION
from tests.client.goc import Goc
from tests.client.small_service import Answer, SmallService, asset, job, problem

TODAY = datetime.now(UTC).date().isoformat()
ENDPOINT = {"name": "goc-main", "status": "ScaledToZero", "instance_count": 0}


def health(**fields: object) -> Answer:
    return 200, {"status": "ok", "version": "9.9.9", "contract_version": CONTRACT_VERSION} | fields


def me(**fields: object) -> Answer:
    who: dict[str, object] = {"user": "ada", "role": "artist", "permissions": ["inference:create"], "quotas": {}}
    return 200, who | {"key_id": "k", "key_expires_at": None} | fields


def endpoints(*found: dict[str, object]) -> Answer:
    return 200, {"endpoints": list(found)}


def assets(*found: dict[str, object]) -> Answer:
    return 200, {"assets": list(found), "next_cursor": None}


def jobs(*statuses: str) -> Answer:
    return 200, {"jobs": [job(status) for status in statuses], "next_cursor": None}


def usage(**fields: object) -> Answer:
    day = {"user": "ada", "day": TODAY, "jobs": 3, "succeeded": 3, "failed": 0, "canceled": 0, "expired": 0}
    days = [day | {"gpu_seconds": 1.0, "cost": None}]
    return 200, {"days": days, "price_per_hour": None, "asset_bytes": 900, "next_cursor": None} | fields


CHECKPOINT = asset(type="checkpoint", name="dream.safetensors")


@pytest.fixture
def fine(service: SmallService) -> SmallService:
    """Everything that drawing needs is there."""
    upload = {
        "url": f"{service.url}/bucket/input",
        "headers": {},
        "max_bytes": 68,
        "expires_at": "2026-01-01T00:00:00Z",
    }
    service.answers |= {
        "GET /v1/health": health(),
        "GET /v1/me": me(),
        "GET /v1/endpoints": endpoints(ENDPOINT),
        "GET /v1/assets": assets(CHECKPOINT),
        "GET /v1/usage": usage(),
        "GET /v1/jobs": jobs(),
        "POST /v1/inputs": (201, {"input_id": "i", "upload": upload}),
    }
    service.raw["/bucket/input"] = (200, b"", "text/xml")
    return service


def row(document: Any, name: str) -> tuple[str, str, str]:
    (found,) = [each for each in document["rows"] if each["name"] == name]
    return found["verdict"], found["text"], found["mend"]


def test_everything_is_fine(goc: Goc, fine: SmallService) -> None:
    said = goc("doctor", "--json")

    assert [(each["name"], each["verdict"]) for each in said.document["rows"]] == [
        (name, "ok") for name in ("service", "clock", "key", "endpoint", "checkpoint", "quotas", "storage")
    ]
    assert (said.code, said.document["ready"]) == (0, True)
    assert row(said.document, "service")[1] == f"{fine.url} answers with version 9.9.9"


QUOTAS = {"jobs_per_day": 5, "concurrent_jobs": 3, "asset_bytes": 1000}
SOON = (datetime.now(UTC) + timedelta(days=3, hours=1)).isoformat()
FAILED = ENDPOINT | {"status": "Failed", "failure_reason": "no capacity"}
Fault = tuple[dict[str, Answer], tuple[str, str, str, str]]
"""What the service answers; name, verdict, text and mend of the row."""
FAULTS: dict[str, Fault] = {
    "another contract": (
        {"GET /v1/health": health(contract_version=CONTRACT_VERSION + 1)},
        ("service", "look", "this goc is", "update goc"),
    ),
    "an older service": (
        {"GET /v1/health": health(contract_version=CONTRACT_VERSION - 1)},
        ("service", "look", "version 9.9.9", "update the service"),
    ),
    "not the service": (
        {"GET /v1/health": (200, ["hello"])},
        ("service", "stop", "is not the URL of", "check the URL"),
    ),
    "a wrong key": (
        {"GET /v1/me": problem(401, "unauthorized")},
        ("key", "stop", "wrong, revoked or expired", "goc auth login"),
    ),
    "a service that fails": (
        {"GET /v1/me": problem(500, "internal")},
        ("key", "stop", "does not say whose key", "try again"),
    ),
    "a key that may not send jobs": (
        {"GET /v1/me": me(permissions=[])},
        ("key", "stop", "may not send jobs", "inference:create"),
    ),
    "a key that ends soon": (
        {"GET /v1/me": me(key_expires_at=SOON)},
        ("key", "look", "ends in 3 days", "goc auth login"),
    ),
    "no endpoint": (
        {"GET /v1/endpoints": endpoints()},
        ("endpoint", "stop", "no endpoint for you", "make deploy"),
    ),
    "a default endpoint that is gone": (
        {"GET /v1/me": me(default_endpoint="goc-fast")},
        ("endpoint", "stop", "no endpoint goc-fast", "goc endpoints default"),
    ),
    "a failed endpoint": (
        {"GET /v1/endpoints": endpoints(FAILED)},
        ("endpoint", "stop", "goc-main is Failed: no capacity", "make deploy"),
    ),
    "an endpoint that is being made": (
        {"GET /v1/endpoints": endpoints(ENDPOINT | {"status": "Creating"})},
        ("endpoint", "look", "is Creating", "wait"),
    ),
    "one of two endpoints in service": (
        {"GET /v1/endpoints": endpoints(FAILED, ENDPOINT | {"name": "goc-b", "status": "Updating"})},
        ("endpoint", "ok", "goc-b is Updating", ""),
    ),
    "no checkpoint": (
        {"GET /v1/assets": assets()},
        ("checkpoint", "stop", "no checkpoint to draw with", "goc assets upload"),
    ),
    "a checkpoint that failed": (
        {"GET /v1/assets": assets(CHECKPOINT | {"status": "failed"})},
        ("checkpoint", "stop", "1 are not active", "goc assets upload"),
    ),
    "quotas with room": (
        {"GET /v1/me": me(quotas=QUOTAS), "GET /v1/jobs": jobs("queued", "succeeded")},
        ("quotas", "ok", "4 of 5 jobs today, 1 of 3 open jobs, 900 of 1000 bytes of files", ""),
    ),
    "no jobs left today": (
        {"GET /v1/me": me(quotas=QUOTAS), "GET /v1/jobs": jobs("queued", "running")},
        ("quotas", "stop", "jobs today are used up", "wait until 00:00 UTC"),
    ),
    "no open job left": (
        {"GET /v1/me": me(quotas={"concurrent_jobs": 1}), "GET /v1/jobs": jobs("queued")},
        ("quotas", "stop", "open jobs are used up", "goc jobs cancel"),
    ),
    "no bytes left": (
        {"GET /v1/me": me(quotas={"asset_bytes": 900})},
        ("quotas", "look", "bytes of files are used up", "goc assets rm"),
    ),
    "no right to look": (
        {"GET /v1/endpoints": problem(403, "forbidden")},
        ("endpoint", "look", "could not be checked (It is forbidden.", ""),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("fine")
def test_each_fault_has_its_row(goc: Goc, fault: str) -> None:
    answers, (name, verdict, text, mend) = FAULTS[fault]

    said = goc("doctor", "--json", **answers)
    found = row(said.document, name)

    assert found[0] == verdict
    assert text in found[1]
    assert mend in found[2]
    assert (found[2] == "") == (mend == "")
    assert said.code == (1 if verdict == "stop" else 0)
    assert said.document["ready"] == (verdict != "stop")


def test_storage_that_refuses_is_told(goc: Goc, fine: SmallService) -> None:
    fine.raw["/bucket/input"] = (403, b"<Error/>", "text/xml")

    said = goc("doctor", "--json")

    assert row(said.document, "storage")[0] == "stop"
    assert "a signed URL does not work from here (storage refused the picture: <Error/>)" in said.out
    assert said.code == 1


@pytest.mark.parametrize(
    ("ahead", "text"), [(timedelta(minutes=12), "12 minutes ahead of"), (timedelta(hours=-3), "hours behind")]
)
def test_a_clock_that_is_wrong_is_told(
    goc: Goc, fine: SmallService, monkeypatch: pytest.MonkeyPatch, ahead: timedelta, text: str
) -> None:
    monkeypatch.setattr(doctor_command, "_now", lambda: datetime.now(UTC) + ahead)

    said = goc("doctor", "--json")

    assert fine.asked
    assert row(said.document, "clock")[0] == "look"
    assert text in row(said.document, "clock")[1]
    assert said.code == 0


def test_a_service_that_cannot_be_reached_is_the_last_row(goc: Goc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOC_URL", "http://127.0.0.1:9")

    said = goc("doctor", "--json")

    assert [each["name"] for each in said.document["rows"]] == ["service"]
    assert (said.code, row(said.document, "service")[0]) == (1, "stop")


def test_without_a_login_doctor_says_how_to_log_in(goc: Goc, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOC_URL", "GOC_API_KEY"):
        monkeypatch.delenv(name)

    said = goc("doctor", "--json")

    assert row(said.document, "login")[0] == "stop"
    assert "goc auth login" in row(said.document, "login")[2]
    assert said.code == 1


def test_doctor_looks_at_the_profile_that_is_named(
    goc: Goc, fine: SmallService, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_login(Login(url=fine.url, api_key="goc_key"), login_file(), profile="home")
    monkeypatch.setenv("GOC_URL", "http://127.0.0.1:9")

    assert goc("--profile", "home", "doctor", "--json").code == 0


def test_people_get_a_line_for_each_row(goc: Goc, fine: SmallService) -> None:
    said = goc("doctor", "--no-json", **{"GET /v1/assets": assets()})

    assert f"ok    service    {fine.url} answers with version 9.9.9" in said.out
    assert "stop  checkpoint there is no checkpoint to draw with: goc assets upload FILE --type checkpoint" in said.out
    assert said.out.endswith("1 to fix before pictures can be drawn\n")
