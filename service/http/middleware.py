"""What surrounds every request: its id, HEAD, the last catch of errors, one log line, and the counters."""

import logging
import re
import secrets
import time
from functools import cache
from urllib.parse import quote

from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import respond
from service.metrics import Metrics

access = logging.getLogger("endomask.access")

PROBES = {"/livez", "/readyz", "/metrics"}
"""Asked every few seconds; logged only when something is wrong."""

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class ObserveRequests:
    """Gives each request an id (the caller's, when sane), turns what nobody caught into a problem, counts and logs."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._counted = cache(self._look_up)

    def _look_up(self, route: str, model: str, outcome: str) -> tuple[Counter, Histogram]:
        """The collectors with these labels, of which there are few."""
        return self._metrics.requests.labels(route, model, outcome), self._metrics.request_seconds.labels(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        self._metrics.inflight.inc()
        try:
            await exchange.run(self._app)
        finally:
            self._metrics.inflight.dec()
            self._record(exchange)

    def _record(self, exchange: "_Exchange") -> None:
        seconds = time.perf_counter() - exchange.started_at
        route = getattr(exchange.scope.get("route"), "path", "other")
        state = exchange.scope["state"]
        model = state.get("model")
        outcome = exchange.outcome
        requests, request_seconds = self._counted(route, model.split("/")[0] if model else "none", outcome)
        requests.inc()
        request_seconds.observe(seconds)
        if outcome in {"refused", "unavailable"}:
            self._metrics.rejected.labels(exchange.code).inc()
        probed = route in PROBES and outcome == "ok"
        access.log(
            logging.DEBUG if probed else logging.INFO,
            "method=%s path=%s status=%d code=%s ms=%.1f bytes_in=%d bytes_out=%d model=%s request_id=%s",
            exchange.scope["method"],
            quote(exchange.scope["path"]),
            exchange.status,
            exchange.code,
            seconds * 1000,
            exchange.bytes_in,
            exchange.bytes_out,
            model or "-",
            state["request_id"],
        )


class _Exchange:
    """One request and its answer, watched while they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._head = scope["method"] == "HEAD"
        self.started_at = time.perf_counter()
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.scope = dict(scope)
        if self._head:
            self.scope["method"] = "GET"
        self.scope["state"] = dict(scope.get("state", {}))
        self.scope["state"]["request_id"] = _request_id(scope)

    @property
    def code(self) -> str:
        if (code := self.scope["state"].get("code")) is not None:
            return str(code)
        return "disconnected" if self.status in {0, 499} else "ok" if self.status < 400 else "error"

    @property
    def outcome(self) -> str:
        """`ok`, `refused` (4xx), `unavailable` (503, 507), `failed` (ours), `disconnected`."""
        if self.code == "disconnected":
            return "disconnected"
        if self.status < 400:
            return "ok"
        if self.status < 500:
            return "refused"
        return "unavailable" if self.status in {503, 507} else "failed"

    async def run(self, app: ASGIApp) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except _HeadAnswered:
            return
        except Exception as error:
            if self._head and self.status:
                return
            if self.status:
                raise
            request = Request(self.scope)
            await respond(error, request)(self.scope, self.receive, self.send)

    async def receive(self) -> Message:
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self.scope["state"]["request_id"]
        elif message["type"] == "http.response.body":
            if self._head:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                raise _HeadAnswered
            self.bytes_out += len(message.get("body", b""))
        await self._send(message)


class _HeadAnswered(Exception):
    """HEAD has its headers: whatever would make the body may stop."""


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SANE_REQUEST_ID.fullmatch(text := value.decode("latin-1")):
            return str(text)
    return secrets.token_hex(16)
