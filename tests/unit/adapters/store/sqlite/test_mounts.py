"""Which file systems an SQLite file may not be on."""

from pathlib import Path

import pytest

from portico.adapters.store.sqlite import mounts
from portico.exceptions import ConfigurationError

TABLE = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:45 / /mnt/share rw,relatime - nfs4 server:/export rw,vers=4.2
41 40 254:1 / /mnt/share/local rw,relatime - xfs /dev/vdb rw
42 27 0:46 / /mnt/two\040words rw,relatime - fuse.sshfs me@host: rw
43 27 0:47 / /data rw,relatime - nfs old:/data rw
44 27 254:2 / /data rw,relatime - ext4 /dev/vdc rw
""".strip()


@pytest.mark.parametrize(
    ("path", "file_system"),
    [
        ("/home/me/jobs.db", "ext4"),
        ("/mnt/share/deep/jobs.db", "nfs4"),
        ("/mnt/share/local/jobs.db", "xfs"),
        ("/mnt/shared/jobs.db", "ext4"),
        ("/mnt/two words/jobs.db", "fuse.sshfs"),
        ("/data/jobs.db", "ext4"),
    ],
)
def test_the_innermost_and_latest_mount_holds_a_file(path: str, file_system: str) -> None:
    mount = mounts.mount_of(Path(path), TABLE)
    assert mount is not None
    assert mount.file_system == file_system


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mountinfo").write_text(TABLE)
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mountinfo")


@pytest.mark.usefixtures("mounted")
def test_a_network_file_system_is_refused_and_the_mount_named() -> None:
    with pytest.raises(ConfigurationError, match=r"nfs4 at /mnt/share from server:/export.*allow_network_file_system"):
        mounts.refuse_network(Path("/mnt/share/jobs.db"))


@pytest.mark.usefixtures("mounted")
def test_a_local_one_is_not() -> None:
    mounts.refuse_network(Path("/home/me/jobs.db"))


def test_where_the_system_cannot_be_asked_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "nothing")
    mounts.refuse_network(Path("/mnt/share/jobs.db"))
