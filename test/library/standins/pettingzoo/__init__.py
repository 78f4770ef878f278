STANDIN = True


class AECEnv:
    """What PettingZoo 1.24 documents of its AEC environments: the order of agents that are over, cumulative rewards, last, agent_iter."""

    def last(self, observe=True):
        agent = self.agent_selection
        seen = self.observe(agent) if observe else None
        return seen, self._cumulative_rewards[agent], self.terminations[agent], self.truncations[agent], self.infos[agent]

    def agent_iter(self, max_iter=2**63):
        while self.agents and max_iter > 0:
            max_iter -= 1
            yield self.agent_selection

    @property
    def num_agents(self):
        return len(self.agents)

    def _over(self):
        return [a for a in self.agents if self.terminations[a] or self.truncations[a]]

    def _deads_step_first(self):
        if self._over():
            self._skip_agent_selection = self.agent_selection
            self.agent_selection = self._over()[0]
        return self.agent_selection

    def _accumulate_rewards(self):
        for agent, reward in self.rewards.items():
            self._cumulative_rewards[agent] += reward

    def _clear_rewards(self):
        for agent in self.rewards:
            self.rewards[agent] = 0

    def _was_dead_step(self, action):
        if action is not None:
            raise ValueError("when an agent is dead, the only valid action is None")
        gone = self.agent_selection
        for of_agent in (self.terminations, self.truncations, self.rewards, self._cumulative_rewards, self.infos):
            del of_agent[gone]
        self.agents.remove(gone)
        if self._over():
            self.agent_selection = self._over()[0]
        elif self._skip_agent_selection is not None:
            self.agent_selection, self._skip_agent_selection = self._skip_agent_selection, None
        self._clear_rewards()
