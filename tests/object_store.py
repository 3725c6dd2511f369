"""An object store on this machine's loopback for tests: moto's S3, with failures to order."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

BUCKET = "pictures"
ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>{message}</Message></Error>"""
Failure = tuple[str, str, str]  # status, code, message
BUSY: Failure = ("503 Service Unavailable", "ServiceUnavailable", "Please wait")
BROKEN: Failure = ("500 Internal Server Error", "InternalError", "Something broke")


@dataclass
class Server:
    """A running store.

    requests: methods and paths of what was asked. failing: is asked before the store, and may
    answer in its place.
    """

    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    failing: Callable[[str, str, dict[str, Any]], Failure | None] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use it, and nothing else."""
        return {
            "FSSPEC_S3_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "2",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }  # fmt: skip

    def asked(self, method: str, end: str) -> int:
        """How often something whose path has this end was asked so."""
        return sum(m == method and path.endswith(end) for m, path in [*self.requests])


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Start it, with one empty bucket, and shut it down at the end."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    store, moto = Server(), DomainDispatcherApplication(create_backend_app)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        store.requests.append((method, path))
        failure = store.failing(method, path, environ) if store.failing else None
        if failure is None:
            return moto(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, code, message = failure
        start_response(status, [("Content-Type", "application/xml")])
        return [] if method == "HEAD" else [ERROR.format(code=code, message=message).encode()]

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, application, True, request_handler=MotoRequestHandler)
    store.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Held:
    """A lease as it is while nobody takes it away."""

    def is_mine(self) -> bool:
        return True
