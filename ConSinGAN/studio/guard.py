"""What stands before Gradio: who may ask, for what, and how much of it.

Only the ways that the page itself needs are open. Requests come from this page (`Host`, `Origin`),
are of bounded size, and name no file but those that their own guest uploaded or was shown; what
they get forbids the browser to load anything from elsewhere.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ConSinGAN.studio.addresses import Addresses
from ConSinGAN.studio.options import MAX_UPLOAD, is_loopback
from ConSinGAN.studio.sessions import GUEST

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

API = "/gradio_api/"
OPEN = re.compile(  # the ways that the page needs; all others are closed
    r"/|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|login|logout|login_check)/?"
    r"|/(assets|static|svelte)/(?!.*\.\.)[\w./@+-]+"
    r"|/gradio_api/((login_check|user|token|app_id|startup-events|reset|cancel|theme\.css)/?"
    r"|upload|upload_progress|queue/(join|data)|heartbeat/\w+|file=.+)"
)
GUESTS_ONLY = re.compile(r"/gradio_api/(upload|queue/|heartbeat/|file=|reset|cancel)")
LOOKED_AT = ("/", f"{API}upload", f"{API}queue/join", f"{API}queue/data")  # answers to these
MOST = 16 * 2**20  # bytes of a request that uploads nothing
MOST_PAGES = 100_000  # that are remembered
MOST_EVENTS = 10_000  # that are at work
ABOVE = 2**20  # bytes of an upload beside the file
GOOD_GUEST = re.compile(r"[\w-]{43}")
OUTSIDE = re.compile(rb'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>')  # names other servers
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


class Refused(Exception):
    """A request that is not answered; code: HTTP's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class Guard:
    """An ASGI application around Gradio's."""

    def __init__(self, app: Any, addresses: Addresses, host: str) -> None:
        """host: that is listened at; if it is this machine's, no other name is answered to."""
        self._app, self._addresses, self._host = app, addresses, host
        self._events: dict[str, Any] = {}  # which event, on which page, by Gradio's id
        self._pages: dict[str, str] = {}  # whose a page is, by the name that it gives itself

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = _Answer(send)
        try:
            await self._answer(scope, receive, answer)
        except Refused as refused:
            await answer.refuse(refused)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        send: Send = answer
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"]
        self._check_origin(headers)
        if not OPEN.fullmatch(path):
            raise Refused(404, "there is nothing here")
        guest = _guest_of(headers)
        if guest is None and GUESTS_ONLY.match(path):
            raise Refused(403, "open the page first")
        new = secrets.token_urlsafe(32) if guest is None else None
        who = guest or new or ""
        if path.startswith(f"{API}file="):
            self._check_file(who, path[len(f"{API}file=") :])
        receive = await self._checked(who, path, headers, receive, answer)
        if path in LOOKED_AT:
            plain = [header for header in scope["headers"] if header[0] != b"accept-encoding"]
            scope = {**scope, "headers": plain}
        send = _with_headers(send, new if path == "/" else None)
        if path == "/":
            send = _Whole(send, lambda body: OUTSIDE.sub(b"", body))
        elif path == f"{API}upload":
            send = _Whole(send, lambda body: self._note_uploads(who, body))
        elif path == f"{API}queue/join":
            joined, receive = await _body_of(receive)
            send = _Whole(send, lambda body: self._note_event(joined, body))
        elif path == f"{API}queue/data":
            send = _Stream(send, lambda line: self._note_answer(who, line))
        if path == f"{API}queue/data":
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            self._check_page(who, query.get("session_hash", [""])[0])
        if path.startswith(f"{API}heartbeat/"):
            self._check_page(who, path.rstrip("/").rpartition("/")[2])
            self._addresses.opened(who)
            try:
                await self._app(scope, receive, send)
            finally:
                self._addresses.closed(who)
            return
        await self._app(scope, receive, send)

    # What is asked ----------------------------------------------------------------------------

    def _check_origin(self, headers: dict[bytes, str]) -> None:
        """Refuse what another page, or another name for this machine, makes a browser ask."""
        host = headers.get(b"host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if is_loopback(self._host) and not is_loopback(name):
            raise Refused(403, "this address is not the studio's")
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise Refused(403, "this request is not from the studio's page")

    def _check_file(self, guest: str, name: str) -> None:
        if not self._addresses.may_have(guest, name):
            raise Refused(403, "this file is not yours")

    def _check_page(self, guest: str, page: object) -> None:
        """Refuse a guest who speaks for another one's page: its state is not his."""
        if not isinstance(page, str) or self._pages.setdefault(page, guest) != guest:
            raise Refused(403, "this page is not yours")
        while len(self._pages) > MOST_PAGES:
            self._pages.pop(next(iter(self._pages)))

    async def _checked(
        self, guest: str, path: str, headers: dict[bytes, str], receive: Receive,
        answer: _Answer,
    ) -> Receive:  # fmt: skip
        """The request's body, if it is not too large and names no file of somebody else's."""
        limit = MAX_UPLOAD + ABOVE if path == f"{API}upload" else MOST
        length = headers.get(b"content-length", "0")
        if not length.isdigit() or int(length) > limit:
            raise Refused(413, f"too large; a file may have {MAX_UPLOAD // 2**20} MB")
        receive = _bounded(receive, limit, answer)
        if path != f"{API}queue/join":
            return receive
        body, receive = await _body_of(receive)
        try:
            asked = json.loads(body)
            texts = list(_texts(asked))
            if not isinstance(asked, dict):
                raise ValueError("no object")
            self._check_page(guest, asked.get("session_hash"))
        except (ValueError, RecursionError):
            raise Refused(400, "this is no request of the page") from None
        for key, text in texts:
            # A file's name, or the beginning of one, in whatever spelling: it must be his.
            names_file = key == "path" or self._addresses.holds(text)
            if names_file and text and not self._addresses.may_have(guest, text):
                raise Refused(403, "this file is not yours")
        return receive

    # What is answered -------------------------------------------------------------------------

    def _note_uploads(self, guest: str, body: bytes) -> bytes:
        try:
            paths = [path for path in json.loads(body) if isinstance(path, str)]
        except ValueError:  # an error's text
            return body
        self._addresses.uploaded(guest, [p for p in paths if self._addresses.holds(p)])
        return body

    def _note_event(self, joined: bytes, body: bytes) -> bytes:
        try:
            asked, told = json.loads(joined), json.loads(body)
            if len(self._events) > MOST_EVENTS:  # of pages that were closed meanwhile
                self._events.clear()
            self._events[told["event_id"]] = (asked.get("session_hash"), asked.get("fn_index"))
        except (ValueError, KeyError, TypeError):
            pass
        return body

    def _note_answer(self, guest: str, line: bytes) -> None:
        """One event of the stream that tells a page what comes of its requests."""
        try:
            message = json.loads(line)
        except ValueError:
            return
        event_id, kind = message.get("event_id"), message.get("msg")
        event = self._events.get(event_id, event_id)
        paths = [text for _, text in _texts(message.get("output"))]
        self._addresses.answered(guest, event, paths)
        if kind == "process_completed":
            self._events.pop(event_id, None)


def _guest_of(headers: dict[bytes, str]) -> str | None:
    """The guest that the cookie names."""
    try:
        morsel = SimpleCookie(headers.get(b"cookie", "")).get(GUEST)
    except CookieError:
        return None
    return morsel.value if morsel is not None and GOOD_GUEST.fullmatch(morsel.value) else None


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """All texts in a JSON value, each with the key that it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, key)


async def _body_of(receive: Receive) -> tuple[bytes, Receive]:
    """The whole body, and what hands it on."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "the request broke off")
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body, handed = b"".join(parts), False

    async def again() -> Message:
        nonlocal handed
        if handed:
            return await receive()
        handed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again


class _Answer:
    """Sends an answer; once the request is refused, nothing but that."""

    def __init__(self, send: Send) -> None:
        self._send, self._started = send, False
        self.refused: Refused | None = None

    async def __call__(self, message: Message) -> None:
        if self.refused is None:
            self._started = True
            await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        """Say no, unless another answer has begun."""
        self.refused = refused
        if self._started:
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
        start = {"type": "http.response.start", "status": refused.code, "headers": headers}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": refused.text.encode()})


def _bounded(receive: Receive, limit: int, answer: _Answer) -> Receive:
    """The same body, of which no more than `limit` bytes are read; more is refused."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            answer.refused = Refused(413, f"too large; a file may have {MAX_UPLOAD // 2**20} MB")
            raise answer.refused
        return message

    return bounded


def _with_headers(send: Send, guest: str | None) -> Send:
    """Add the headers that every answer has, and the cookie of a new guest."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = {name for name, _ in HEADERS}
            kept = [header for header in message.get("headers", []) if header[0] not in ours]
            message = {**message, "headers": [*kept, *HEADERS]}
            if guest is not None:
                cookie = f"{GUEST}={guest}; Path=/; HttpOnly; SameSite=Strict"
                message["headers"].append((b"set-cookie", cookie.encode()))
        await send(message)

    return sending


class _Whole:
    """Sends an answer whose body is changed, or looked at, as a whole."""

    def __init__(self, send: Send, change: Callable[[bytes], bytes]) -> None:
        self._send, self._change = send, change
        self._start: Message | None = None
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._parts.append(message.get("body", b""))
        if message.get("more_body", False) or self._start is None:
            return
        body = self._change(b"".join(self._parts))
        headers = [h for h in self._start["headers"] if h[0] != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


class _Stream:
    """Sends a stream of events, and shows each before it is sent."""

    def __init__(self, send: Send, look: Callable[[bytes], None]) -> None:
        self._send, self._look, self._rest = send, look, b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            *lines, self._rest = (self._rest + message.get("body", b"")).split(b"\n")
            for line in lines:
                if line.startswith(b"data: "):
                    self._look(line[len(b"data: ") :])
        await self._send(message)
