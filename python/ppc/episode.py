"""Episodes: one at a time, and many at once."""
from __future__ import annotations

import ctypes
import json
import threading
from collections.abc import Callable, Sequence
from ctypes import addressof, byref, c_char_p, c_double, c_int, c_size_t, c_uint64, c_void_p, create_string_buffer, string_at
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from ._library import TURN, ViolationInfo, check, error_of, handle_of, lib, reply_bytes, text_of
from .errors import UsageError

if TYPE_CHECKING:
    from .game import Game, Instance, Instances, Seats

Reply = Union[str, bytes]
OUTCOMES = ("running", "won", "lost", "aborted")


class Violation(NamedTuple):
    """The rule that a reply broke."""
    move: str
    kind: str    #: "format", "expect" or "forbid"
    rule: str    #: as in the source
    line: int    #: in the source
    reason: str  #: the game's; may be empty


class Turn:
    """Where an episode stands: who is asked what, or how it ended."""

    __slots__ = ("_game", "_raw", "message")

    #: What the asked player is told; empty when the episode is over.
    message: str

    def __init__(self, game: Game, raw: tuple[Any, ...]) -> None:
        self._game: Game = game
        self._raw = raw
        self.message = string_at(raw[17], raw[18]).decode()

    @property
    def done(self) -> bool:
        """Whether the episode is over."""
        return bool(self._raw[0])

    @property
    def player(self) -> str:
        """The name of the player who is asked; when it is over, who was asked last."""
        return str(self._game._player_names[self._raw[1]])

    @property
    def player_index(self) -> int:
        """The same as an index of `Game.players`."""
        return int(self._raw[1])

    @property
    def move(self) -> str:
        """The name of the move that the player is asked for."""
        return str(self._game._move_names[self._raw[2]])

    @property
    def move_index(self) -> int:
        """The same as an index of `Game.moves`."""
        return int(self._raw[2])

    @property
    def aside(self) -> bool:
        """A side question: the player's memory should keep neither it nor the answer."""
        return bool(self._raw[3])

    @property
    def round(self) -> int:
        """The round that it is in; 0 before the first."""
        return int(self._raw[4])

    @property
    def requests(self) -> int:
        """Replies asked for so far, this one included."""
        return int(self._raw[5])

    @property
    def outcome(self) -> str:
        """ "running", "won", "lost" or "aborted"."""
        return OUTCOMES[self._raw[6]]

    @property
    def broken_rule(self) -> int | None:
        """The rule that the last reply broke, as an index of `Game.rules`."""
        rule = self._raw[7]
        return None if rule < 0 else int(rule)

    @property
    def score(self) -> float:
        """The main score, 0..100; NaN while it runs and when it was aborted."""
        return float(self._raw[8])

    @property
    def rewards(self) -> dict[str, float]:
        """What the game's `reward` gave each player since the reply before; only players that got something."""
        return {name: r for name, r in zip(self._game._player_names, self._raw[9:17]) if r}

    def __repr__(self) -> str:
        if self.done:
            return f"<ppc.Turn: over, {self.outcome}>"
        return f"<ppc.Turn: {self.player} is asked for {self.move}: {self.message[:60]!r}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Turn):
            return NotImplemented
        mine, theirs = self._raw[:17], other._raw[:17]
        same = all(a == b or (a != a and b != b) for a, b in zip(mine, theirs))  # NaN is NaN here
        return same and self.message == other.message

    __hash__ = None  # type: ignore[assignment]


class _Alone:
    """A lock that nobody waits for: two threads at once are a mistake."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(False):
            raise UsageError("two threads use this episode at once")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class _AllAlone:
    """The locks of many episodes: what a batch reads of an episode must not change under it."""

    def __init__(self, locks: Sequence[_Alone]) -> None:
        self._acquire = [a._lock.acquire for a in locks]
        self._release = [a._lock.release for a in locks]

    def __enter__(self) -> None:
        got = [acquire(False) for acquire in self._acquire]
        if not all(got):
            for mine, release in zip(got, self._release):
                if mine:
                    release()
            raise UsageError(f"episode {got.index(False)}: two threads use this episode at once, or it is there twice")

    def __exit__(self, *_: object) -> None:
        for release in self._release:
            release()


class Episode:
    """One play of an instance. Made by `Instance.episode`, `Game.episode` and `fork`. One thread at a time may use it."""

    __slots__ = ("instance", "recorded", "_address", "_alone", "_buffer", "_game", "_handle", "_turn", "__weakref__")

    def __init__(self, instance: Instance, handle: int, record: bool, *, _turn: bool = True) -> None:
        self._handle = handle
        self.instance = instance
        self.recorded = record  #: whether it keeps a journal
        self._game = instance.instances.game
        self._alone = _Alone()
        self._buffer: Any = None  # for the turn; made by the first call that needs it, as many forks are never stepped
        self._turn: Turn | None = None
        if _turn:
            self._take(lib.ppc_episode_turn(handle, self._room()))

    def __del__(self) -> None:
        if getattr(self, "_handle", 0):
            lib.ppc_episode_free(self._handle)

    def __repr__(self) -> str:
        return f"<ppc.Episode of {self._game.name}: {self.outcome}>"

    def _room(self) -> int:
        """Where the library writes the turn."""
        if self._buffer is None:
            self._buffer = create_string_buffer(TURN.size)
            self._address = addressof(self._buffer)
        return self._address

    def _take(self, code: int) -> Turn:
        """The turn that has been written, or the error."""
        if code:
            raise error_of(code)
        turn = self._turn = Turn(self._game, TURN.unpack(self._buffer))
        return turn

    @property
    def game(self) -> Game:
        return self._game

    @property
    def turn(self) -> Turn:
        """Who is asked what."""
        if self._turn is None:
            with self._alone:
                return self._take(lib.ppc_episode_turn(self._handle, self._room()))
        return self._turn

    @property
    def done(self) -> bool:
        return self.turn.done

    @property
    def outcome(self) -> str:
        """ "running", "won", "lost" or "aborted"."""
        return self.turn.outcome

    @property
    def reason(self) -> str:
        """Why it ended: the game's reason, a budget's or a fault's; may be empty."""
        with self._alone:
            text = lib.ppc_episode_reason(self._handle)
            return str(text.decode()) if text is not None else ""

    def step(self, reply: Reply) -> Turn:
        """Gives the reply of the player who is asked; returns the next turn.

        A reply that breaks a rule is no error: what comes of it is the game's, and `violation` says which rule.
        Raises UsageError when the episode is over.
        """
        data = reply.encode("utf-8", "surrogatepass") if type(reply) is str else reply_bytes(reply)
        with self._alone:
            return self._take(lib.ppc_episode_step(self._handle, data, len(data), self._room()))

    def bot(self, name: str | None = None) -> str:
        """What a bot of the asked player would say (its first bot without a name). Bots have chance and memory of their own, so
        asking changes the episode: ask for what you may use, or ask a fork."""
        index = self._game.bot_index(self.turn.player, name)
        text, size = c_void_p(), c_size_t()
        with self._alone:
            code = lib.ppc_episode_bot(self._handle, index, byref(text), byref(size))
            if code:
                self._turn = None  # a bot that faults ends the episode
                raise error_of(code)
            return string_at(text.value or 0, size.value).decode("utf-8", "replace")

    @property
    def violation(self) -> Violation | None:
        """The rule that the last reply broke."""
        v = ViolationInfo()
        with self._alone:
            check(lib.ppc_episode_violation(self._handle, byref(v)))
            if v.rule < 0:
                return None
            return Violation(v.move.decode(), v.kind.decode(), v.text.decode(), v.line, v.reason.decode())

    def abandon(self, reason: str = "the player left") -> Turn:
        """Ends it as aborted."""
        with self._alone:
            check(lib.ppc_episode_abandon(self._handle, reply_bytes(reason).replace(b"\0", b" ")))
            self._turn = None
        return self.turn

    def restart(self, seed: int) -> Turn:
        """The same instance from its beginning."""
        with self._alone:
            return self._take(lib.ppc_episode_restart(self._handle, seed, self._room()))

    def fork(self) -> Episode:
        """A second episode that stands where this one does, its chance and its journal included."""
        with self._alone:
            handle = handle_of(lib.ppc_episode_fork, self._handle)
        copy = Episode(self.instance, handle, self.recorded, _turn=False)
        copy._turn = self._turn
        return copy

    def forks(self, count: int) -> list[Episode]:
        """`count` of them, in one call."""
        handles = (c_void_p * count)()
        with self._alone:
            check(lib.ppc_episodes_fork(self._handle, count, addressof(handles)))
        out = [Episode(self.instance, h, self.recorded, _turn=False) for h in handles if h]
        for e in out:
            e._turn = self._turn
        return out

    def snapshot(self) -> bytes:
        """All of it but the journal: any episode of the same instance and game can go on from it, in another process, too."""
        with self._alone:
            return text_of(lib.ppc_episode_snapshot, self._handle)

    def restore(self, snapshot: bytes) -> Turn:
        """Goes on from a snapshot. Raises InputError for one of another game or instance, or a damaged one. Snapshots are trusted
        like code: a checksum finds damage, not forgery."""
        with self._alone:
            return self._take(lib.ppc_episode_restore(self._handle, snapshot, len(snapshot), self._room()))

    def scores(self) -> dict[str, Any]:
        """All scores of an episode that is over, by name: numbers (NaN where there is none), and what other metrics tell."""
        return dict(self._scores()["episode scores"])

    def turn_scores(self) -> dict[int, dict[str, Any]]:
        """Scores by turn, of games that have them."""
        return {int(t): dict(values) for t, values in self._scores()["turn scores"].items()}

    def _scores(self) -> dict[str, Any]:
        with self._alone:
            result: dict[str, Any] = json.loads(text_of(lib.ppc_episode_scores, self._handle))
        return result

    def score(self, name: str = "Main Score") -> float:
        """One score by name."""
        value = c_double()
        with self._alone:
            check(lib.ppc_episode_score(self._handle, reply_bytes(name), byref(value)))
        return value.value

    def record(self, part: str = "episode") -> Any:
        """The record so far: "episode" (a line of episodes.jsonl), "interactions", "requests", "scores", "instance" or "experiment",
        as docs/records.md describes them. Needs `record=True`."""
        with self._alone:
            return json.loads(text_of(lib.ppc_episode_record, self._handle, reply_bytes(part)))

    def conversation(self, player: str | None = None) -> list[dict[str, str]]:
        """What a player has heard and said: [{"role": "user" | "assistant", "content": …}], for a chat model. By default of the
        player who is asked; then the last message is the one to answer. Needs `record=True`."""
        index = self.turn.player_index if player is None else self._game.player_index(player)
        with self._alone:
            result: list[dict[str, str]] = json.loads(text_of(lib.ppc_episode_conversation, self._handle, index))
        return result

    def set_model(self, player: str, name: str) -> None:
        """Who plays, for records. Needs `record=True`."""
        with self._alone:
            check(lib.ppc_episode_set_model(self._handle, self._game.player_index(player), reply_bytes(name)))

    def annotate(self, *, prompt_tokens: int | None = None, reply_tokens: int | None = None, finish: str | None = None,
                 model: str | None = None, attempts: int | None = None, logprobs: list[dict[str, Any]] | None = None) -> None:
        """What is known of the last reply given, for records. `finish`: "stop", "length", "refusal", "empty" or "invalid"."""
        what = {"prompt_tokens": prompt_tokens, "reply_tokens": reply_tokens, "finish": finish, "model": model, "attempts": attempts,
                "logprobs": logprobs}
        data = json.dumps({k: v for k, v in what.items() if v is not None}).encode()
        with self._alone:
            check(lib.ppc_episode_annotate(self._handle, data, len(data)))


class Batch(Sequence[Episode]):
    """Many episodes of one game that are stepped in one call, on `threads` threads (0: as many as the machine has).

    What comes of each episode does not depend on the others or on the threads. While a batch is used by a thread, its episodes
    are in use, too. Its turns are `turns`; an episode that is stepped alone is not noticed there until `refresh`.
    """

    def __init__(self, episodes: Sequence[Episode], threads: int = 1) -> None:
        self._episodes = list(episodes)
        games = {id(e.game): e.game for e in self._episodes}
        if len(games) > 1:
            raise UsageError(f"a batch is of one game, these are of {len(games)}")
        self.threads = threads
        self._game = next(iter(games.values()), None)
        self._alone = _AllAlone([e._alone for e in self._episodes])
        n = len(self._episodes)
        self._handles = (c_void_p * n)(*[e._handle for e in self._episodes])
        self._buffer = create_string_buffer(max(1, TURN.size * n))
        self._codes = (c_int * n)()
        self.turns: list[Turn] = []
        self.refresh()

    @classmethod
    def _new(cls, instances: Instances, indices: Sequence[int], seeds: Sequence[int] | None, seed: int, bots: Seats | None, record: bool,
             threads: int) -> Batch:
        n = len(indices)
        if seeds is None:
            seen: dict[int, int] = {}
            seeds = []
            for i in indices:  # an instance that comes again is its next repeat
                repeat = seen.get(i, 0)
                seen[i] = repeat + 1
                seeds.append(int(lib.ppc_instances_seed(instances._handle, i, seed, repeat)))
        if len(seeds) != n:
            raise UsageError(f"{len(seeds)} seeds for {n} episodes")
        options = instances.game._options(seed, bots, record)
        handles = (c_void_p * n)()
        code = lib.ppc_episodes_new(instances._handle, (c_size_t * n)(*indices), (c_uint64 * n)(*seeds), n, byref(options), threads,
                                    addressof(handles), None)
        if code:
            error = error_of(code)
            lib.ppc_episodes_free(addressof(handles), n)
            raise error
        return cls([Episode(instances[i], h, record, _turn=False) for i, h in zip(indices, handles) if h], threads)

    def __len__(self) -> int:
        return len(self._episodes)

    def __getitem__(self, index: Any) -> Any:
        return self._episodes[index]

    def __repr__(self) -> str:
        return f"<ppc.Batch: {len(self)} episodes, {sum(not t.done for t in self.turns)} of them running>"

    def _took(self) -> list[Turn]:
        game = self._game
        if game is None:
            return []
        self.turns = turns = [Turn(game, raw) for raw in TURN.iter_unpack(self._buffer)]
        for e, t in zip(self._episodes, turns):
            e._turn = t
        return turns

    def _call(self, function: Callable[..., int], *arguments: Any) -> None:
        """Arguments before and behind `threads, turns, results`; raises the first failure, naming the episode."""
        ctypes.memset(self._codes, 0, ctypes.sizeof(self._codes))
        code = function(addressof(self._handles), *arguments, self.threads, addressof(self._buffer), addressof(self._codes))
        if code:
            failed = [i for i, c in enumerate(self._codes) if c]
            error = error_of(code)
            # What the buffer says of episodes that were not reached may be old, and its messages gone.
            if not lib.ppc_episodes_turn(addressof(self._handles), len(self), addressof(self._buffer)):
                self._took()
            raise type(error)(f"episode {failed[0]}: {error}" if failed else str(error))

    @property
    def done(self) -> bool:
        """Whether all of them are over."""
        return all(t.done for t in self.turns)

    @property
    def active(self) -> list[int]:
        """The positions of those that are not over."""
        return [i for i, t in enumerate(self.turns) if not t.done]

    def refresh(self) -> list[Turn]:
        """The turns as they are now."""
        with self._alone:
            n = len(self._episodes)
            if n:
                check(lib.ppc_episodes_turn(addressof(self._handles), n, addressof(self._buffer)))
            return self._took()

    def step(self, replies: Sequence[Reply | None]) -> list[Turn]:
        """A reply for each episode; None leaves it as it is, as those that are over must be. Returns the turns of all.

        Raises the first failure; the other episodes have been stepped all the same.
        """
        n = len(self._episodes)
        if len(replies) != n:
            raise UsageError(f"{len(replies)} replies for {n} episodes")
        data = [r.encode("utf-8", "surrogatepass") if type(r) is str else None if r is None else reply_bytes(r) for r in replies]
        texts = (c_char_p * n)(*data)
        sizes = (c_size_t * n)(*[0 if d is None else len(d) for d in data])
        with self._alone:
            self._call(_step, addressof(texts), addressof(sizes), n)
            return self._took()

    def restart(self, seeds: Sequence[int]) -> list[Turn]:
        """All of them from their beginning."""
        n = len(self._episodes)
        if len(seeds) != n:
            raise UsageError(f"{len(seeds)} seeds for {n} episodes")
        given = (c_uint64 * n)(*seeds)
        with self._alone:
            self._call(_restart, addressof(given), n)
            return self._took()

    def snapshot(self) -> list[bytes]:
        """One of each, as Episode.snapshot gives it."""
        n = len(self._episodes)
        text, offsets = c_void_p(), (c_size_t * (n + 1))()
        with self._alone:
            check(lib.ppc_episodes_snapshot(addressof(self._handles), n, byref(text), addressof(offsets)))
            try:
                return [string_at((text.value or 0) + offsets[i], offsets[i + 1] - offsets[i]) for i in range(n)]
            finally:
                lib.ppc_free(text)

    def restore(self, snapshots: Sequence[bytes]) -> list[Turn]:
        """Each goes on from its snapshot."""
        n = len(self._episodes)
        if len(snapshots) != n:
            raise UsageError(f"{len(snapshots)} snapshots for {n} episodes")
        offsets = (c_size_t * (n + 1))()
        for i, s in enumerate(snapshots):
            offsets[i + 1] = offsets[i] + len(s)
        with self._alone:
            self._call(_restore, b"".join(snapshots), addressof(offsets), n)
            return self._took()

    def fork(self) -> Batch:
        """A batch of a fork of each."""
        return Batch([e.fork() for e in self._episodes], self.threads)

    def scores(self, name: str = "Main Score") -> list[float]:
        """One score of each; NaN for those that are not over."""
        n = len(self._episodes)
        values = (c_double * n)()
        with self._alone:
            check(lib.ppc_episodes_score(addressof(self._handles), n, reply_bytes(name), self.threads, addressof(values), None))
        return list(values)


def _step(handles: int, replies: int, sizes: int, n: int, threads: int, turns: int, codes: int) -> int:
    return int(lib.ppc_episodes_step(handles, replies, sizes, n, threads, turns, codes))


def _restart(handles: int, seeds: int, n: int, threads: int, turns: int, codes: int) -> int:
    return int(lib.ppc_episodes_restart(handles, seeds, n, threads, turns, codes))


def _restore(handles: int, data: bytes, offsets: int, n: int, threads: int, turns: int, codes: int) -> int:
    return int(lib.ppc_episodes_restore(handles, data, offsets, n, threads, turns, codes))
