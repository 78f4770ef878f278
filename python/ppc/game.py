"""Games, and the instances that are played."""
from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from ctypes import byref, c_int32, sizeof
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from ._library import EpisodeOptions, LoadOptions, check, handle_of, lib, name_bytes, text_of
from .errors import UsageError

if TYPE_CHECKING:
    from .episode import Batch, Episode

Seats = Mapping[str, "str | None"]


class Player(NamedTuple):
    """A role of a game."""
    name: str
    display: str
    scripted: bool  #: voiced by the game itself and never asked


class Move(NamedTuple):
    """What a player is asked for."""
    name: str
    form: str                #: how a reply looks, for people
    grammar: str             #: the same as GBNF, for constrained decoding
    players: tuple[str, ...]


class Bot(NamedTuple):
    """A player that is a part of the game."""
    name: str
    player: str
    doc: str


class Rule(NamedTuple):
    """What can turn a reply down."""
    move: str
    kind: str  #: "format", "expect" or "forbid"
    text: str
    line: int


class Game:
    """A compiled game. It never changes; threads may share it.

    `name` is that of a game that comes with ppc, a `.game` file, or a compiled `.so` (which needs no compiler).
    Raises InputError with the diagnostics when the game has errors.
    """

    def __init__(self, name: str | os.PathLike[str], *, engine: str | None = None, resources: str | os.PathLike[str] | None = None,
                 cache: str | os.PathLike[str] | None = None) -> None:
        """
        Args:
            engine: of a source, "jit" (default) or "interp".
            resources: a folder in place of the game's own `resources`.
            cache: a folder where the JIT keeps what it has made; "" for nowhere. Default: as the program `ppc` does.
        """
        self._handle = 0
        options = LoadOptions(sizeof(LoadOptions), None if engine is None else name_bytes(engine),
                              None if resources is None else name_bytes(resources), None if cache is None else name_bytes(cache))
        self._handle = handle_of(lib.ppc_game_load, name_bytes(name), byref(options))
        self._info: dict[str, Any] = json.loads(text_of(lib.ppc_game_info, self._handle))
        self.name: str = self._info["name"]
        self.doc: str = self._info["doc"]
        self.hash: str = self._info["hash"]      #: of the compiled game, as in records
        self.engine: str = self._info["engine"]  #: "so", "jit" or "interp"
        self.folder: str = self._info["folder"]  #: where its instances and resources are
        self.players = tuple(Player(p["name"], p["display"], p["scripted"]) for p in self._info["players"])
        self.moves = tuple(Move(m["name"], m["form"], m["grammar"], tuple(m["players"])) for m in self._info["moves"])
        self.bots = tuple(Bot(b["name"], b["player"], b["doc"]) for b in self._info["bots"])
        self.rules = tuple(Rule(r["move"], r["kind"], r["text"], r["line"]) for r in self._info["rules"])
        self.metrics: tuple[str, ...] = tuple(self._info["metrics"])
        self._player_names = tuple(p.name for p in self.players)
        self._move_names = tuple(m.name for m in self.moves)

    def __del__(self) -> None:
        if getattr(self, "_handle", 0):
            lib.ppc_game_free(self._handle)

    def __repr__(self) -> str:
        return f"<ppc.Game {self.name}, {self.engine}>"

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of the players that are asked, in order."""
        return tuple(p.name for p in self.players if not p.scripted)

    @property
    def info(self) -> dict[str, Any]:
        """All that the game says about itself (ppc_game_info): also fields, resources, bounds."""
        return self._info

    def player_index(self, name: str) -> int:
        """Of a player, by name or display name."""
        for i, p in enumerate(self.players):
            if name in (p.name, p.display):
                return i
        raise UsageError(f"the game has no player `{name}`: there is {', '.join(f'`{p.name}`' for p in self.players)}")

    def bot_index(self, player: str, name: str | None = None) -> int:
        """Of a player's bot in `bots`; the first one without a name."""
        role = self.players[self.player_index(player)].name
        there = [b.name for b in self.bots if b.player == role]
        for i, b in enumerate(self.bots):
            if b.player == role and name in (None, b.name):
                return i
        raise UsageError(f"`{role}` has no bot" + (f" `{name}`" if name else "") + f": there is {', '.join(there) or 'none'}")

    def instances(self, path: str | os.PathLike[str] | None = None) -> Instances:
        """The game's own instances, or those of a file (clembench's layout, JSON or YAML)."""
        if path is None:
            return Instances(self, handle_of(lib.ppc_instances_default, self._handle))
        return Instances(self, handle_of(lib.ppc_instances_load, self._handle, name_bytes(path)))

    def parse(self, document: Mapping[str, Any] | str | bytes) -> Instances:
        """Instances from what an instance file holds: {"experiments": [{"name": …, "game_instances": […]}]}."""
        data = _json_bytes(document)
        return Instances(self, handle_of(lib.ppc_instances_parse, self._handle, data, len(data)))

    def instance(self, fields: Mapping[str, Any] | str | bytes, experiment: Mapping[str, Any] | str | bytes | None = None) -> Instance:
        """One instance from its fields, such as {"target_word": "winter"}, and those of its experiment."""
        data = _json_bytes(fields)
        around = None if experiment is None else _json_bytes(experiment)
        return Instances(self, handle_of(lib.ppc_instances_one, self._handle, data, len(data), around, len(around or b"")))[0]

    def generate(self, count: int | None = None, seed: int = 0) -> Instances:
        """Fresh instances from the game's `generate` block: `count` in every experiment, or as many as the game says."""
        return Instances(self, handle_of(lib.ppc_instances_generate, self._handle, -1 if count is None else count, seed))

    def episode(self, seed: int = 0, *, bots: Seats | None = None, record: bool = False) -> Episode:
        """An episode of the first of the game's own instances."""
        return self.instances()[0].episode(seed, bots=bots, record=record)

    def _options(self, seed: int, bots: Seats | None, record: bool) -> EpisodeOptions:
        options = EpisodeOptions(sizeof(EpisodeOptions), int(record), seed, None, 0)
        if bots:
            seats = [-1] * len(self.players)
            for player, name in bots.items():
                seats[self.player_index(player)] = self.bot_index(player, name)
            options.bots = (c_int32 * len(seats))(*seats)
            options.bot_count = len(seats)
        return options


class Instance:
    """One of Instances: what an episode is played with."""

    def __init__(self, instances: Instances, index: int) -> None:
        self.instances = instances
        self.index = index
        self._json: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"<ppc.Instance {self.experiment}/{self.id} of {self.instances.game.name}>"

    @property
    def experiment(self) -> str:
        """The name of its experiment."""
        return str(lib.ppc_instances_experiment(self.instances._handle, self.index).decode())

    @property
    def id(self) -> str:
        """Its game_id, as text."""
        return str(lib.ppc_instances_id(self.instances._handle, self.index).decode())

    def _both(self) -> dict[str, Any]:
        if self._json is None:
            self._json = json.loads(text_of(lib.ppc_instances_json, self.instances._handle, self.index))
        return self._json

    @property
    def fields(self) -> dict[str, Any]:
        """As in the file."""
        return dict(self._both()["instance"])

    @property
    def experiment_fields(self) -> dict[str, Any]:
        """The experiment, as in the file, without its instances."""
        return dict(self._both()["experiment"])

    def seed(self, seed: int = 0, repeat: int = 0) -> int:
        """The episode's seed in `ppc play --seed SEED`, for its repeat-th repeat."""
        return int(lib.ppc_instances_seed(self.instances._handle, self.index, seed, repeat))

    def episode(self, seed: int = 0, *, bots: Seats | None = None, record: bool = False) -> Episode:
        """Begins an episode.

        Args:
            seed: of all its chance.
            bots: roles that bots of the game play, {"guesser": "copycat"}; None for a role's first bot. They are never
                asked: each step goes on to the next role that is not a bot's.
            record: keep a journal, for `Episode.record`, `Episode.conversation` and Writer.
        """
        from .episode import Episode

        options = self.instances.game._options(seed, bots, record)
        return Episode(self, handle_of(lib.ppc_episode_new, self.instances._handle, self.index, byref(options)), record)


class Instances(Sequence[Instance]):
    """The instances of all experiments of a file, in its order."""

    def __init__(self, game: Game, handle: int) -> None:
        self.game = game
        self._handle = handle
        self._count = int(lib.ppc_instances_count(handle))

    def __del__(self) -> None:
        if getattr(self, "_handle", 0):
            lib.ppc_instances_free(self._handle)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Instance: ...
    @overload
    def __getitem__(self, index: slice) -> list[Instance]: ...
    def __getitem__(self, index: int | slice) -> Instance | list[Instance]:
        if isinstance(index, slice):
            return [Instance(self, i) for i in range(*index.indices(self._count))]
        if index < 0:
            index += self._count
        if not 0 <= index < self._count:
            raise IndexError(f"no instance {index}: there are {self._count}")
        return Instance(self, index)

    def __iter__(self) -> Iterator[Instance]:
        return (Instance(self, i) for i in range(self._count))

    def __repr__(self) -> str:
        return f"<ppc.Instances of {self.game.name}: {self._count}>"

    def find(self, experiment: str | None = None, id: str | int | None = None) -> Instance:
        """The first one of that experiment and with that game_id. Raises UsageError when there is none."""
        index = lib.ppc_instances_find(self._handle, None if experiment is None else name_bytes(experiment),
                                       None if id is None else name_bytes(str(id)))
        if index < 0:
            check(2)
        return self[int(index)]

    @property
    def experiments(self) -> list[str]:
        """Their names, each once, in order."""
        return list(dict.fromkeys(i.experiment for i in self))

    def batch(self, indices: Sequence[int] | None = None, seeds: Sequence[int] | None = None, *, seed: int = 0, bots: Seats | None = None,
              record: bool = False, threads: int = 1) -> Batch:
        """Begins many episodes at once: of these instances (default: one of each), with these seeds (default: as `ppc play --seed`)."""
        from .episode import Batch

        return Batch._new(self, range(self._count) if indices is None else indices, seeds, seed, bots, record, threads)


def _json_bytes(document: Mapping[str, Any] | str | bytes) -> bytes:
    if isinstance(document, bytes):
        return document
    if isinstance(document, str):
        return document.encode("utf-8", "surrogatepass")
    return json.dumps(document).encode()
