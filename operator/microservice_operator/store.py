"""What we know now: MicroServices as they are stored, and slim records of their children."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from microservice_operator.api.kinds import GROUP
from microservice_operator.observed import Outcome, Record, Ref
from microservice_operator.reach import EVERYWHERE, WHOLE_CLUSTER, Reach
from microservice_operator.workqueue import Key

Place = tuple[str, str]  # namespace, name
Feed = tuple[str, str]  # what one watch brings: a kind, in one namespace or EVERYWHERE


@dataclass(frozen=True, slots=True)
class Known:
    """A MicroService as last seen; the body as bytes, a fifth of what it takes as objects."""

    uid: str
    version: int
    asked: tuple[object, ...]  # what a person can change that we read
    status: bytes
    body: bytes

    def load(self) -> Any:
        return orjson.loads(self.body)


class Store:
    """Never waits, so nobody needs a lock. `on_child` hears whose child has changed."""

    def __init__(self, on_child: Callable[[Key], None], reach: Reach = WHOLE_CLUSTER) -> None:
        self._on_child = on_child
        self._reach = reach
        self._services: dict[Key, Known] = {}
        self._keys: dict[str, Key] = {}  # MicroService uid -> key
        self._records: dict[str, dict[Place, Record]] = {}
        self._children: dict[str, dict[Ref, Record]] = {}  # by the controller's uid
        self._seen_to: dict[Feed, int] = {}  # the newest version each watch has shown
        self._deleted: dict[Feed, set[str]] = {}  # uids we deleted and the watch still has to

    # MicroServices

    def all_keys(self) -> list[Key]:
        return list(self._services)

    def service(self, key: Key) -> Known | None:
        return self._services.get(key)

    def notice(self, body: Mapping[str, Any], *, listed: bool) -> bool:
        """Whether a pass has something new to see. A list is believed even if it is older: after
        an etcd restore, versions go backwards."""
        key, known = _key(body), _known(body)
        before = self._services.get(key)
        if before and before.uid == known.uid and known.version <= before.version and not listed:
            return False
        if before and before.uid != known.uid:
            self._keys.pop(before.uid, None)
        self._services[key] = known
        self._keys[known.uid] = key
        return before is None or _differ(before, known)

    def learn_service(self, key: Key, read: Known, answer: Mapping[str, Any]) -> bool:
        """Take the answer to a status write of the object as it was `read`; true if it shows that
        a person changed something since, because its event will not be newer than this."""
        answered = _known(answer)
        current = self._services.get(key)
        if current and current.uid == answered.uid and current.version < answered.version:
            self._services[key] = answered
        return answered.asked != read.asked

    def forget(self, key: Key, uid: str | None = None) -> bool:
        """False if it is another object by now that has this name."""
        known = self._services.get(key)
        if known is None or (uid is not None and known.uid != uid):
            return False
        del self._services[key]
        self._keys.pop(known.uid, None)
        return True

    # children

    def children(self, uid: str) -> dict[Ref, Record]:
        return dict(self._children.get(uid, {}))

    def seen_to(self, kind: str, namespace: str = EVERYWHERE) -> int:
        return self._seen_to.get((kind, namespace), 0)

    def advance(self, kind: str, version: int, namespace: str = EVERYWHERE) -> None:
        self._seen_to[kind, namespace] = max(version, self.seen_to(kind, namespace))

    def put(self, kind: str, record: Record) -> bool:
        """An event of the watch; true if it changed anything but the version."""
        if record.uid in self._deleted.get(self._feed(record), ()):
            return False
        before = self._get(kind, record)
        if before and before.version >= record.version:
            return False
        if before and before.uid == record.uid:
            record = replace(record, asked=before.asked, answered=before.answered)
        self._set(kind, record)
        if before and replace(before, version=record.version) == record:
            return False
        self._tell(before, record)
        return True

    def drop(self, kind: str, record: Record) -> bool:
        """The watch says that this object is gone."""
        self._deleted.get(self._feed(record), set()).discard(record.uid)
        before = self._get(kind, record)
        if before is None or before.version > record.version:
            return False
        self._unset(kind, before)
        self._tell(before)
        return True

    def replace(
        self,
        kind: str,
        records: Iterable[Record],
        version: int,
        *,
        since: int,
        namespace: str = EVERYWHERE,
    ) -> None:
        """A full list as of `version`, begun when we had seen up to `since`. An older list means
        a restored etcd: all we hold of this kind is of a world that is no more."""
        restored = version < since
        listed = {(record.namespace, record.ref.name): record for record in records}
        self._deleted.pop((kind, namespace), None)
        for place, before in self._of_feed(kind, namespace):
            if place not in listed and (restored or before.version <= version):
                self._unset(kind, before)
                self._tell(before)
            elif place in listed and restored:
                self._unset(kind, before)
        for record in listed.values():
            self.put(kind, record)
        seen = 0 if restored else self.seen_to(kind, namespace)
        self._seen_to[kind, namespace] = max(version, seen)

    def clear(self, kind: str, namespace: str = EVERYWHERE) -> None:
        """The kind is no longer served, or no longer ours to see."""
        for _, record in self._of_feed(kind, namespace):
            self._unset(kind, record)
        self._seen_to.pop((kind, namespace), None)
        self._deleted.pop((kind, namespace), None)

    def learn(self, outcome: Outcome) -> None:
        """Our own writes, before the watch tells; their echo is then nothing new."""
        for record in outcome.applied:
            self.answer(record)

    def answer(self, record: Record) -> None:
        """The server's answer to a write or a read. One that the watch has passed already tells
        nothing: if the object is not here, it was deleted since."""
        kind = record.ref.kind
        before = self._get(kind, record)
        if before is None and record.version <= self.seen_to(*self._feed(record)):
            return
        if before and before.version > record.version:
            return
        self._set(kind, record)

    def read(self, record: Record) -> None:
        """What a GET has shown. Unlike an answer to a write it counts even if it is old: the watch
        may have passed an object that lost our label."""
        before = self._get(record.ref.kind, record)
        if before is None or before.version <= record.version:
            self._set(record.ref.kind, record)

    def deleted(self, record: Record) -> None:
        """The server confirmed our own delete: late events of the object are void."""
        if self.vanished(record):
            self._deleted.setdefault(self._feed(record), set()).add(record.uid)

    def vanished(self, record: Record) -> bool:
        """The server says that this very object does not exist; true if that is news."""
        current = self._get(record.ref.kind, record)
        if current is None or current.uid != record.uid:
            return False
        self._unset(record.ref.kind, current)
        return True

    def _feed(self, record: Record) -> Feed:
        return record.ref.kind, self._reach.part(record.namespace)

    def _of_feed(self, kind: str, namespace: str) -> list[tuple[Place, Record]]:
        records = self._records.get(kind, {}).items()
        return [(place, record) for place, record in records if namespace in (EVERYWHERE, place[0])]

    # the two indexes move together

    def _get(self, kind: str, record: Record) -> Record | None:
        return self._records.get(kind, {}).get((record.namespace, record.ref.name))

    def _set(self, kind: str, record: Record) -> None:
        if before := self._get(kind, record):
            self._unset(kind, before)
        self._records.setdefault(kind, {})[(record.namespace, record.ref.name)] = record
        if record.controller:
            self._children.setdefault(record.controller, {})[record.ref] = record

    def _unset(self, kind: str, record: Record) -> None:
        del self._records[kind][(record.namespace, record.ref.name)]
        if record.controller and (siblings := self._children.get(record.controller)):
            siblings.pop(record.ref, None)
            if not siblings:
                del self._children[record.controller]

    def _tell(self, *records: Record | None) -> None:
        """A child that changed hands concerns both."""
        for uid in {record.controller for record in records if record}:
            if uid and (key := self._keys.get(uid)):
                self._on_child(key)


def _key(body: Mapping[str, Any]) -> Key:
    return Key(body["metadata"]["namespace"], body["metadata"]["name"])


def _known(body: Mapping[str, Any]) -> Known:
    metadata = {k: v for k, v in body["metadata"].items() if k != "managedFields"}
    annotations = metadata.get("annotations") or {}
    ours = tuple(sorted((k, v) for k, v in annotations.items() if k.startswith(f"{GROUP}/")))
    return Known(
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        asked=(metadata.get("generation"), ours, "deletionTimestamp" in metadata),
        status=orjson.dumps(body.get("status"), option=orjson.OPT_SORT_KEYS),
        body=orjson.dumps({**body, "metadata": metadata}),
    )


def _differ(before: Known, now: Known) -> bool:
    return (before.uid, before.asked, before.status) != (now.uid, now.asked, now.status)
