"""What a store does not do yet."""

import pytest

_KEEP_ID_AND_STATUS_ONLY = ("test_redis",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem.startswith(_KEEP_ID_AND_STATUS_ONLY) and item.name.startswith("test_the_duplicate_of_a_"):
            item.add_marker(pytest.mark.xfail(reason="of a job that is gone it keeps id and status only", strict=False))
