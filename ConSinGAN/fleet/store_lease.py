"""Leases in an object store, which knows no links, no renaming and no touching.

A lease is a small object that is created only if there is none, where the store can promise that
(S3, Google and Azure can), and written again with another number every RENEWAL seconds. It counts
as left behind when its process is gone (on the same machine: at once) or when it has not changed
for EXPIRY seconds as the waiting one's own clock tells.

To take away what was left behind and to renew are two requests each, between which somebody else
may come. So two may believe for a moment to hold a lease, until the next renewal tells one of
them that it does not: that costs time, not results, since both do the same to the bit and every
object is put whole.
"""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

from ConSinGAN.fleet import lease
from ConSinGAN.fleet.store import ObjectStore, patiently

EXPIRY = 60.0  # seconds without a change after which a holder on another machine counts as gone
RENEWAL = 10.0  # seconds between renewals
POLL = 1.0  # seconds between looks at a lease that another one holds
SETTLED = 2.0  # seconds after which two who wrote at once both see who was last
PATIENCE = 60.0  # seconds for a store that fails for the moment


class StoreLease:
    """What one process holds on a name; renewed by a thread of its own."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        self.store, self.name = store, name
        self.me = lease.who_i_am(secrets.token_hex(8))
        self._renewals, self._lost = 0, False
        self._released = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def is_mine(self) -> bool:
        """Whether, as far as was seen, it is still this one's."""
        return not self._lost

    def read(self) -> dict[str, Any] | None:
        """What lies there: somebody's lease, {} if it is damaged; None if there is none."""
        try:
            content = json.loads(self.store.read(self.name))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def claim(self) -> bool:
        """Take the lease if there is none."""
        try:
            created = self.store.create(self.name, self._content())
        except NotImplementedError:  # write, and see who was last
            self.store.write(self.name, self._content())
            time.sleep(SETTLED)
            created = False
        return created or self._has_my_token()  # an answer may have been lost

    def take_away(self, content: dict[str, Any]) -> None:
        """Remove a lease that was left behind, unless somebody did so before and has a new one."""
        if self.read() == content:
            self.store.remove(self.name)

    def keep(self) -> None:
        """Renew it from now on, until it is released or lost."""
        self._keeper.start()

    def _keep(self) -> None:
        while not self._released.wait(RENEWAL):
            with contextlib.suppress(OSError):  # a store that fails for the moment
                if not self._has_my_token():
                    self._lost = True
                    return
                self._renewals += 1
                self.store.write(self.name, self._content())

    def release(self) -> None:
        """Give it back, if it is still this one's."""
        self._released.set()
        self._keeper.join(PATIENCE)  # or a renewal under way would put it back
        with contextlib.suppress(OSError):
            if self._has_my_token():
                self.store.remove(self.name)

    def _has_my_token(self) -> bool:
        return (self.read() or {}).get("token") == self.me["token"]

    def _content(self) -> bytes:
        return json.dumps(self.me | {"renewals": self._renewals}).encode()


@contextlib.contextmanager
def hold(
    store: ObjectStore, name: str, seconds: float = 1.5 * EXPIRY, expiry: float = EXPIRY
) -> Iterator[StoreLease]:
    """Hold a lease; one that somebody holds is waited for.

    expiry: seconds after which an unchanged lease counts as left behind. Raises lease.Taken if
    somebody else has it for so many seconds, OSError if the store fails.
    """
    held = StoreLease(store, name)
    _acquire(held, seconds, expiry)
    held.keep()
    try:
        yield held
    finally:
        held.release()


def _acquire(mine: StoreLease, seconds: float, expiry: float) -> None:
    seen: dict[str, Any] | None = None
    start = since = time.monotonic()
    while True:
        found = patiently(PATIENCE, mine.read)
        if found is None:
            if patiently(PATIENCE, mine.claim):
                return
            found = patiently(PATIENCE, mine.read)
        now = time.monotonic()
        if found != seen:
            seen, since = found, now
        if found is not None and (lease.is_gone(found) or now - since >= expiry):
            patiently(PATIENCE, functools.partial(mine.take_away, found))
            continue
        if now - start >= seconds:
            raise lease.Taken(lease.holder(found or {}))
        time.sleep(POLL)
