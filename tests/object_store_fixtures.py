"""Fixtures of tests that need an object store; they name this module in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from object_store import BUCKET, Server, running

from ConSinGAN.fleet import places, store
from ConSinGAN.fleet.store_place import StorePlace


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The store; this process and those that it starts use it, and no other."""
    with running() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.environment.items():
            patch.setenv(name, value)
        patch.setitem(fsspec.config.conf, "s3", {"endpoint_url": found.url})
        fsspec.filesystem("s3").call_s3("create_bucket", Bucket=BUCKET)
        yield found
        store._open.cache_clear()


@pytest.fixture
def failing(server: Server) -> Iterator[Server]:
    """The store for a test that lets it fail."""
    yield server
    server.failing = None


@pytest.fixture
def place(server: Server, request: pytest.FixtureRequest, tmp_path: Path) -> StorePlace:
    """A place of the test's own."""
    url = f"s3://{BUCKET}/{request.node.name}"
    made = places.prepare(url, "0123456789abcdef", str(tmp_path / "scratch"))
    assert isinstance(made, StorePlace)
    return made
