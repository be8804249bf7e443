"""`make audit`: known vulnerabilities fail it, a missing network does not."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import free_ports

ROOT = Path(__file__).parents[1]
ADVISORY = {"id": "GHSA-test", "modified": "2026-01-01T00:00:00Z"}


@contextmanager
def service(*, knows: bool) -> Iterator[str]:
    """Answer as https://google.github.io/osv.dev/api/ says; `knows` of the first package."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            found: list[dict[str, Any]] = [{} for _ in asked]
            if knows:
                found[0] = {"vulns": [ADVISORY]}
            self._answer({"results": found})

        def do_GET(self) -> None:
            self._answer(ADVISORY | {"summary": "Something is wrong", "affected": []})

        def _answer(self, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_args: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def audit(url: str) -> subprocess.CompletedProcess[str]:
    uv = shutil.which("uv") or ROOT / ".tools/uv"
    if not Path(uv).exists():
        pytest.skip("uv is not installed (make brings it)")
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "")
    environment = os.environ | proxies | {"UV": str(uv), "AUDIT_SERVICE": url}
    return subprocess.run(
        [ROOT / ".ci/audit"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_a_known_vulnerability_fails() -> None:
    with service(knows=True) as url:
        ended = audit(url)
    assert ended.returncode == 1
    assert "GHSA-test" in ended.stdout


def test_no_known_vulnerability_passes() -> None:
    with service(knows=False) as url:
        ended = audit(url)
    assert ended.returncode == 0, ended.stdout
    assert "no known vulnerabilities" in ended.stdout


def test_without_the_service_it_is_skipped_with_a_word() -> None:
    (port,) = free_ports(1)
    ended = audit(f"http://127.0.0.1:{port}/")
    assert (ended.returncode, ended.stdout) == (
        0,
        "Audit skipped: the vulnerability service cannot be reached.\n",
    )
