"""Records on disk."""
from __future__ import annotations

import os
from types import TracebackType

from ._library import check, handle_of, lib, name_bytes
from .episode import Episode
from .errors import UsageError


class Writer:
    """Writes episodes into a folder, in clembench's layout and as lines of episodes.jsonl: what `ppc play --out` writes.

        with ppc.Writer("records") as writer:
            writer.write(episode)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._handle = 0
        self._handle = handle_of(lib.ppc_writer_open, name_bytes(folder))

    def write(self, episode: Episode, repeat: int = 0, repeats: int = 1) -> None:
        """An episode that is over and was begun with `record=True`; `repeat` of `repeats` of its instance."""
        if not self._handle:
            raise UsageError("the writer has been closed")
        with episode._alone:
            check(lib.ppc_writer_write(self._handle, episode._handle, repeat, repeats))

    def close(self) -> None:
        """Forces what was written to the disk."""
        handle, self._handle = self._handle, 0
        if handle:
            check(lib.ppc_writer_close(handle))

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", 0):
            lib.ppc_writer_close(self._handle)
