"""What a trigger remembers of files."""

import os

import pytest

from portico.adapters.file_system.seen_files import SeenFiles
from portico.runtime.memory_state import MemoryTriggerStore

pytestmark = pytest.mark.asyncio

NOT_UTF8 = os.fsdecode(b"caf\xe9.csv")


@pytest.fixture
def store() -> MemoryTriggerStore:
    return MemoryTriggerStore()


@pytest.fixture
def seen(store: MemoryTriggerStore) -> SeenFiles:
    return SeenFiles(store, "file")


async def test_a_folder_is_new_until_it_was_begun(store: MemoryTriggerStore, seen: SeenFiles) -> None:
    assert not await seen.load("/in")

    await seen.begin("/in", {})

    assert await SeenFiles(store, "file").load("/in")


async def test_another_folder_is_new_and_the_former_is_forgotten(store: MemoryTriggerStore, seen: SeenFiles) -> None:
    await seen.begin("/in", {"a": (1, 2), "b": (1, 2)})

    assert not await seen.load("/elsewhere")
    await seen.begin("/elsewhere", {"b": (3, 4)})

    again = SeenFiles(store, "file")
    await again.load("/elsewhere")
    assert again.versions == {"b": (3, 4)}


async def test_versions_survive_a_restart(store: MemoryTriggerStore, seen: SeenFiles) -> None:
    await seen.begin("/in", {"a": (1, 2)})
    await seen.add({"sub/b": (3, 4), NOT_UTF8: (5, 6)})
    await seen.forget({"a"})

    again = SeenFiles(store, "file")
    await again.load("/in")

    assert again.versions == seen.versions == {"sub/b": (3, 4), NOT_UTF8: (5, 6)}


async def test_every_key_can_stand_in_json(store: MemoryTriggerStore, seen: SeenFiles) -> None:
    await seen.add({NOT_UTF8: (5, 6)})

    for key in await store.entries("file"):
        assert key.encode()


async def test_what_others_keep_under_the_trigger_is_left_alone(store: MemoryTriggerStore, seen: SeenFiles) -> None:
    await store.put_many("file", {"paused": True})

    await seen.load("/in")
    await seen.begin("/in", {})

    assert seen.versions == {}
    assert "paused" in await store.entries("file")
