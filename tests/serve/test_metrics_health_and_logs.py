"""What an operator's tools read of a running server: metrics, probes and a log of JSON lines."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.packages import build_conda
from tests.support.process import Answer, Serve


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serve]:
    environ = {
        "CHANNELD_LOG__FORMAT": "json",
        "CHANNELD_SERVER__TRUSTED_PROXIES": "127.0.0.0/8",
    }
    with Serve(tmp_path, environ=environ) as server:
        server.read_welcome()
        server.create_channel()
        yield server


def samples(answer: Answer) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_metrics_parse_and_count(server: Serve) -> None:
    data = build_conda("alpha")
    assert server.upload("alpha-1.0-0.conda", data) == 201
    assert server.upload("alpha-1.0-0.conda", data) == 200
    server.wait_for("alpha-1.0-0.conda")

    answer = server.ask("GET", "/metrics")
    deadline = time.monotonic() + 10
    while not samples(answer)["channeld_live_seconds_count", ()] and time.monotonic() < deadline:
        time.sleep(0.02)  # what is published is seen a moment before it is counted
        answer = server.ask("GET", "/metrics")

    assert answer.status == 200
    assert answer.fields["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(answer)
    assert found["channeld_uploads_total", (("outcome", "created"),)] == 1
    assert found["channeld_uploads_total", (("outcome", "unchanged"),)] == 1
    assert found["channeld_uploaded_bytes_total", ()] == len(data)
    assert found["channeld_publications_total", ()] >= 1
    assert found["channeld_live_seconds_count", ()] == found["channeld_publications_total", ()]
    assert found["channeld_indexer_trouble", ()] == 0
    assert found["channeld_requests_total", (("method", "PUT"), ("status", "201"))] == 1


def test_a_whole_scenario_in_json_with_request_ids_and_without_tokens(server: Serve) -> None:
    data = build_conda("alpha")
    secret = server.token.rpartition("-")[2]
    named = server.ask(
        "PUT",
        "/chan/noarch/alpha-1.0-0.conda",
        data,
        **{
            "X-Request-Id": "build-7",
            "X-Forwarded-For": "203.0.113.9",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "conda.example.org",
        },
    )
    assert (named.status, named.fields["X-Request-Id"]) == (201, "build-7")
    assert named.json["uri"] == "https://conda.example.org/chan/noarch/alpha-1.0-0.conda"
    odd = server.ask("PUT", "/chan/noarch/beta-1.0-0.conda", b"nonsense", **{"X-Request-Id": "a b\tc"})
    assert odd.status == 422
    assert odd.fields["X-Request-Id"] not in ("a b\tc", "-")
    server.ask("PUT", f"/t/{server.token}/chan/noarch/alpha-1.0-0.conda", data)
    server.ask("GET", f"/t/{server.token}/chan/noarch/repodata.json")
    server.ask("POST", f"/api/v1/upload/chan?token={server.token}", data)
    server.ask("PUT", "/chan/noarch/alpha-1.0-0.conda", data, Authorization=f"Basic {server.token}")
    server.stop()

    text = server.log.read_text()
    assert secret not in text
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        assert {"time", "level", "logger", "event"} <= set(event)
        assert event["level"] in ("info", "warning", "error")
    assert [event for event in events if event["logger"].startswith("alembic")] == []
    answered = [event for event in events if event["logger"] == "channeld.web.app"]
    assert all(event["request_id"] for event in answered)
    (upload,) = [event for event in answered if event["request_id"] == "build-7"]
    assert upload["event"] == "PUT /chan/noarch/alpha-1.0-0.conda answered 201"
    assert upload["remote"] == "203.0.113.9"
    assert upload["milliseconds"] > 0


def test_below_the_reserve_it_is_not_ready_but_alive_and_readable(tmp_path: Path) -> None:
    with Serve(tmp_path, environ={"CHANNELD_STORAGE__RESERVE_BYTES": str(10**15)}) as server:
        server.read_welcome()
        server.create_channel()

        ready = server.ask("GET", "/health/ready")
        assert ready.status == 503
        assert ready.fields["Retry-After"] == "5"
        assert ready.json["status"] == "unavailable"
        assert "is full" in ready.json["problems"][0]
        assert server.upload("alpha-1.0-0.conda", build_conda("alpha")) == 503
        assert server.ask("GET", "/health/live").status == 200
        assert server.ask("GET", "/chan/noarch/repodata.json").status == 200


def test_what_scanners_send_fills_no_log_and_the_probes_are_well(server: Serve) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    for junk in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(junk)
            connection.settimeout(10)
            assert b" 400 " in connection.recv(1000)
    assert server.ask("GET", "/health/live").json == {"status": "ok"}
    ready = server.ask("GET", "/health/ready")
    assert (ready.status, ready.json) == (200, {"status": "ok", "problems": []})
    server.stop()

    assert "Traceback" not in server.log.read_text()
