"""Refusing file systems of other machines, where locks and shared memory do not do what a database needs."""

import re
from dataclasses import dataclass
from pathlib import Path

from portico.exceptions import ConfigurationError

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    {"afs", "beegfs", "ceph", "cifs", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"ocfs2", "orangefs", "smb3", "smbfs"}
    | {f"fuse.{name}" for name in ("ceph", "davfs2", "gcsfuse", "glusterfs", "rclone", "s3fs", "sshfs")}
)
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """What is mounted where."""

    point: Path
    file_system: str
    source: str


def refuse_network(path: Path) -> None:
    """Refuse a file on a network file system, where the system can be asked (Linux).

    Raises:
        ConfigurationError: the mount and the ways out are named.

    """
    try:
        table = _MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return
    mount = mount_of(path, table)
    if mount is not None and mount.file_system in _NETWORK:
        raise ConfigurationError(
            f"SQLite file {path} is on a network file system ({mount.file_system} at {mount.point} from "
            f"{mount.source}), whose locks cannot be trusted: use a local disk, or a database server; or, when this "
            "machine alone uses the file, allow_network_file_system=True",
            details={"path": str(path), "mount": str(mount.point), "file_system": mount.file_system},
        )


def mount_of(path: Path, table: str) -> Mount | None:
    """Return the mount that holds the path; of several in one place the last covers the others."""
    mounts = [_mount(line) for line in table.splitlines() if " - " in line]
    holding = [mount for mount in mounts if path.is_relative_to(mount.point)]
    return max(reversed(holding), key=lambda mount: len(mount.point.parts), default=None)


def _mount(line: str) -> Mount:
    place, _, device = line.partition(" - ")
    file_system, source = device.split(" ")[:2]
    return Mount(Path(_unescaped(place.split(" ")[4])), file_system, _unescaped(source))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda code: chr(int(code[1], 8)), text)
