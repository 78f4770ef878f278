import abc


class GameState:
    def __init__(self):
        self.outcome = "running"

    def succeed(self):
        self.outcome = "success"

    def failed(self):
        self.outcome = "failure"

    def abort(self):
        self.outcome = "aborted"


class GameMaster(abc.ABC):
    def __init__(self, game_spec, experiment, player_models, state=None):
        if len(player_models) == 1 and game_spec.players > 1:
            player_models = [player_models[0]] * game_spec.players
        self.state, self.game_spec, self.experiment, self.player_models = state or GameState(), game_spec, experiment, player_models
        self._current_player, self.logged = None, []

    @property
    def current_player(self):
        return self._current_player

    def log_to_self(self, type_, value):
        self.logged.append((type_, value))

    @abc.abstractmethod
    def setup(self, **kwargs): ...
    @abc.abstractmethod
    def before_game(self): ...
    @abc.abstractmethod
    def step(self, response): ...
    @abc.abstractmethod
    def get_players(self): ...
    @abc.abstractmethod
    def get_context_for(self, player): ...
