from dataclasses import replace
from typing import Any

import pytest

from microservice_operator.observed import Outcome, Record, Ref
from microservice_operator.reach import Reach
from microservice_operator.store import Store
from microservice_operator.workqueue import Key

ORDERS = Key("shop", "orders")
SERVICE = "Service"


def body(version: int, uid: str = "u1", **more: Any) -> dict[str, Any]:
    metadata = {"name": "orders", "namespace": "shop", "uid": uid, "resourceVersion": str(version)}
    metadata |= {"generation": 1} | more.pop("metadata", {})
    return {"metadata": metadata, "spec": {"image": "a"}, **more}


def record(version: int, uid: str = "c1", controller: str | None = "u1", **more: Any) -> Record:
    ref = Ref(SERVICE, "orders")
    return Record(ref, "shop", uid, version, controller, owned=more.pop("owned", "d"), **more)


class Told(list[Key]):
    def take(self) -> list[Key]:
        keys = list(self)
        self.clear()
        return keys


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def store(told: Told) -> Store:
    store = Store(told.append)
    store.notice(body(10), listed=True)
    return store


def child(store: Store) -> Record | None:
    return store.children("u1").get(Ref(SERVICE, "orders"))


def test_an_event_that_is_not_newer_is_nothing_new(store: Store) -> None:
    assert not store.notice(body(10, spec={"image": "b"}), listed=False)
    assert not store.notice(body(9, metadata={"generation": 2}), listed=False)
    known = store.service(ORDERS)
    assert known is not None
    assert known.version == 10


def test_a_new_generation_a_verb_and_a_foreign_status_are_news(store: Store) -> None:
    assert store.notice(body(11, metadata={"generation": 2}), listed=False)
    verb = {"generation": 2, "annotations": {"microservice.dev/restart": "1"}}
    assert store.notice(body(12, metadata=verb), listed=False)
    assert store.notice(body(13, metadata=verb, status={"pods": "9/9"}), listed=False)


def test_labels_and_annotations_of_others_are_not(store: Store) -> None:
    labels = {"labels": {"team": "a"}, "annotations": {"example.com/x": "y"}}
    assert not store.notice(body(11, metadata=labels), listed=False)
    known = store.service(ORDERS)
    assert known is not None
    assert known.version == 11
    assert known.load()["metadata"]["labels"] == {"team": "a"}


def test_a_list_is_believed_even_if_it_is_older(store: Store) -> None:
    assert store.notice(body(3, metadata={"generation": 7}), listed=True)


def test_the_echo_of_our_own_status_is_nothing_new(store: Store) -> None:
    known = store.service(ORDERS)
    assert known is not None
    answer = body(20, status={"pods": "1/1"})
    assert not store.learn_service(ORDERS, known, answer)
    assert not store.notice(answer, listed=False)


def test_an_answer_that_shows_an_edit_asks_for_another_pass(store: Store) -> None:
    known = store.service(ORDERS)
    assert known is not None
    assert store.learn_service(ORDERS, known, body(20, metadata={"generation": 2}))


def test_a_deletion_of_a_predecessor_does_not_forget_its_successor(store: Store) -> None:
    store.notice(body(11, uid="u2"), listed=False)
    assert not store.forget(ORDERS, "u1")
    assert store.service(ORDERS) is not None
    assert store.forget(ORDERS, "u2")
    assert store.service(ORDERS) is None


def test_children_are_those_of_this_very_object(store: Store) -> None:
    store.put(SERVICE, record(5))
    store.notice(body(11, uid="u2"), listed=False)
    assert store.children("u2") == {}


def test_a_child_event_concerns_its_owner_only_if_it_changes_something(
    store: Store, told: Told
) -> None:
    assert store.put(SERVICE, record(5))
    assert told.take() == [ORDERS]
    assert not store.put(SERVICE, record(6))
    assert not store.put(SERVICE, record(4, owned="old"))
    assert told.take() == []
    assert store.put(SERVICE, record(7, owned="edited"))
    assert told.take() == [ORDERS]


def test_a_child_that_changes_hands_concerns_both(store: Store, told: Told) -> None:
    store.notice(
        {**body(1, uid="u9"), "metadata": {**body(1, uid="u9")["metadata"], "name": "b"}},
        listed=False,
    )
    store.put(SERVICE, record(5))
    told.take()
    store.put(SERVICE, record(6, controller="u9"))
    assert set(told.take()) == {ORDERS, Key("shop", "b")}
    assert child(store) is None


def test_the_echo_of_our_own_write_is_nothing_new(store: Store, told: Told) -> None:
    store.learn(Outcome(applied=(record(8, asked="d", answered="d"),)))
    assert not store.put(SERVICE, record(8))
    assert told.take() == []
    found = child(store)
    assert found is not None
    assert found.asked == "d"


def test_what_we_asked_for_is_remembered_while_it_is_the_same_object(store: Store) -> None:
    store.learn(Outcome(applied=(record(8, asked="w", answered="rewritten"),)))
    store.put(SERVICE, record(9, owned="rewritten"))
    found = child(store)
    assert found is not None
    assert (found.asked, found.answered) == ("w", "rewritten")
    store.put(SERVICE, record(10, uid="c2"))
    found = child(store)
    assert found is not None
    assert found.asked == ""


def test_a_late_answer_does_not_bring_back_what_was_deleted(store: Store) -> None:
    store.advance(SERVICE, 12)  # the watch has shown the deletion at 11
    store.learn(Outcome(applied=(record(10),)))
    assert child(store) is None


def test_a_read_counts_even_if_the_watch_is_further(store: Store) -> None:
    store.advance(SERVICE, 12)
    store.read(record(10))
    assert child(store) == record(10)


def test_late_events_of_what_we_deleted_are_void(store: Store, told: Told) -> None:
    store.put(SERVICE, record(5))
    told.take()
    store.deleted(record(5))
    assert not store.put(SERVICE, record(6, owned="late"))
    assert child(store) is None
    assert not store.drop(SERVICE, record(7))
    assert told.take() == []
    assert store.put(SERVICE, record(8, uid="c2"))


def test_an_old_deletion_does_not_remove_a_newer_object(store: Store) -> None:
    store.put(SERVICE, record(9, uid="c2"))
    assert not store.drop(SERVICE, record(7, uid="c1"))
    assert child(store) is not None


def test_a_list_replaces_what_it_does_not_show(store: Store, told: Told) -> None:
    store.put(SERVICE, record(5))
    store.advance(SERVICE, 5)
    told.take()
    store.replace(SERVICE, [], 8, since=5)
    assert child(store) is None
    assert told.take() == [ORDERS]


def test_a_list_does_not_remove_what_is_newer_than_itself(store: Store) -> None:
    store.learn(Outcome(applied=(record(9),)))
    store.replace(SERVICE, [], 8, since=5)
    assert child(store) == record(9)


def test_after_a_restore_of_etcd_an_older_list_replaces_everything(
    store: Store, told: Told
) -> None:
    store.put(SERVICE, record(500, owned="future"))
    store.advance(SERVICE, 500)
    told.take()
    store.replace(SERVICE, [record(20, owned="past")], 30, since=500)
    found = child(store)
    assert found is not None
    assert found.owned == "past"
    assert store.seen_to(SERVICE) == 30
    assert told.take() == [ORDERS]


def test_a_kind_that_is_gone_leaves_nothing(store: Store) -> None:
    store.put(SERVICE, record(5))
    store.clear(SERVICE)
    assert child(store) is None
    assert store.seen_to(SERVICE) == 0


def test_an_object_somebody_deletes_and_makes_again_is_a_new_one(store: Store, told: Told) -> None:
    store.put(SERVICE, record(5))
    told.take()
    store.drop(SERVICE, record(6))
    store.put(SERVICE, replace(record(7), uid="c2", controller=None))
    assert told.take() == [ORDERS]
    assert child(store) is None


# a watch for each namespace


@pytest.fixture
def split(told: Told) -> Store:
    """Of an operator that works in `shop` and `other` only."""
    store = Store(told.append, Reach(("shop", "other")))
    store.notice(body(10), listed=True)
    return store


def test_a_list_of_one_namespace_says_nothing_about_another(split: Store) -> None:
    split.put(SERVICE, record(5))
    split.replace(SERVICE, [], 50, since=0, namespace="other")
    assert child(split) == record(5)
    split.replace(SERVICE, [], 50, since=0, namespace="shop")
    assert child(split) is None


def test_how_far_the_watch_of_one_namespace_has_come_says_nothing_about_another(
    split: Store,
) -> None:
    split.advance(SERVICE, 100, "other")
    split.answer(record(60))
    assert child(split) == record(60)
    split.clear(SERVICE, "shop")
    split.advance(SERVICE, 100, "shop")
    split.answer(record(60))
    assert child(split) is None


def test_a_namespace_that_is_closed_leaves_the_others_as_they_are(split: Store) -> None:
    split.put(SERVICE, record(5))
    split.clear(SERVICE, "other")
    assert child(split) == record(5)
