"""A web server on 127.0.0.1 that serves files as a mirror does, with faults on request."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Web:
    """What is served, how it fails, and what was asked for."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    #: Break the connection after this many bytes of a body, once for each entry.
    cuts: list[int] = field(default_factory=list)
    #: Whether Range requests are answered with a part.
    ranges: bool = True
    #: Bytes by which a part that is sent starts before the one that was asked for.
    early: int = 0
    #: ``Range`` header of every request, ``""`` where absent, in order.
    asked: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    web: Web

    def do_GET(self) -> None:
        web = self.web
        wanted = self.headers.get("Range", "")
        web.asked.append(wanted)
        content = web.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and web.ranges else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        start = max(0, start - web.early)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        self.wfile.write(body[: web.cuts.pop(0)] if web.cuts else body)

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@contextlib.contextmanager
def serve() -> Iterator[Web]:
    """Run a server in a thread."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        web = Web(f"http://127.0.0.1:{server.server_port}/")
        handler.web = web
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
