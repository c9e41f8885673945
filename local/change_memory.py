"""What `aspora diff` remembers from one run to the next: a folder of files named by content.

The keys are hashes of all that an entry was made from, the code included, so that nothing is ever
out of date. Entries are JSON, checked by a hash of their own: one that is damaged is as good as
none. Runs beside one another do no harm, for each file appears whole.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

MAX_BYTES = 256 * 1024 * 1024
"""Of all entries. One of 1,000 skills' shared objects is 3 MB; a domain's data 6 KB."""
_PRUNE_EVERY = 64
"""New entries between two looks at the folder's size."""
_HASH = 64


class FileMemory:
    """Entries in `folder`. Whatever cannot be read or written is forgotten without a word."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._put = 0

    def get(self, key: str) -> bytes | None:
        """The value of `key`, unless there is none or it is damaged."""
        path = self._path(key)
        try:
            raw = path.read_bytes()
        except OSError:
            return None
        value = raw[_HASH:]
        if sha256(value).hexdigest().encode() != raw[:_HASH]:
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # the least used go first
        return value

    def put(self, key: str, value: bytes) -> None:
        """Keep `value`; another run may be doing the same."""
        path = self._path(key)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(sha256(value).hexdigest().encode() + value)
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            return
        self._put += 1
        if self._put % _PRUNE_EVERY == 1:
            self.prune()

    def prune(self) -> None:
        """Remove what was used least until the folder is within its bounds."""
        found = []
        for path in self._folder.glob("*/*"):
            with suppress(OSError):
                seen = path.stat()
                found.append((seen.st_mtime_ns, seen.st_size, path))
        size = sum(entry[1] for entry in found)
        for _, of_one, path in sorted(found):
            if size <= self._max_bytes:
                return
            with suppress(OSError):
                path.unlink()
                size -= of_one

    def _path(self, key: str) -> Path:
        kind, _, digest = key.rpartition("-")
        return self._folder / kind / digest
