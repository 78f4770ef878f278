"""The adapters: with the packages that they adapt to where these are installed, else with the stand-ins beside this file."""
import importlib.util
import pathlib
import subprocess
import sys
import types
import unittest

for package in ("gymnasium", "pettingzoo", "clemcore"):
    if importlib.util.find_spec(package) is None:
        sys.path.append(str(pathlib.Path(__file__).resolve().parent / "standins"))
        break

import clemcore
import gymnasium
import pettingzoo

import ppc
import ppc.adapters.clemcore as clem
import ppc.adapters.gymnasium as gym
import ppc.adapters.pettingzoo as zoo

MODES = {m.__name__: "stand-in" if getattr(m, "STANDIN", False) else f"real {getattr(m, '__version__', '')}" for m in (gymnasium, pettingzoo, clemcore)}


class Gymnasium(unittest.TestCase):
    def test_a_learner_among_bots(self):
        env = gymnasium.make("ppc/Game-v0", game="taboo", learner="guesser", others={"describer": "bot:spelling"})
        message, info = env.reset(seed=7)
        self.assertTrue(env.observation_space.contains(message))
        self.assertEqual((info["role"], info["aside"], info["violation"]), ("guesser", False, None))
        again, _ = env.reset(seed=7)
        self.assertEqual(message, again)
        self.assertGreater(len({env.reset(seed=s)[0] for s in range(20)}), 1)
        rewards, over = [], False
        while not over:
            message, reward, over, truncated, info = env.step("GUESS: tree")
            rewards.append(reward)
            self.assertFalse(truncated)
        self.assertEqual((info["outcome"], sum(rewards)), ("lost", 0.0))
        self.assertIn("Main Score", info["scores"])
        self.assertEqual(message, "")
        env.reset(seed=1)
        _, reward, over, _, info = env.step("no form at all")
        self.assertEqual((reward, over, info["outcome"], info["violation"]["kind"]), (0.0, True, "aborted", "format"))
        self.assertEqual(env.step("more")[1:3], (0.0, True))

    def test_callables_play_others(self):
        heard = []
        def describer(turn, messages):
            heard.append(messages)
            return "CLUE: something"
        env = gym.GameEnv("taboo", "guesser", {"describer": describer}, render_mode="ansi")
        env.reset(options={"instance": 3, "episode_seed": 5})
        self.assertEqual(env.episode.instance.index, 3)
        env.step("GUESS: a")
        self.assertEqual([m["role"] for m in heard[1]], ["user", "assistant", "user"])
        self.assertEqual([m["role"] for m in env.messages()], ["user", "assistant", "user"])
        self.assertIn("guesser: GUESS: a", env.render())

    def test_games_that_reward(self):
        env = gym.GameEnv("dond", "a", reward=None)
        env.reset(seed=3)
        total, over = 0.0, False
        while not over:
            _, reward, over, _, info = env.step(env.episode.bot())
            total += reward
        lines = env.episode.record()["messages"]
        self.assertEqual(total, sum(m["reward"] for m in lines if m["from"] == "Player 1" and m.get("reward")))
        mine = gym.GameEnv("taboo", "guesser", reward=lambda episode, turn, role: 7.0 if turn.done else 0.0)
        mine.reset(seed=1)
        self.assertEqual(mine.step("x")[1], 7.0)

    def test_mistakes(self):
        for wrong in (dict(game="taboo"), dict(game="taboo", learner="nobody"), dict(game="hellogame", learner="greeted"),
                      dict(game="taboo", learner="guesser", others={"guesser": "bot"}), dict(game="taboo", learner="guesser", render_mode="human"),
                      dict(game="taboo", learner="guesser", others={"describer": "bot:nobody"}),
                      dict(game="taboo", learner="guesser", others={"describer": "human"})):
            with self.assertRaises(ppc.UsageError, msg=str(wrong)):
                gym.GameEnv(**wrong)
        with self.assertRaises(ppc.UsageError):
            gym.GameEnv("hellogame").step("x")

    @unittest.skipIf(getattr(gymnasium, "STANDIN", False), "gymnasium is not installed: its own checker can't be asked")
    def test_its_own_checker(self):
        import warnings

        from gymnasium.utils.env_checker import check_env
        for game, learner in (("taboo", "guesser"), ("wordle", "guesser"), ("hellogame", None)):
            env = gymnasium.make("ppc/Game-v0", game=game, learner=learner)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.filterwarnings("ignore", message=".*render.*")
                check_env(env.unwrapped, skip_render_check=True)


class PettingZoo(unittest.TestCase):
    def test_all_roles_act(self):
        env = zoo.env("taboo")
        env.reset(seed=4)
        self.assertEqual(env.possible_agents, ["describer", "guesser"])
        said = {"describer": "CLUE: cold", "guesser": "GUESS: tree"}
        order, total, ended = [], dict.fromkeys(env.agents, 0.0), []
        for agent in env.agent_iter():
            message, reward, termination, truncation, info = env.last()
            self.assertTrue(env.observation_space(agent).contains(message))
            total[agent] += reward
            order.append(agent)
            if termination or truncation:
                ended.append(agent)
                self.assertEqual(info["outcome"], "lost")
            env.step(None if termination or truncation else said[agent])
        self.assertEqual(order[:4], ["describer", "guesser", "describer", "guesser"])
        self.assertEqual(sorted(ended), ["describer", "guesser"])
        self.assertEqual((env.agents, total), ([], {"describer": 0.0, "guesser": 0.0}))

    def test_the_contract_of_rewards(self):
        # As PettingZoo's own api_test has it: what `last` gives is what was in `rewards` since that agent's last action.
        for game in ("taboo", "dond", "kuhn_poker", "wordle_withcritic"):
            env = zoo.GameEnv(game)
            for seed in range(15):
                env.reset(seed=seed)
                since = dict.fromkeys(env.agents, 0.0)
                for a, r in env.rewards.items():
                    since[a] += r
                for agent in env.agent_iter(200):
                    _, reward, over, _, _ = env.last()
                    self.assertEqual(since[agent], reward)
                    env.step(None if over else env.episode.bot() if seed % 3 else env.action_space(agent).sample())
                    since[agent] = 0.0
                    for a, r in env.rewards.items():
                        since[a] += r
                    self.assertEqual(set(env.rewards), set(env.agents))
                    self.assertEqual(set(env.infos), set(env.agents))
                self.assertEqual(env.agents, [], game)

    def test_seeds_bots_mistakes(self):
        env = zoo.GameEnv("taboo", bots={"describer": "spelling"}, render_mode="ansi")
        self.assertEqual(env.possible_agents, ["guesser"])
        env.reset(seed=2)
        first = env.last()[0]
        env.reset(seed=2)
        self.assertEqual(env.last()[0], first)
        self.assertIsNone(env.last(observe=False)[0])
        with self.assertRaises(ppc.UsageError):
            env.step(None)
        env.step("GUESS: a")
        self.assertIn("guesser: GUESS: a", env.render())
        env.close()
        with self.assertRaises(ppc.UsageError):
            env.step("x")
        with self.assertRaises(ppc.UsageError):
            zoo.GameEnv("hellogame", bots={"greeter": None})

    @unittest.skipIf(getattr(pettingzoo, "STANDIN", False), "pettingzoo is not installed: its own test can't be asked")
    def test_its_own_test(self):
        from pettingzoo.test import api_test
        api_test(zoo.GameEnv("taboo"), num_cycles=50)


class Echo(clemcore.backends.Model):
    """A model of clemcore's that guesses."""

    def __init__(self):
        super().__init__(types.SimpleNamespace(model_name="echo-1"))
        self.seen = []

    def generate_response(self, messages):
        self.seen.append(messages)
        return messages, {"choices": []}, "GUESS: tree"


class Clemcore(unittest.TestCase):
    def test_a_model_plays(self):
        model = Echo()
        episode = clem.play("taboo", {"describer": "bot:spelling", "guesser": model}, seed=3)
        self.assertEqual(episode.outcome, "lost")
        self.assertEqual([m["role"] for m in model.seen[1]], ["user", "assistant", "user"])
        self.assertEqual([p["model"] for p in episode.record()["players"]], ["bot-spelling", "echo-1"])

    def test_a_game_master(self):
        game = ppc.Game("taboo")
        data = game.instances()[2]
        model = Echo()
        spec = types.SimpleNamespace(game_name="taboo", game_path=game.folder, players=2)
        benchmark = clem.PpcBenchmark(spec)
        master = benchmark.create_game_master({**data.experiment_fields}, [clemcore.backends.CustomResponseModel(), model])
        master.setup(**data.fields)
        master.before_game()
        self.assertEqual([p.name for p in master.get_players()], ["Player 1", "Player 2"])
        done = False
        while not done:
            player = master.current_player
            done, info = master.step(player(master.get_context_for(player)))
        self.assertEqual(str(getattr(master.state.outcome, "value", master.state.outcome)), "failure")
        self.assertEqual(info["outcome"], "lost")
        self.assertEqual([m["role"] for m in model.seen[-1]], ["user", "assistant"] * (len(model.seen) - 1) + ["user"])
        direct = ppc.play(data.episode(data.instances.game.instance(data.fields, data.experiment_fields).seed(0), record=True),
                          {"describer": "bot", "guesser": lambda turn, messages: "GUESS: tree"})
        self.assertEqual([m["text"] for m in master.episode.record()["messages"]], [m["text"] for m in direct.record()["messages"]])
        with self.assertRaises(ppc.UsageError):
            clem.PpcBenchmark(types.SimpleNamespace(game_name="wordle", game_path="", players=2)).create_game_master({}, [model, model])


class Without(unittest.TestCase):
    def test_what_is_missing_is_named(self):
        for name in ("gymnasium", "pettingzoo", "clemcore"):
            code = f"import sys\nsys.modules['{name}'] = None\nimport ppc.adapters.{name}"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            self.assertRegex(done.stderr, f"ImportError: ppc.adapters.{name} needs the package {name} \\(pip install {name}\\)")


if __name__ == "__main__":
    print("adapters tested with", MODES, file=sys.stderr)
    unittest.main()
