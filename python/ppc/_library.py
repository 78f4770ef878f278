"""Finds libppc.so and says what its functions take. The counterpart of ppc.h, which has the explanations."""
from __future__ import annotations

import ctypes
import os
import struct
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

from .errors import Error, InputError, InternalError, OutsideError, UsageError

API_VERSION = 1
PLAYERS_MAX = 8


class LoadOptions(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("engine", c_char_p), ("resources", c_char_p), ("cache", c_char_p)]


class EpisodeOptions(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("record", c_uint32), ("seed", c_uint64), ("bots", POINTER(c_int32)), ("bot_count", c_size_t)]


class ViolationInfo(ctypes.Structure):
    _fields_ = [("rule", c_int32), ("move", c_char_p), ("kind", c_char_p), ("text", c_char_p), ("line", c_uint32), ("reason", c_char_p)]


#: ppc_turn: done, player, move, aside, round, requests, outcome, rule, score, 8 rewards, message, message_size.
TURN = struct.Struct("7IidddddddddPN")


def _candidates() -> list[Path]:
    given = os.environ.get("PPC_LIBRARY")
    if given:
        return [Path(given)]
    here = Path(__file__).resolve().parent
    name = f"libppc.so.{API_VERSION}"
    found = []
    # Installed: PREFIX/lib/python3/dist-packages/ppc and PREFIX/lib. In the source tree: python/ppc and build/release/lib.
    for above in here.parents:
        found += [above / name, above / "lib" / name]
    root = here.parent.parent
    found += [root / "build" / preset / "lib" / name for preset in ("release", "debug")]
    return found


_path = ""


def library_path() -> str:
    """The file of the library that is used. `PPC_LIBRARY` in the environment names another one."""
    return _path


def _load() -> ctypes.CDLL:
    global _path
    tried = _candidates()
    for path in tried:
        if path.exists():
            _path = str(path)
            try:
                return ctypes.CDLL(_path)
            except OSError as error:
                raise ImportError(f"{path} cannot be loaded: {error}") from error
    try:
        library = ctypes.CDLL(f"libppc.so.{API_VERSION}")  # as the system's loader finds it
        _path = f"libppc.so.{API_VERSION}"
        return library
    except OSError:
        pass
    if "PPC_LIBRARY" in os.environ:
        raise ImportError(f"PPC_LIBRARY names {tried[0]}, which is not there")
    raise ImportError(f"libppc.so.{API_VERSION} is not there: install ppc (cmake --install) or set PPC_LIBRARY to the file")


lib: Any = _load()

_handle, _out, _text, _size, _code = c_void_p, POINTER(c_void_p), c_char_p, c_size_t, c_int
_text_out = [POINTER(c_void_p), POINTER(c_size_t)]
for _name, _result, _arguments in [
    ("ppc_api_version", c_uint32, []),
    ("ppc_version", c_char_p, []),
    ("ppc_error", c_char_p, []),
    ("ppc_free", None, [c_void_p]),
    ("ppc_game_load", _code, [_text, POINTER(LoadOptions), _out]),
    ("ppc_game_free", None, [_handle]),
    ("ppc_game_info", _code, [_handle, *_text_out]),
    ("ppc_instances_default", _code, [_handle, _out]),
    ("ppc_instances_load", _code, [_handle, _text, _out]),
    ("ppc_instances_parse", _code, [_handle, _text, _size, _out]),
    ("ppc_instances_one", _code, [_handle, _text, _size, _text, _size, _out]),
    ("ppc_instances_generate", _code, [_handle, c_int64, c_uint64, _out]),
    ("ppc_instances_free", None, [_handle]),
    ("ppc_instances_count", c_size_t, [_handle]),
    ("ppc_instances_experiment", c_char_p, [_handle, _size]),
    ("ppc_instances_id", c_char_p, [_handle, _size]),
    ("ppc_instances_find", c_int64, [_handle, _text, _text]),
    ("ppc_instances_json", _code, [_handle, _size, *_text_out]),
    ("ppc_instances_seed", c_uint64, [_handle, _size, c_uint64, c_uint32]),
    ("ppc_episode_new", _code, [_handle, _size, POINTER(EpisodeOptions), _out]),
    ("ppc_episode_free", None, [_handle]),
    ("ppc_episode_turn", _code, [_handle, c_void_p]),
    ("ppc_episode_step", _code, [_handle, _text, _size, c_void_p]),
    ("ppc_episode_bot", _code, [_handle, c_uint32, POINTER(c_void_p), POINTER(c_size_t)]),
    ("ppc_episode_violation", _code, [_handle, POINTER(ViolationInfo)]),
    ("ppc_episode_abandon", _code, [_handle, _text]),
    ("ppc_episode_reason", c_char_p, [_handle]),
    ("ppc_episode_restart", _code, [_handle, c_uint64, c_void_p]),
    ("ppc_episode_fork", _code, [_handle, _out]),
    ("ppc_episode_snapshot", _code, [_handle, *_text_out]),
    ("ppc_episode_restore", _code, [_handle, _text, _size, c_void_p]),
    ("ppc_episode_score", _code, [_handle, _text, POINTER(c_double)]),
    ("ppc_episode_scores", _code, [_handle, *_text_out]),
    ("ppc_episode_record", _code, [_handle, _text, *_text_out]),
    ("ppc_episode_conversation", _code, [_handle, c_uint32, *_text_out]),
    ("ppc_episode_set_model", _code, [_handle, c_uint32, _text]),
    ("ppc_episode_annotate", _code, [_handle, _text, _size]),
    ("ppc_writer_open", _code, [_text, _out]),
    ("ppc_writer_write", _code, [_handle, _handle, c_uint32, c_uint32]),
    ("ppc_writer_close", _code, [_handle]),
    ("ppc_episodes_new", _code, [_handle, c_void_p, c_void_p, _size, POINTER(EpisodeOptions), c_uint32, c_void_p, c_void_p]),
    ("ppc_episodes_turn", _code, [c_void_p, _size, c_void_p]),
    ("ppc_episodes_step", _code, [c_void_p, c_void_p, c_void_p, _size, c_uint32, c_void_p, c_void_p]),
    ("ppc_episodes_restart", _code, [c_void_p, c_void_p, _size, c_uint32, c_void_p, c_void_p]),
    ("ppc_episodes_fork", _code, [_handle, _size, c_void_p]),
    ("ppc_episodes_snapshot", _code, [c_void_p, _size, POINTER(c_void_p), c_void_p]),
    ("ppc_episodes_restore", _code, [c_void_p, _text, c_void_p, _size, c_uint32, c_void_p, c_void_p]),
    ("ppc_episodes_score", _code, [c_void_p, _size, _text, c_uint32, c_void_p, c_void_p]),
    ("ppc_episodes_free", None, [c_void_p, _size]),
]:
    _function = getattr(lib, _name)
    _function.restype, _function.argtypes = _result, _arguments

if lib.ppc_api_version() != API_VERSION:
    raise ImportError(f"{_path} has version {lib.ppc_api_version()} of the interface; this package wants {API_VERSION}")


def version() -> str:
    """The version of ppc."""
    return str(lib.ppc_version().decode())


_errors: dict[int, type[Error]] = {1: InputError, 2: UsageError, 3: OutsideError, 4: InternalError}


def error_of(code: int) -> Error:
    """The exception for a ppc_result."""
    return _errors.get(code, InternalError)(lib.ppc_error().decode("utf-8", "replace"))


def check(code: int) -> None:
    """Raises what a ppc_result says."""
    if code:
        raise error_of(code)


def text_of(function: Any, *arguments: Any) -> bytes:
    """Calls a function whose last two parameters are a new text and its size."""
    text, size = c_void_p(), c_size_t()
    check(function(*arguments, byref(text), byref(size)))
    try:
        return ctypes.string_at(text.value or 0, size.value)
    finally:
        lib.ppc_free(text)


def handle_of(function: Any, *arguments: Any) -> int:
    """Calls a function whose last parameter is a new handle."""
    handle = c_void_p()
    check(function(*arguments, byref(handle)))
    assert handle.value
    return handle.value


def name_bytes(text: str | os.PathLike[str]) -> bytes:
    """For parameters that end at a zero byte."""
    data = os.fsencode(text)
    if b"\0" in data:
        raise UsageError("a zero byte in a name")
    return data


def reply_bytes(reply: str | bytes | bytearray | memoryview) -> bytes:
    """Lone surrogates become what is no valid UTF-8, and the game judges them as that."""
    if isinstance(reply, str):
        return reply.encode("utf-8", "surrogatepass")
    return bytes(reply)
