"""What the studio answers over HTTP: to its page everything, to others nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import write_picture
from studio_helpers import studio

httpx = pytest.importorskip("httpx", reason="the studio needs Gradio")
pytest.importorskip("gradio", reason="the studio needs Gradio")

from ConSinGAN.studio import guard  # noqa: E402
from ConSinGAN.studio.addresses import ANSWERS, Addresses  # noqa: E402

API = "gradio_api"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site") / "models"


@pytest.fixture(scope="module")
def address(models: Path) -> Iterator[str]:
    with studio(models) as where:
        yield where


@contextlib.contextmanager
def guest(address: str) -> Iterator[Any]:
    """A browser that has opened the page."""
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        assert client.get("/").status_code == 200
        yield client


def upload(client: Any, path: Path, name: str | None = None) -> str:
    answer = client.post(f"{API}/upload", files={"files": (name or path.name, path.read_bytes())})
    assert answer.status_code == 200, answer.text
    return answer.json()[0]


def join(client: Any, data: list[Any], **more: Any) -> Any:
    body = {"data": data, "fn_index": 0, "session_hash": secrets.token_hex(8), **more}
    return client.post(f"{API}/queue/join", json=body)


def test_the_page_names_no_other_server(address: str) -> None:
    with guest(address) as client:
        page = client.get("/")
        assert not re.findall(r"""(?:src|href|content)=["']?(?:https?:)?//""", page.text)
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["x-frame-options"] == "DENY"
        assert "googleapis" not in client.get("theme.css").text


CLOSED = [
    f"{API}/info", f"{API}/openapi.json", f"{API}/call/predict", f"{API}/run/predict",
    f"{API}/api/predict", f"{API}/proxy=http://127.0.0.1:1/",
    f"{API}/custom_component/a/client/b/c",
    f"{API}/vibe-code", f"{API}/vibe-edit", f"{API}/process_recording", f"{API}/runs",
    f"{API}/file/etc/passwd", f"{API}/deep_link", f"{API}/queue/status",
    f"{API}/component_server", "monitoring", "docs",
    "openapi.json", "redoc", "assets/../../etc/passwd", "static/..%2f..%2fetc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("path", CLOSED)
def test_ways_that_the_page_does_not_need_are_closed(address: str, path: str) -> None:
    with guest(address) as client:
        assert client.get(path).status_code in (404, 405)
        assert client.post(path, json={"data": []}).status_code in (404, 405)


def test_no_file_but_ones_own(address: str, models: Path, tmp_path: Path) -> None:
    (models / "secret.txt").write_text("secret")
    picture = write_picture(tmp_path / "picture.png")
    with guest(address) as one, guest(address) as other:
        mine = upload(one, picture)
        assert one.get(f"{API}/file={mine}").content == picture.read_bytes()
        stranger = httpx.get(f"{address}{API}/file={mine}", trust_env=False)
        for answer in (other.get(f"{API}/file={mine}"), stranger):
            assert answer.status_code == 403
        folder = str(Path(mine).parent)
        for path in (
            "/etc/passwd", str(models / "secret.txt"), "../../etc/passwd", f"{folder}/../../x",
            folder, f"{mine}%00.png", "file:///etc/passwd",
            "http://127.0.0.1:1/", "%2fetc%2fpasswd", "..%2f..%2fetc%2fpasswd", "C:\\x",
        ):  # fmt: skip
            answer = one.get(f"{API}/file={path}")
            assert answer.status_code in (403, 404), (path, answer.status_code)
            assert "secret" not in answer.text and "root:" not in answer.text
        for path in (mine, "/etc/passwd", "../x", folder, f"{folder}/../x", "http://127.0.0.1:1/"):
            for data in ([{"path": path}], [[{"image": {"path": path}}]]):
                assert join(other, data).status_code == 403, path
        assert join(other, [mine]).status_code == 403
        assert join(one, [{"path": mine, "meta": {"_type": "gradio.FileData"}}]).status_code == 200


def test_nobody_speaks_for_anothers_page(address: str) -> None:
    with guest(address) as one, guest(address) as other:
        assert join(one, [], session_hash="mine").status_code == 200
        assert join(other, [], session_hash="mine").status_code == 403
        assert other.get(f"{API}/queue/data?session_hash=mine").status_code == 403
        assert other.get(f"{API}/heartbeat/mine").status_code == 403
        for odd in (None, 3, ["mine"]):
            assert join(other, [], session_hash=odd).status_code == 403


def test_what_is_dangerous_to_show_is_not_shown(address: str, tmp_path: Path) -> None:
    for name in ("a.svg", "b.html", "<img src=x onerror=alert(1)>.html"):
        file = tmp_path / "file"
        file.write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
        with guest(address) as client:
            answer = client.get(f"{API}/file={upload(client, file, name)}")
            assert answer.headers["content-disposition"].startswith("attachment")
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_other_pages_and_names_are_refused(address: str) -> None:
    with guest(address) as client:
        for headers in (
            {"host": "evil.example"}, {"host": "evil.example:80"}, {"host": ""},
            {"origin": "http://evil.example"}, {"origin": "null"},
        ):  # fmt: skip
            assert client.get("/", headers=headers).status_code in (400, 403), headers
            answer = client.post(f"{API}/queue/join", json={"data": []}, headers=headers)
            assert answer.status_code in (400, 403), headers
    without_cookie = httpx.post(
        f"{address}{API}/upload", files={"files": ("a.png", b"x")}, trust_env=False
    )
    assert without_cookie.status_code == 403


@pytest.mark.parametrize(
    "body", [b"", b"[", b"\xff", b"3", b'{"data": ' + b"[" * 100_000, b'{"data": 1}', b"{}"]
)
def test_requests_that_are_none(address: str, body: bytes) -> None:
    with guest(address) as client:
        headers = {"content-type": "application/json"}
        answer = client.post(f"{API}/queue/join", content=body, headers=headers)
        assert 400 <= answer.status_code < 500
        assert client.get("/").status_code == 200


def test_five_gigabytes_are_refused_at_once(address: str) -> None:
    host, _, port = address.removeprefix("http://").strip("/").partition(":")
    head = (
        f"POST /{API}/upload HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: studio_guest={'a' * 43}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {5 * 2**30}\r\n\r\n--b"
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_many_at_once_and_an_upgrade_to_websockets(address: str) -> None:
    """Each of the many sends nonsense to another event of the page, too."""
    codes: list[int] = []

    def ask(event: int) -> None:
        with guest(address) as client:
            codes.append(client.get("config").status_code)
            given = [{"x": [event]}, "../../etc/passwd", None, -1, "<script>"][: event % 6]
            assert join(client, given, fn_index=event).status_code < 500

    threads = [threading.Thread(target=ask, args=[event]) for event in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 50
    headers = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-key": "x" * 70_000}
    with guest(address) as client:
        assert client.get(f"{API}/queue/join", headers=headers).status_code >= 400
        assert client.get("/").status_code == 200


def test_with_a_password(tmp_path: Path) -> None:
    with studio(tmp_path / "models", "--auth", "me:secret") as address, guest(address) as client:
        for way in ("config", f"{API}/file=/etc/passwd", f"{API}/upload"):
            assert client.get(way).status_code in (401, 403, 405), way
        assert join(client, []).status_code == 401
        assert "train-start" not in client.get("/").text
        wrong = client.post("login", data={"username": "me", "password": "wrong"})
        assert wrong.status_code == 400
        right = client.post("login", data={"username": "me", "password": "secret"})
        assert right.status_code == 200 and "train-start" in client.get("/").text


# The parts by themselves --------------------------------------------------------------------------


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads all that comes."""
    while (await receive())["more_body"]:
        pass


async def catching(scope: Any, receive: Any, send: Any) -> None:
    """One that says so when something goes wrong, as Starlette does."""
    try:
        await plain(scope, receive, send)
    except Exception:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"oh"})
        raise


@pytest.mark.parametrize("app", [plain, catching])
def test_bodies_are_counted(app: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever they say of their length."""
    monkeypatch.setattr(guard, "MAX_UPLOAD", 1000)
    monkeypatch.setattr(guard, "ABOVE", 10)
    handed = 0

    async def receive() -> dict[str, Any]:
        nonlocal handed
        handed += 300
        return {"type": "http.request", "body": b"x" * 300, "more_body": True}

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"cookie", f"studio_guest={'a' * 43}".encode()),
               (b"content-type", b"multipart/form-data; boundary=b")]  # fmt: skip
    scope = {"type": "http", "path": f"/{API}/upload", "headers": headers, "method": "POST"}
    asyncio.run(guard.Guard(app, Addresses(tmp_path), "127.0.0.1")(scope, receive, send))
    assert [message.get("status") for message in sent] == [413, None] and handed == 1200


def test_files_go_with_answers_and_guests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ConSinGAN.studio import addresses as module

    addresses = Addresses(tmp_path)
    public = write_picture(tmp_path / "public.png")
    addresses.publish()

    def new(name: str) -> str:
        (tmp_path / name).mkdir()
        return str(write_picture(tmp_path / name / "a.png"))

    addresses.opened("one")
    sent = new("upload")
    addresses.uploaded("one", [sent])
    shown = [new(f"answer{n}") for n in range(ANSWERS + 2)]
    for path in shown:
        addresses.answered("one", "event", [path, "/etc/passwd"])
        addresses.answered("one", "event", [path])  # the same again replaces nothing
    assert [Path(path).exists() for path in shown] == [False] * 2 + [True] * ANSWERS
    assert addresses.may_have("one", shown[-1]) and not addresses.may_have("two", shown[-1])
    assert not addresses.may_have("one", "/etc/passwd")
    addresses.answered("two", "event", [shown[-1]])  # the same picture was drawn for another
    addresses.sweep()
    assert Path(sent).exists()
    addresses.closed("one")
    monkeypatch.setattr(module, "GRACE", -1.0)
    addresses.opened("two")
    addresses.sweep()
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [public, Path(shown[-1])] or left == [Path(shown[-1]), public]


def test_answers_are_looked_at_while_they_pass(tmp_path: Path) -> None:
    addresses = Addresses(tmp_path)
    watcher = guard.Guard(None, addresses, "127.0.0.1")
    watcher._note_event(b'{"session_hash": "s", "fn_index": 3}', b'{"event_id": "e"}')
    path = str(write_picture(tmp_path / "a.png"))
    message = {"msg": "process_completed", "event_id": "e",
               "output": {"data": [{"value": [["replace", ["path"], path]]}]}}  # fmt: skip
    watcher._note_answer("one", json.dumps(message).encode())
    assert addresses.may_have("one", path) and watcher._events == {}
