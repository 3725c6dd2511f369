"""Leases of runs in an object store, and what is said of stores that cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fleet_helpers import wait_for
from object_store import BROKEN, BUCKET, Held, Server

from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.fleet import lease, places, store, store_lease
from ConSinGAN.fleet.store import ObjectStore
from ConSinGAN.fleet.store_place import StorePlace

pytest_plugins = ["object_store_fixtures"]
pytestmark = [
    # botocore and moto tell of what is to come in Python and their dependencies
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(botocore|aiobotocore|moto)"),
]

# Leases ------------------------------------------------------------------------------------------


def test_one_at_a_time(place: StorePlace) -> None:
    there = ObjectStore(place.url)
    with store_lease.hold(there, "lease") as held:
        assert held.is_mine()
        with pytest.raises(lease.Taken, match=f"process {os.getpid()} on"):
            store_lease._acquire(store_lease.StoreLease(there, "lease"), 0, 60)
    assert not there.has("lease")


def lay(there: ObjectStore, **other: object) -> None:
    """Somebody's lease."""
    there.write("lease", json.dumps(lease.who_i_am("theirs") | other).encode())


def test_a_lease_of_a_dead_process_or_of_silence_is_taken(place: StorePlace) -> None:
    there = ObjectStore(place.url)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    lay(there, pid=child.pid, started="0")
    start = time.monotonic()
    with store_lease.hold(there, "lease"):
        assert time.monotonic() - start < 5
    lay(there, host="elsewhere")
    with pytest.raises(lease.Taken, match="on elsewhere"):
        store_lease._acquire(store_lease.StoreLease(there, "lease"), 0, 60)
    start = time.monotonic()
    with store_lease.hold(there, "lease", expiry=1.5):
        assert time.monotonic() - start > 1.5


def test_a_lease_is_renewed_and_its_loss_is_seen(
    place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_lease, "RENEWAL", 0.05)
    there = ObjectStore(place.url)
    with store_lease.hold(there, "lease") as held:
        wait_for(lambda: json.loads(there.read("lease"))["renewals"] > 2)
        assert held.is_mine()
        lay(there)
        time.sleep(0.5)  # a renewal that was under way may have put its own back
        lay(there)
        wait_for(lambda: not held.is_mine())
    assert json.loads(there.read("lease"))["token"] == "theirs"


def test_stores_that_cannot_promise_to_create_have_leases_too(
    failing: Server, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing_(method: str, path: str, environ: dict[str, Any]) -> Any:
        if "HTTP_IF_NONE_MATCH" in environ:
            return "501 Not Implemented", "NotImplemented", "A header is not implemented"
        return None

    failing.failing = failing_
    monkeypatch.setattr(store_lease, "SETTLED", 0.05)
    with store_lease.hold(ObjectStore(place.url), "lease"), pytest.raises(lease.Taken):
        other = store_lease.StoreLease(ObjectStore(place.url), "lease")
        store_lease._acquire(other, 0, 60)


# What is told ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("s3://nobody-has-this/x", "bucket does not exist"),
        ("s3:///", "lacks the bucket"),
        ("memory://x/y", "no store that many processes"),
        ("nonsense://x/y", "knows no nonsense://"),
        ("simplecache::s3://x/y", "no store that many processes"),
    ],
)
def test_wrong_urls_are_told_in_one_line(server: Server, url: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        places.prepare(url, "mark")
    assert caught.value.option == "output_dir"


def test_wrong_credentials_are_told(failing: Server) -> None:
    refused = ("403 Forbidden", "InvalidAccessKeyId", "The key does not exist in our records")
    failing.failing = lambda *request: refused
    with pytest.raises(UsageError, match="not permitted with these credentials"):
        places.check(f"s3://{BUCKET}/x")


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    registered = sys.modules["fsspec.registry"]._registry
    monkeypatch.delitem(registered, "s3", raising=False)
    with pytest.raises(UsageError, match="pip install s3fs"):
        places.check("s3://bucket/x")


def test_a_store_out_of_reach_is_told_by_the_command(
    script: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, picture_file: Path, server: Server
) -> None:
    from ConSinGAN.fleet import __main__

    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": "http://127.0.0.1:9"})
    monkeypatch.setattr(store, "_open", store._open.__wrapped__)
    start = time.monotonic()
    outcome = script(__main__, "train", picture_file, "--output_dir", f"s3://{BUCKET}/x")
    assert time.monotonic() - start < 30
    assert outcome.code == 2 and len(outcome.err.splitlines()) == 1
    assert f"--output_dir s3://{BUCKET}/x: cannot be used: Could not connect" in outcome.err
    outcome = script(__main__, "train", picture_file, "--output_dir", "runs", "--scratch", "x")
    assert outcome.code == 2 and "--scratch is for an --output_dir in an object" in outcome.err


def test_who_does_not_answer_is_not_waited_for() -> None:
    with pytest.raises(OSError, match="no answer"):
        store.within(0.1, lambda: time.sleep(1), "s3://x")


def test_a_machine_knows_whether_it_sees_the_store(
    failing: Server, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.blind() is None
    assert "sees another store" in str(replace_mark(place).blind())
    monkeypatch.setattr("ConSinGAN.fleet.store_place.PATIENCE", 0.1)
    failing.failing = lambda *request: BROKEN
    assert f"does not reach {place.url} (" in str(place.blind())


def replace_mark(place: StorePlace) -> StorePlace:
    return StorePlace(place.url, "another mark", place.scratch)


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    place = places.prepare(f"file://{tmp_path}/runs", "mark")
    assert place.address == f"{tmp_path}/runs"
    assert (tmp_path / "runs/.fleet/id").read_text() == "mark"


def test_errors_name_the_run_and_not_the_scratch_folder(place: StorePlace) -> None:
    with (
        pytest.raises(ConSinGANError, match=f"the checkpoint stays in {place.url}/run$"),
        place.at_hand("run", Held(), pytest.fail) as path,
    ):
        raise ConSinGANError(f"the checkpoint stays in {path}")
    with (
        pytest.raises(ConSinGANError, match=r"^scratch: .*reals: No space left on device; the"),
        place.at_hand("run", Held(), pytest.fail) as path,
    ):
        full = OSError(28, "No space left on device", str(path / "reals"))
        raise ConSinGANError("a hint that does not help") from full
