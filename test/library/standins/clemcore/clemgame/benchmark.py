class GameBenchmark:
    def __init__(self, game_spec):
        self.game_spec = game_spec
