"""A game as a PettingZoo environment (AEC): each role is an agent, and acts when the game asks it.

    from ppc.adapters.pettingzoo import GameEnv

    env = GameEnv("taboo")
    env.reset(seed=7)
    for agent in env.agent_iter():
        message, reward, termination, truncation, info = env.last()
        env.step(None if termination or truncation else my_model(agent, message))

Observations are messages, actions are replies. Written against PettingZoo 1.24 and later.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

try:
    from pettingzoo import AECEnv
except ImportError as error:
    raise ImportError("ppc.adapters.pettingzoo needs the package pettingzoo (pip install pettingzoo)") from error

from ..errors import UsageError
from ..game import Game, Instance, Instances, Seats
from ._common import AnyText, Episodes, Reward, default_reward, info_of


class GameEnv(AECEnv):  # type: ignore[misc]
    """All roles of a game that bots do not play.

    Args:
        game: a Game, or what it is loaded from.
        instances: what is played; default: the game's own. Each reset chooses one by the environment's generator, or
            `options={"instance": 3}` does; `options={"episode_seed": 5}` is the seed of the game's own chance.
        bots: roles that bots of the game play, {"describer": "spelling"}; they are no agents.
        reward: `(episode, turn, role) -> float`; default: what the game's `reward` statements give or, in an episode in which they gave
            nothing, at its end main score / 100 for all, and 0 when it was aborted.
        max_length: of messages and replies, in characters, for the spaces.

    An agent observes its last message: "" before its first. Its info has role, move, form, round, aside, violation (of the reply before: move,
    kind, rule, reason; or None) when it is asked; at the end outcome, reason and scores (None for NaN). `env.episode` is the episode;
    `env.episode.conversation(agent)` what an agent has heard and said.
    """

    metadata = {"name": "ppc_v0", "render_modes": ["ansi"], "is_parallelizable": False}

    def __init__(self, game: Game | str, *, instances: Instances | Sequence[Instance] | None = None, bots: Seats | None = None,
                 reward: Reward | None = None, max_length: int = 1 << 20, render_mode: str | None = None) -> None:
        super().__init__()
        if render_mode not in (None, "ansi"):
            raise UsageError(f"render_mode is None or \"ansi\", not `{render_mode}`")
        self._episodes = Episodes(game, instances, bots, record=True)
        self.game = self._episodes.game
        self.metadata = {**type(self).metadata, "name": f"{self.game.name}_v0"}
        played = {self.game.players[self.game.player_index(role)].name for role in bots or {}}
        self.possible_agents = [role for role in self.game.roles if role not in played]
        if not self.possible_agents:
            raise UsageError("bots play all roles: there is no agent")
        self._reward = reward or default_reward()
        self.observation_spaces = {agent: AnyText(max_length) for agent in self.possible_agents}
        self.action_spaces = {agent: AnyText(max_length) for agent in self.possible_agents}
        self.render_mode = render_mode
        self.episode: Any = None
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> AnyText:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> AnyText:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self.episode = self._episodes.next(seed, options)
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self._heard = dict.fromkeys(self.agents, "")
        self._skip_agent_selection = None
        self.agent_selection = self.agents[0]
        self._take()

    def _take(self) -> None:
        """What the episode's turn means for the agents."""
        turn = self.episode.turn
        for agent in self.agents:
            self.rewards[agent] = float(self._reward(self.episode, turn, agent))
        self._accumulate_rewards()
        info = info_of(self.episode, turn)
        if not turn.done:
            self.agent_selection = turn.player
            self._heard[turn.player] = turn.message
            self.infos[turn.player] = info
            return
        for agent in self.agents:
            self.terminations[agent] = True
            self.infos[agent] = dict(info)
        self._deads_step_first()

    def step(self, action: str | None) -> None:
        if self.episode is None:
            raise UsageError("reset comes first")
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        if action is None:
            raise UsageError(f"`{agent}` is asked for `{self.episode.turn.move}`: None is no reply")
        self._cumulative_rewards[agent] = 0.0
        self.episode.step(action)
        self._take()

    def observe(self, agent: str) -> str:
        return self._heard[agent]

    def render(self) -> str | None:
        """What everybody has heard and said so far, a part for each agent."""
        if self.render_mode is None or self.episode is None:
            return None
        out = []
        for agent in self.possible_agents:
            out.append(f"--- {agent}")
            out += [f"{'GM' if m['role'] == 'user' else agent}: {m['content']}" for m in self.episode.conversation(agent)]
        return "\n".join(out)

    def close(self) -> None:
        self.episode = None


def env(game: Game | str, **arguments: Any) -> GameEnv:
    """The environment, as PettingZoo's own modules call the function that makes one."""
    return GameEnv(game, **arguments)
