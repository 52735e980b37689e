"""Which URLs and addresses a user may make the service ask."""

import ipaddress

import pytest

from generate_on_cloud.fetching.public_addresses import (
    FetchError,
    FetchFailure,
    Target,
    checked_addresses,
    parse_public_target,
    parse_target,
    refuse_unless_public,
)

TARGET = Target(host="models.example", port=443, path="/")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1",
        "169.254.169.254", "169.254.170.2", "100.64.0.1", "192.0.0.170", "192.88.99.1", "198.18.0.1", "192.0.2.1",
        "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "5f00::1", "100::1",
    ],
)  # fmt: skip
def test_an_address_inside_a_network_is_refused(address: str) -> None:
    assert refuse_unless_public(ipaddress.ip_address(address)) is not None


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert refuse_unless_public(ipaddress.ip_address(address)) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example/a", "ftp://models.example/a", "file:///etc/passwd", "gopher://models.example/", "//a/b",
        "",
        "https://", "https:///a", "https://user@models.example/", "https://user:pass@models.example/",
        "https://models.example:22/", "https://models.example:99999/", "https://models.example:x/",
        "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/", "https://0x7f.1/",
        "https://127.0.0.1.0x0/", "https://1.2.3.4.5/", "https://[::1", "https://[fe80::1%25eth0]/", "https://[::g]/",
        "https://models.example\\@inside/", "https://models.example/\r\nX: y", "https://models.example/ a",
        "https://a..b/", "https://-a.example/", "https://a/é", "https://" + "a" * 64 + ".example/",
        "https://models.example/" + "a" * 5000,
    ],
)  # fmt: skip
def test_a_url_in_any_other_writing_is_refused(url: str) -> None:
    with pytest.raises(FetchError) as refused:
        parse_target(url)

    assert refused.value.reason is FetchFailure.BAD_URL
    assert not refused.value.may_pass


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Models.Example./a?b=c#d", Target(host="models.example", port=443, path="/a?b=c")),
        ("HTTPS://models.example:8443", Target(host="models.example", port=8443, path="/")),
        ("https://8.8.8.8/", Target(host="8.8.8.8", port=443, path="/")),
        ("https://[2606:4700::1111]/", Target(host="2606:4700::1111", port=443, path="/")),
        ("https://mödel.example/", Target(host="xn--mdel-5qa.example", port=443, path="/")),
        # Full-width digits and circled letters are what they stand for, and are then checked as that.
        ("https://１２７.0.0.1/", Target(host="127.0.0.1", port=443, path="/")),
        ("https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", Target(host="localhost", port=443, path="/")),
    ],
)
def test_a_url_is_read_as_what_will_be_connected_to(url: str, target: Target) -> None:
    assert parse_target(url) == target


def test_a_host_with_one_inner_address_among_its_public_ones_is_refused() -> None:
    with pytest.raises(FetchError, match=r"^models\.example has no public address$") as refused:
        checked_addresses(TARGET, resolve=lambda *_: ["8.8.8.8", "169.254.169.254"], policy=refuse_unless_public)

    assert refused.value.reason is FetchFailure.NOT_PUBLIC


def test_a_name_without_address_may_get_one_later() -> None:
    with pytest.raises(FetchError) as failed:
        checked_addresses(TARGET, resolve=lambda *_: [], policy=refuse_unless_public)

    assert failed.value.reason is FetchFailure.UNREACHABLE
    assert failed.value.may_pass


@pytest.mark.parametrize("found", [["10.0.0.7"], ["127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "fd00::1"], [], None])
def test_a_name_does_not_show_whether_it_has_an_address_inside(found: list[str] | None) -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        if found is None:
            raise OSError("no such name")
        return found

    with pytest.raises(FetchError) as refused:
        checked_addresses(parse_target("https://vm.internal/x"), resolve=resolve, policy=refuse_unless_public)

    assert str(refused.value) == "vm.internal has no public address"


@pytest.mark.parametrize(
    "url", ["https://8.8.8.8/x", "https://[2606:4700::1111]/", "https://localhost/", "https://a.example"]
)
def test_a_public_address_and_a_name_pass_before_anybody_is_asked(url: str) -> None:
    assert parse_public_target(url) == parse_target(url)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/"]
)
def test_an_address_that_may_never_be_contacted_is_refused_before_anybody_is_asked(url: str) -> None:
    with pytest.raises(FetchError, match="must not be contacted: it is") as told:
        parse_public_target(url)

    assert told.value.reason is FetchFailure.NOT_PUBLIC
