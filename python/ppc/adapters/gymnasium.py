"""A game as a Gymnasium environment: one role learns, bots or callables play the others.

    import gymnasium, ppc.adapters.gymnasium

    env = gymnasium.make("ppc/Game-v0", game="taboo", learner="guesser", others={"describer": "bot:spelling"})
    message, info = env.reset(seed=7)
    message, reward, terminated, truncated, info = env.step("GUESS: tree")

Observations are the messages that the learner gets, actions are its replies. Written against Gymnasium 1.x.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

try:
    import gymnasium
except ImportError as error:
    raise ImportError("ppc.adapters.gymnasium needs the package gymnasium (pip install gymnasium)") from error

from ..errors import UsageError
from ..game import Game, Instance, Instances
from ..players import Voice
from ._common import AnyText, Episodes, Reward, default_reward, info_of


class GameEnv(gymnasium.Env[str, str]):
    """One role of a game.

    Args:
        game: a Game, or what it is loaded from.
        learner: the role that learns; may be left out when there is only one.
        others: who plays the other roles: "bot", "bot:NAME" or a callable `(turn, messages) -> reply`. A role that is not named
            is played by its first bot.
        instances: what is played; default: the game's own. Each reset chooses one by the environment's generator, or
            `options={"instance": 3}` does; `options={"episode_seed": 5}` is the seed of the game's own chance.
        reward: `(episode, turn, role) -> float`; default: what the game's `reward` statements give or, in an episode in which they gave
            nothing, at its end main score / 100, and 0 when it was aborted.
        max_length: of messages and replies, in characters, for the spaces.

    `info` has role, move, form (what a reply looks like), round, aside, violation (of the last reply: move, kind, rule, reason; or None); at the
    end outcome, reason and scores (None for NaN). `env.unwrapped.episode` is the episode; `messages()` the learner's conversation.
    """

    metadata = {"render_modes": ["ansi"]}

    def __init__(self, game: Game | str, learner: str | None = None, others: Mapping[str, Voice | str] | None = None, *,
                 instances: Instances | Sequence[Instance] | None = None, reward: Reward | None = None, max_length: int = 1 << 20,
                 render_mode: str | None = None) -> None:
        if render_mode not in (None, "ansi"):
            raise UsageError(f"render_mode is None or \"ansi\", not `{render_mode}`")
        loaded = game if isinstance(game, Game) else Game(game)
        if learner is None:
            if len(loaded.roles) != 1:
                raise UsageError(f"who learns? {', '.join(loaded.roles)}")
            learner = loaded.roles[0]
        self.learner = loaded.players[loaded.player_index(learner)].name
        if self.learner not in loaded.roles:
            raise UsageError(f"`{self.learner}` is voiced by the game itself")
        self._voices: dict[str, Voice] = {}
        bots: dict[str, str | None] = {}
        given = {loaded.players[loaded.player_index(role)].name: who for role, who in (others or {}).items()}
        if self.learner in given:
            raise UsageError(f"`{self.learner}` learns; nobody else plays it")
        for role in loaded.roles:
            if role == self.learner:
                continue
            who = given.get(role, "bot")
            if not isinstance(who, str):
                self._voices[role] = who
                continue
            kind, _, name = who.partition(":")
            if kind != "bot":
                raise UsageError(f"`{who}` is no player: a callable, \"bot\" or \"bot:NAME\"")
            loaded.bot_index(role, name or None)  # says so now if there is none
            bots[role] = name or None
        self._episodes = Episodes(loaded, instances, bots, record=True)
        self._reward = reward or default_reward()
        self.observation_space = AnyText(max_length)
        self.action_space = AnyText(max_length)
        self.render_mode = render_mode
        self.game = loaded
        self.episode: Any = None
        self._earned = 0.0

    def _others_play(self) -> None:
        """Until the learner is asked, or it is over."""
        episode = self.episode
        while not episode.done and episode.turn.player != self.learner:
            turn = episode.turn
            next_turn = episode.step(self._voices[turn.player](turn, episode.conversation()))
            self._earned += self._reward(episode, next_turn, self.learner)

    def messages(self) -> list[dict[str, str]]:
        """The learner's conversation, for a chat model; the last message is the observation."""
        result: list[dict[str, str]] = self.episode.conversation(self.learner)
        return result

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """The learner's first message. A game may end before it is asked; then the message is empty and `info` has the outcome."""
        super().reset(seed=seed)
        self.episode = self._episodes.next(seed, options)
        self._earned = self._reward(self.episode, self.episode.turn, self.learner)
        self._others_play()
        return self.episode.turn.message, info_of(self.episode, self.episode.turn)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Gives the learner's reply; the others play until it is asked again."""
        if self.episode is None:
            raise UsageError("reset comes first")
        episode = self.episode
        if not episode.done:
            turn = episode.step(action)
            violation = episode.violation
            self._earned += self._reward(episode, turn, self.learner)
            self._others_play()
        else:
            violation = None
        info = info_of(episode, episode.turn)
        info["violation"] = None if violation is None else violation._asdict()
        reward, self._earned = self._earned, 0.0
        return episode.turn.message, float(reward), episode.done, False, info

    def render(self) -> str | None:  # type: ignore[override]
        """The learner's view so far."""
        if self.render_mode is None or self.episode is None:
            return None
        return "\n".join(f"{'GM' if m['role'] == 'user' else self.learner}: {m['content']}" for m in self.messages())


gymnasium.register(id="ppc/Game-v0", entry_point="ppc.adapters.gymnasium:GameEnv")
