"""Requests by URL: what is refused, what is bounded, and that a good one comes through."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from generate_on_cloud.fetching.public_addresses import FetchError, FetchFailure
from generate_on_cloud.fetching.safe_fetch import FetchLimits, SafeFetch
from tests.fetch.local_sites import HERE, Handler, Sites

LIMITS = FetchLimits(max_bytes=1000, total_seconds=20, stall_seconds=10)
HURRIED = FetchLimits(max_bytes=10**9, total_seconds=0.4, stall_seconds=10)


def body_of(sites: Sites, url: str, limits: FetchLimits = LIMITS, fetch: SafeFetch | None = None) -> bytes:
    with (fetch or sites.fetch).get(url, limits=limits) as download:
        return b"".join(download.chunks)


def failure_of(sites: Sites, url: str, limits: FetchLimits = LIMITS, fetch: SafeFetch | None = None) -> FetchError:
    with pytest.raises(FetchError) as failed:
        body_of(sites, url, limits, fetch)
    return failed.value


def test_a_body_comes_with_its_length_and_headers(sites: Sites) -> None:
    url = sites.on("/a", lambda handler: handler.answer(b"bytes", ETag='"1"'))

    with sites.fetch.get(url, limits=LIMITS, headers={"Authorization": "Bearer t"}) as download:
        chunks = list(download.chunks)

    assert (b"".join(chunks), download.length, download.headers["etag"]) == (b"bytes", 5, '"1"')
    assert sites.asked[0].headers["authorization"] == "Bearer t"
    assert sites.asked[0].headers["accept-encoding"] == "identity"


def test_redirects_are_followed_and_the_token_stays_with_its_host(sites: Sites) -> None:
    url = sites.redirect("/a", "/b")
    sites.redirect("/b", sites.url("/c", host="cdn.example"), status=307)
    sites.on("/c", lambda handler: handler.answer(b"there"))

    with sites.fetch.get(url, limits=LIMITS, headers={"Authorization": "Bearer t"}) as download:
        body = b"".join(download.chunks)

    assert body == b"there"
    assert [(asked.host, asked.headers.get("authorization")) for asked in sites.asked] == [
        ("models.example", "Bearer t"),
        ("models.example", "Bearer t"),
        ("cdn.example", None),
    ]


@pytest.mark.parametrize(
    "location",
    [
        "https://169.254.169.254/latest/meta-data/", "https://127.0.0.2/", "https://[::1]/", "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/", "https://10.1.2.3:8443/", "https://inside.example/",
    ],
)  # fmt: skip
def test_a_redirect_to_the_inside_is_refused(sites: Sites, location: str) -> None:
    sites.addresses["inside.example"] = ["10.0.0.7"]
    for literal in ("169.254.169.254", "127.0.0.2", "::1", "::ffff:7f00:1", "64:ff9b::7f00:1", "10.1.2.3"):
        sites.addresses[literal] = [literal]
    url = sites.redirect("/a", location)

    failure = failure_of(sites, url)

    assert failure.reason is FetchFailure.NOT_PUBLIC
    assert len(sites.asked) == 1


@pytest.mark.parametrize(
    "location", ["http://models.example/", "https://2130706433/", "file:///etc/passwd", "https://[x"]
)
def test_a_redirect_to_what_is_no_plain_https_url_is_refused(sites: Sites, location: str) -> None:
    assert failure_of(sites, sites.redirect("/a", location)).reason is FetchFailure.BAD_URL


def test_a_host_is_refused_before_anything_is_sent(sites: Sites) -> None:
    sites.addresses["models.example"] = ["::ffff:127.0.0.1"]

    assert failure_of(sites, sites.url("/a")).reason is FetchFailure.NOT_PUBLIC
    assert sites.asked == []


def test_the_connection_goes_to_the_address_that_was_checked(sites: Sites) -> None:
    url = sites.on("/a", lambda handler: handler.answer(b"bytes"))
    answers = iter([[HERE], ["10.0.0.1"]])
    changing = replace(sites.fetch, resolve=lambda *_: next(answers))

    body = body_of(sites, url, fetch=changing)

    assert body == b"bytes"
    assert next(answers) == ["10.0.0.1"], "the name was looked up a second time"


def test_a_name_that_the_certificate_does_not_hold_is_refused(sites: Sites) -> None:
    failure = failure_of(sites, sites.url("/a", host="other.example"))

    assert failure.reason is FetchFailure.UNREACHABLE
    assert "has no valid certificate" in str(failure)
    assert sites.asked == []


def test_redirects_in_a_circle_end(sites: Sites) -> None:
    failure = failure_of(sites, sites.redirect("/a", "/a"))

    assert failure.reason is FetchFailure.TOO_MANY_REDIRECTS
    assert len(sites.asked) == 1 + LIMITS.max_redirects


def test_a_body_announced_too_large_is_not_read(sites: Sites) -> None:
    assert (
        failure_of(sites, sites.on("/a", lambda handler: handler.answer(b"x" * 1001))).reason is FetchFailure.TOO_LARGE
    )


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b"100\r\n" + b"x" * 256 + b"\r\n")


def cut_short(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "900")
    handler.end_headers()
    handler.wfile.write(b"x" * 300)
    handler.close_connection = True


def cut_in_a_chunk(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"100\r\nxxx")
    handler.close_connection = True


def dripping_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    drip(handler, b"x")


def dripping_head(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Header: ")
    drip(handler, b"x")


def drip(handler: Handler, byte: bytes) -> None:
    for _ in range(100):
        handler.wfile.write(byte)
        handler.wfile.flush()
        time.sleep(0.02)


def nonsense(handler: Handler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    handler.close_connection = True


def packed(handler: Handler) -> None:
    handler.answer(b"x", Content_Encoding="gzip")


@pytest.mark.parametrize(
    ("answer", "limits", "reason"),
    [
        (endless, LIMITS, FetchFailure.TOO_LARGE),
        (cut_short, LIMITS, FetchFailure.BROKEN_OFF),
        (cut_in_a_chunk, LIMITS, FetchFailure.BROKEN_OFF),
        (nonsense, LIMITS, FetchFailure.BROKEN_OFF),
        (packed, LIMITS, FetchFailure.HTTP_STATUS),
        (dripping_head, HURRIED, FetchFailure.TOO_SLOW),
        (dripping_body, HURRIED, FetchFailure.TOO_SLOW),
        (lambda handler: handler.answer(status=403), LIMITS, FetchFailure.HTTP_STATUS),
        (lambda handler: handler.answer(status=302), LIMITS, FetchFailure.HTTP_STATUS),
    ],
)
def test_an_answer_that_is_no_whole_body_in_time_ends_with_the_reason(
    sites: Sites, answer: Callable[[Handler], None], limits: FetchLimits, reason: FetchFailure
) -> None:
    assert failure_of(sites, sites.on("/a", answer), limits).reason is reason


def test_a_body_slower_than_the_least_speed_is_given_up(sites: Sites) -> None:
    ticks = iter(range(10**6))
    ticking = replace(sites.fetch, monotonic=lambda: float(next(ticks)))
    limits = FetchLimits(max_bytes=10**6, total_seconds=1000, stall_seconds=5, least_bytes_per_second=1000)

    failure = failure_of(sites, sites.on("/a", dripping_body), limits, ticking)

    assert failure.reason is FetchFailure.TOO_SLOW
    assert "less than 1000 bytes a second" in str(failure)


@pytest.mark.parametrize(("status", "may_pass"), [(404, False), (401, False), (429, True), (503, True)])
def test_a_status_tells_whether_to_try_again(sites: Sites, status: int, may_pass: bool) -> None:
    failure = failure_of(sites, sites.on("/a", lambda handler: handler.answer(status=status)))

    assert (failure.status, failure.may_pass) == (status, may_pass)


def test_what_the_reader_raises_is_not_taken_for_the_sites_fault(sites: Sites) -> None:
    url = sites.on("/a", lambda handler: handler.answer(b"bytes"))

    with pytest.raises(OSError, match="disk full"), sites.fetch.get(url, limits=LIMITS):
        raise OSError("disk full")


def test_no_part_of_the_path_or_query_is_told(sites: Sites) -> None:
    url = sites.on("/secret-path?token=hush", lambda handler: handler.answer(status=500))

    failure = failure_of(sites, url)

    assert "secret" not in str(failure)
    assert "hush" not in str(failure)


def test_a_post_sends_the_body_and_reads_a_bounded_answer(sites: Sites) -> None:
    url = sites.on("/hook", lambda handler: handler.answer(b"y" * 5000))

    answer = sites.fetch.post(url, b"{}", limits=replace(LIMITS, max_bytes=10), headers={"X-Signature": "s"})

    assert (answer.status, answer.body) == (200, b"y" * 10)
    assert (sites.asked[0].method, sites.asked[0].body) == ("POST", b"{}")
    assert sites.asked[0].headers["x-signature"] == "s"


def test_a_post_follows_no_redirect(sites: Sites) -> None:
    url = sites.redirect("/hook", "https://169.254.169.254/", status=307)

    answer = sites.fetch.post(url, b"{}", limits=LIMITS)

    assert answer.status == 307
    assert len(sites.asked) == 1
