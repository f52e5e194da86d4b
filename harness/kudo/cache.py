"""The newest state of every object that the engine knows: what watches told and what its own writes returned.

Private to the engine. Both arrive in any order, so resource versions decide which of two states is the newer one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from harness.kit.documents import Manifest
from harness.kube import Ref
from harness.kube.objects import labels_of, uid_of, version_of

__all__ = ["Cache"]

_REMEMBERED = 4096  # uids of deleted objects, so that a late answer does not bring them back


class Cache:
    """Objects by reference; safe for many threads. The objects are shared: read them, never write to them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[Ref, Manifest] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()

    def put(self, item: Manifest) -> bool:
        """Take a state of an object; return whether it was news."""
        ref = Ref.of(item)
        with self._lock:
            if uid_of(item) in self._gone:
                return False
            known = self._objects.get(ref)
            if known is not None and uid_of(known) == uid_of(item) and not _newer(item, known):
                return False
            self._objects[ref] = item
            return True

    def remove(self, item: Manifest) -> None:
        """Take the news that an object is gone."""
        ref, uid = Ref.of(item), uid_of(item)
        with self._lock:
            self._gone[uid] = None
            while len(self._gone) > _REMEMBERED:
                self._gone.popitem(last=False)
            known = self._objects.get(ref)
            if known is not None and uid_of(known) == uid:
                del self._objects[ref]

    def get(self, ref: Ref) -> Manifest | None:
        """Return an object's newest known state."""
        with self._lock:
            return self._objects.get(ref)

    def of_kind(self, api_version: str, kind: str, namespace: str | None = None) -> list[Manifest]:
        """Return the objects of a kind, in one namespace or all, by name."""
        with self._lock:
            found = [
                (ref.name, item)
                for ref, item in self._objects.items()
                if (ref.api_version, ref.kind) == (api_version, kind) and namespace in (None, ref.namespace)
            ]
        return [item for _name, item in sorted(found, key=lambda pair: pair[0])]

    def labelled(self, api_version: str, kind: str, namespace: str, label: str, value: str) -> list[Manifest]:
        """Return the objects of a kind that carry a label, by name."""
        return [item for item in self.of_kind(api_version, kind, namespace) if labels_of(item).get(label) == value]


def _newer(item: Manifest, known: Manifest) -> bool:
    new, old = version_of(item), version_of(known)
    return int(new) > int(old) if new.isdigit() and old.isdigit() else new != old
