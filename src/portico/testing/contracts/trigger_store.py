"""What every trigger store promises; subclass it, and your store is tested."""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from portico.exceptions import ValidationError
from portico.ports.trigger_store import TriggerStore
from portico.testing.clock import FakeClock


class TriggerStoreContract(ABC):
    """Subclass as ``class TestMyStore(TriggerStoreContract)`` and give `make_store`, which may be a coroutine.

    A store that takes a clock gets `self.clock`, set to a `portico.testing.FakeClock` in an autouse fixture; without
    one the tests of how leases end are skipped.
    """

    clock: FakeClock | None = None

    @abstractmethod
    def make_store(self) -> Any:
        """Return a new, empty store, not initialised."""

    @pytest_asyncio.fixture
    async def store(self) -> AsyncIterator[TriggerStore]:
        """Yield an initialised store; it is closed afterwards."""
        made = self.make_store()
        store: TriggerStore = await made if inspect.isawaitable(made) else made
        await store.initialize()
        yield store
        await store.close()

    @pytest.mark.asyncio
    async def test_what_was_never_stored_is_none(self, store: TriggerStore) -> None:
        assert await store.get("files", "cursor") is None
        assert await store.entries("files") == {}

    @pytest.mark.asyncio
    async def test_a_value_comes_back_as_json_has_it(self, store: TriggerStore) -> None:
        value = {"text": "Grüße \x00 \ud800", "list": [1, 2.5, None, True], "big": 2**70}
        version = await store.compare_and_set("files", "cursor", value, expected_version=0)
        found = await store.get("files", "cursor")
        assert found is not None
        assert (found.value, found.version) == (value, version)

    @pytest.mark.asyncio
    async def test_what_a_caller_changes_afterwards_is_not_stored(self, store: TriggerStore) -> None:
        value = {"seen": [1]}
        await store.put_many("files", {"cursor": value})
        value["seen"].append(2)
        found = await store.get("files", "cursor")
        assert found is not None
        found.value["seen"].append(3)
        again = await store.get("files", "cursor")
        assert again is not None
        assert again.value == {"seen": [1]}

    @pytest.mark.asyncio
    async def test_a_value_that_is_not_json_is_refused_and_nothing_is_stored(self, store: TriggerStore) -> None:
        with pytest.raises(ValidationError):
            await store.put_many("files", {"good": 1, "bad": object()})
        with pytest.raises(ValidationError):
            await store.compare_and_set("files", "bad", float("nan"), expected_version=0)
        assert await store.entries("files") == {}

    @pytest.mark.asyncio
    async def test_compare_and_set_needs_the_current_version(self, store: TriggerStore) -> None:
        first = await store.compare_and_set("files", "cursor", "a", expected_version=0)
        assert first is not None
        assert await store.compare_and_set("files", "cursor", "b", expected_version=0) is None
        assert await store.compare_and_set("files", "cursor", "b", expected_version=first + 1) is None
        second = await store.compare_and_set("files", "cursor", "c", expected_version=first)
        assert second is not None
        assert second > first
        found = await store.get("files", "cursor")
        assert found is not None
        assert (found.value, found.version) == ("c", second)

    @pytest.mark.asyncio
    async def test_of_concurrent_changes_one_wins(self, store: TriggerStore) -> None:
        changes = (store.compare_and_set("files", "cursor", n, expected_version=0) for n in range(20))
        versions = await asyncio.gather(*changes)
        assert sum(version is not None for version in versions) == 1

    @pytest.mark.asyncio
    async def test_versions_grow_over_a_deletion(self, store: TriggerStore) -> None:
        first = await store.compare_and_set("files", "cursor", "a", expected_version=0)
        assert first is not None
        await store.delete_many("files", frozenset({"cursor", "unknown"}))
        assert await store.get("files", "cursor") is None
        assert await store.compare_and_set("files", "cursor", "b", expected_version=first) is None
        second = await store.compare_and_set("files", "cursor", "b", expected_version=0)
        assert second is not None
        assert second > first

    @pytest.mark.asyncio
    async def test_put_many_overwrites_and_moves_versions_on(self, store: TriggerStore) -> None:
        first = await store.compare_and_set("files", "a", 1, expected_version=0)
        assert first is not None
        await store.put_many("files", {"a": 2, "b": 3})
        entries = await store.entries("files")
        assert {key: stored.value for key, stored in entries.items()} == {"a": 2, "b": 3}
        assert entries["a"].version > first

    @pytest.mark.asyncio
    async def test_triggers_do_not_see_each_other(self, store: TriggerStore) -> None:
        await store.put_many("files", {"cursor": 1})
        await store.put_many("mail", {"cursor": 2})
        await store.delete_many("mail", frozenset({"cursor"}))
        assert set(await store.entries("files")) == {"cursor"}
        assert await store.entries("mail") == {}

    @pytest.mark.asyncio
    async def test_a_lease_has_one_holder_who_may_extend_it(self, store: TriggerStore) -> None:
        assert await store.acquire_lease("schedule", "lead", "one", 30)
        assert await store.acquire_lease("schedule", "lead", "one", 30)
        assert not await store.acquire_lease("schedule", "lead", "two", 30)
        assert await store.acquire_lease("schedule", "other", "two", 30)

    @pytest.mark.asyncio
    async def test_only_its_holder_releases_a_lease(self, store: TriggerStore) -> None:
        await store.acquire_lease("schedule", "lead", "one", 30)
        await store.release_lease("schedule", "lead", "two")
        assert not await store.acquire_lease("schedule", "lead", "two", 30)
        await store.release_lease("schedule", "lead", "one")
        await store.release_lease("schedule", "lead", "one")
        assert await store.acquire_lease("schedule", "lead", "two", 30)

    @pytest.mark.asyncio
    async def test_a_lease_ends_with_its_time(self, store: TriggerStore) -> None:
        if self.clock is None:
            pytest.skip("this needs a clock that can be moved")
        await store.acquire_lease("schedule", "lead", "one", 30)
        await self.clock.advance(29)
        assert not await store.acquire_lease("schedule", "lead", "two", 30)
        await self.clock.advance(1)
        assert await store.acquire_lease("schedule", "lead", "two", 30)
        assert not await store.acquire_lease("schedule", "lead", "one", 30)

    @pytest.mark.asyncio
    async def test_of_concurrent_holders_one_gets_the_lease(self, store: TriggerStore) -> None:
        answers = await asyncio.gather(*(store.acquire_lease("t", "k", f"holder {n}", 30) for n in range(20)))
        assert sum(answers) == 1

    @pytest.mark.asyncio
    async def test_its_time_is_aware_and_in_utc(self, store: TriggerStore) -> None:
        now = await store.now()
        assert now.utcoffset() == timedelta(0)
        assert self.clock is None or now == self.clock.now()

    @pytest.mark.asyncio
    async def test_a_closed_store_can_be_opened_again(self, store: TriggerStore) -> None:
        await store.close()
        await store.close()
        await store.initialize()
        await store.initialize()
        await store.put_many("files", {"cursor": 1})
        assert await store.get("files", "cursor") is not None
