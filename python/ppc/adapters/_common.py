"""What the adapters for PettingZoo and Gymnasium share."""
from __future__ import annotations

import math
import random
import string
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium

from ..episode import Episode, Turn
from ..game import Game, Instance, Instances, Seats

#: (episode, turn, role) -> what the role gets for the step that led to this turn.
Reward = Callable[[Episode, Turn, str], float]


class AnyText(gymnasium.spaces.Text):
    """A text of any characters, up to a length: what players say is not limited to a character set. Samples are short printable ASCII."""

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length, min_length=0)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        characters = self.np_random.choice(list(string.printable), size=self.np_random.integers(min(64, self.max_length) + 1))
        return "".join(characters)

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length

    def __repr__(self) -> str:
        return f"AnyText({self.max_length})"


def default_reward() -> Reward:
    """What the game's `reward` statements give. In an episode in which they gave nothing: at its end main score / 100, and 0 when it
    was aborted, as in `ppc export`."""
    of: Episode | None = None
    given = False

    def reward(episode: Episode, turn: Turn, role: str) -> float:
        nonlocal of, given
        if episode is not of:
            of, given = episode, False
        given = given or bool(turn.rewards)
        if given or not turn.done:
            return turn.rewards.get(role, 0.0)
        return 0.0 if turn.outcome == "aborted" else turn.score / 100

    return reward


class Episodes:
    """Chooses what is played after each reset: from the environment's own generator, or as the options say."""

    def __init__(self, game: Game | str, instances: Instances | Sequence[Instance] | None, bots: Seats | None, record: bool) -> None:
        self.game = game if isinstance(game, Game) else Game(game)
        self.instances: Sequence[Instance] = self.game.instances() if instances is None else instances
        self.bots = bots
        self.record = record
        self._random = random.Random()

    def next(self, seed: int | None, options: dict[str, Any] | None) -> Episode:
        """`options`: "instance" (a position, or an Instance) and "episode_seed"."""
        if seed is not None:
            self._random = random.Random(seed)
        options = options or {}
        chosen, chance = self._random.randrange(len(self.instances)), self._random.getrandbits(63)
        wanted = options.get("instance", chosen)
        instance: Instance = wanted if isinstance(wanted, Instance) else self.instances[wanted]
        return instance.episode(options.get("episode_seed", chance), bots=self.bots, record=self.record)


def info_of(episode: Episode, turn: Turn) -> dict[str, Any]:
    """What an agent may know beside its message."""
    if turn.done:
        # None for NaN: infos are compared with each other.
        scores = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in episode.scores().items()}
        return {"outcome": turn.outcome, "reason": episode.reason, "scores": scores}
    violation = None if turn.broken_rule is None else episode.violation
    return {
        "role": turn.player,
        "move": turn.move,
        "form": episode.game.moves[turn.move_index].form,
        "round": turn.round,
        "aside": turn.aside,
        "violation": None if violation is None else violation._asdict(),
    }
