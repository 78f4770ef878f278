"""clemcore's models as players of ppc's games, and ppc's games as clemcore's game masters.

    from clemcore import backends
    from ppc.adapters.clemcore import play

    model = backends.load_model("gpt-4o")
    episode = play("taboo", {"describer": model, "guesser": "bot"})          # a clemcore model in a ppc game

    benchmark = PpcBenchmark(game_spec, "taboo")                            # a ppc game in clemcore's runners

clemcore finds a benchmark by the one class of that kind in a game's master.py:

    import ppc.adapters.clemcore

    class Taboo(ppc.adapters.clemcore.PpcBenchmark):   # the game that clemgame.json calls taboo
        pass

Written against clemcore 3 (`backends.Model.generate_response`; `GameMaster` with setup, before_game, step, get_players, get_context_for).
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

try:
    from clemcore import backends
    from clemcore.clemgame.benchmark import GameBenchmark
    from clemcore.clemgame.master import GameMaster
    from clemcore.clemgame.player import Player
except ImportError as error:
    raise ImportError("ppc.adapters.clemcore needs the package clemcore (pip install clemcore)") from error

from ..episode import Episode, Turn
from ..errors import UsageError
from ..game import Game, Instance
from ..players import Voice
from ..players import play as play_episode


def voice(model: backends.Model) -> Voice:
    """A clemcore model as a player of ppc: gets the conversation, gives its reply."""

    def reply(turn: Turn, messages: list[dict[str, str]]) -> str:
        _prompt, _response, text = model.generate_response([dict(m) for m in messages])
        return str(text)

    return reply


def play(game: Game | Instance | Episode | str, players: Mapping[str, backends.Model | Voice | str], seed: int = 0) -> Episode:
    """Plays an episode with clemcore's models, ppc's bots ("bot", "bot:NAME") and callables, by role. The names of models go into its record;
    it can be written with ppc.Writer."""
    if isinstance(game, str):
        game = Game(game)
    if isinstance(game, Game):
        game = game.instances()[0]
    episode = game.episode(seed, record=True) if isinstance(game, Instance) else game
    cast: dict[str, Voice | str] = {}
    for role, who in players.items():
        if isinstance(who, backends.Model):
            cast[role] = voice(who)
            if episode.recorded:
                episode.set_model(role, who.name)
        else:
            cast[role] = who
            if isinstance(who, str) and episode.recorded:
                name = who.partition(":")[2] or next((b.name for b in episode.game.bots if b.player == role), "")
                episode.set_model(role, f"bot-{name}")
    return play_episode(episode, cast)


class PpcPlayer(Player):  # type: ignore[misc]
    """A role of a ppc game in clemcore. A programmatic model is played by the role's first bot."""

    def __init__(self, model: backends.Model, role: str, display: str) -> None:
        super().__init__(model, game_role=display)
        self.role = role
        self.episode: Episode | None = None  # set by the master

    def __call__(self, context: dict[str, Any], memorize: bool = True) -> str:
        # What a player remembers is the game's to say: side questions are forgotten, and some replies are given by the game.
        if self.episode is not None and not self.episode.done:
            self._messages = self.episode.conversation(self.role)[:-1]
            memorize = memorize and not self.episode.turn.aside
        return str(super().__call__(context, memorize))

    def _custom_response(self, context: dict[str, Any]) -> str:
        if self.episode is None:
            raise UsageError("the game has not been set up")
        return self.episode.bot()


class PpcGameMaster(GameMaster):  # type: ignore[misc]
    """A ppc game as clemcore's game master: the rules, the messages and the end are the game's. `episode` is the episode."""

    def __init__(self, game_spec: Any, experiment: dict[str, Any], player_models: list[backends.Model], game: Game, seed: int = 0) -> None:
        super().__init__(game_spec, experiment, player_models)
        self.game = game
        self.seed = seed
        self.episode: Episode | None = None
        if len(game.roles) != len(self.player_models):
            raise UsageError(f"{game.name} asks {len(game.roles)} players, and there are {len(self.player_models)} models")
        self._players: list[PpcPlayer] = []
        for i, role in enumerate(game.roles):
            at = game.player_index(role)
            player = PpcPlayer(self.player_models[i], role, game.players[at].display)
            player.name = f"Player {at + 1}"
            self._players.append(player)

    def setup(self, **kwargs: Any) -> None:
        """Begins an episode of a game instance (the fields that clemcore's instance file has)."""
        around = {k: v for k, v in self.experiment.items() if k != "game_instances"}
        instance = self.game.instance(kwargs, around)
        self.episode = instance.episode(instance.seed(self.seed), record=True)
        for player in self._players:
            player.episode = self.episode
            self.episode.set_model(player.role, player.model.name)
        self._turned()

    def before_game(self) -> None:
        """Nothing is left to do: the game has asked its first question."""

    def _turned(self) -> None:
        assert self.episode is not None
        turn = self.episode.turn
        for player in self._players:
            if player.role == turn.player:
                self._current_player = player
        if turn.done:
            {"won": self.state.succeed, "lost": self.state.failed, "aborted": self.state.abort}[turn.outcome]()

    def step(self, response: str) -> tuple[bool, dict[str, Any]]:
        """The reply of the current player. `info`: violation, rewards; at the end outcome, reason, and the scores."""
        assert self.episode is not None, "setup comes first"
        turn = self.episode.step(response)
        violation = self.episode.violation
        info: dict[str, Any] = {"violation": None if violation is None else violation._asdict(), "rewards": turn.rewards}
        if violation is not None:
            self.log_to_self("invalid format" if violation.kind == "format" else "invalid response", violation.reason or violation.rule)
        if turn.done:
            info |= {"outcome": turn.outcome, "reason": self.episode.reason, "scores": self.episode.scores(), "episode_score": turn.score}
        self._turned()
        return turn.done, info

    def get_players(self) -> list[PpcPlayer]:
        return list(self._players)

    def get_context_for(self, player: PpcPlayer) -> dict[str, Any] | None:
        """The message that waits for the player's reply, else the last one that it got."""
        assert self.episode is not None, "setup comes first"
        heard = [m for m in self.episode.conversation(player.role) if m["role"] == "user"]
        return dict(heard[-1]) if heard else None

    def observe(self) -> tuple[PpcPlayer, dict[str, Any]]:
        """The current player and its context, as some of clemcore's runners ask for both at once."""
        context = self.get_context_for(self._current_player)
        assert context is not None
        return self._current_player, context


class PpcBenchmark(GameBenchmark):  # type: ignore[misc]
    """A ppc game for clemcore's runners. Scores are ppc's: write `master.episode` with ppc.Writer, or score records with `ppc score`."""

    def __init__(self, game_spec: Any, game: Game | str | None = None, seed: int = 0) -> None:
        super().__init__(game_spec)
        self.game = game if isinstance(game, Game) else Game(game or game_spec.game_name)
        self.seed = seed

    def create_game_master(self, experiment: dict[str, Any], player_models: list[backends.Model]) -> PpcGameMaster:
        return PpcGameMaster(self.game_spec, experiment, player_models, self.game, self.seed)
