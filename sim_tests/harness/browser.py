"""A headless Chromium that a test drives by the DevTools protocol, over pipes."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

__all__ = ["Browser", "executable"]

#: Names of the browser: Debian's packages, and those of others.
NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome", "chrome")
#: Seconds that any answer may take, the start included.
LIMIT = 60


def executable() -> str | None:
    """Path of the browser; ``None``: there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a browser, which ends with the ``with`` block.

    Messages are JSON that ends with a zero byte: ours on descriptor 3 of the browser, its answers
    on descriptor 4 (``--remote-debugging-pipe``). ``problems`` has what the page wrote to its
    console as an error or a warning, exceptions, and what its policy refused.
    """

    def __init__(self, profile: Path) -> None:
        self.problems: list[str] = []
        self._number, self._unread = 0, b""
        to_browser, self._send = os.pipe()
        self._receive, from_browser = os.pipe()
        program = executable()
        assert program is not None
        command = [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={profile}",
        ]  # fmt: skip
        # the shell gives the pipes the numbers that the browser wants, whatever theirs are
        script = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._send)
        os.close(self._receive)
        self._process.terminate()
        self._process.wait(LIMIT)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, page: Path, width: int, height: int = 900) -> None:
        """Open a page in a window of so many pixels, and wait until it is there."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=1, mobile=width < 700,
        )  # fmt: skip
        self.call("Page.navigate", url=page.resolve().as_uri())
        end = time.monotonic() + LIMIT
        while self.value("document.readyState") != "complete":
            assert time.monotonic() < end, f"{page} does not load"

    def value(self, script: str) -> Any:
        """Value of an expression of JavaScript in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def move(self, selector: str, number: int = 0) -> None:
        """Move the pointer onto the middle of an element."""
        x, y = self._middle(selector, number)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector: str, number: int = 0) -> None:
        """Click on the middle of an element."""
        x, y = self._middle(selector, number)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, path: Path) -> None:
        """Write what the window shows as a PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def _middle(self, selector: str, number: int) -> tuple[float, float]:
        element = f"document.querySelectorAll({json.dumps(selector)})[{number}]"
        self.value(f"{element}.scrollIntoView({{block: 'center'}})")
        x, y = self.value(
            f"(() => {{const b = {element}.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]})()"
        )
        return x, y

    def _next(self) -> dict[str, Any]:
        """Next message of the browser; problems are noted on the way."""
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._receive], [], [], LIMIT)
            assert ready, f"the browser says nothing for {LIMIT} s"
            part = os.read(self._receive, 1 << 16)
            assert part, f"the browser ended: {self._process.poll()}"
            self._unread += part
        text, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.problems.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.problems.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(params["entry"]["text"])
