"""The Python package over libppc.so. Run by test/lit/library/python.test; by hand: PYTHONPATH=python python3 test/library/python_test.py"""
import gc
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import ppc

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("PPC_PROGRAM", str(ROOT / "build/release/bin/ppc"))
# A program under sanitizers has them inside; Python needs their library in front.
PLAIN = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}

DICE = """
game dice
instance { sides : int 1..100 }
player caller
move Call by caller {
  format "CALL " {n: int}   else retry 1 tell "Call a number." then abort "no number"
  expect n in 1..100        else retry 2 tell "1 to 100." then lose "out of range"
}
move Sure by caller { format {word: text}  else abort }
play {
  brief caller "Guess the dice."  answered "Yes."
  round r in 1..3 {
    let call = ask caller for Call
    ask caller aside "Sure?" for Sure
    reward caller 0.5
    if call.n == 1 + random(sides) { win score 100 / r }
    tell caller "No."
  }
  lose "never right"
}
bot caller low { memory { n: int = 0 }  n = n + 1  say "CALL {n}" }
bot caller any { say "CALL {1 + random(6)}" }
"""


def dice() -> ppc.Game:
    path = pathlib.Path(tempfile.gettempdir()) / f"ppc-dice-{os.getpid()}" / "dice.game"
    path.parent.mkdir(exist_ok=True)
    path.write_text(DICE, encoding="utf-8")
    try:
        return ppc.Game(path)
    finally:
        shutil.rmtree(path.parent)


class Games(unittest.TestCase):
    def test_what_a_game_says(self):
        game = ppc.Game("taboo")
        self.assertEqual(game.name, "taboo")
        self.assertEqual(game.roles, ("describer", "guesser"))
        self.assertEqual(game.players[1].display, "WordGuesser")
        self.assertEqual(game.engine, "jit")
        move = game.moves[0]
        self.assertIn("::=", move.grammar)
        self.assertTrue(move.form)
        self.assertIn("fixed", [b.name for b in game.bots if b.player == "guesser"])
        self.assertIn("format", {r.kind for r in game.rules})
        self.assertTrue(game.info["instance"])
        self.assertEqual(game.hash, ppc.Game("taboo", engine="interp").hash)
        self.assertEqual([p.name for p in ppc.Game("hellogame").players if p.scripted], ["greeted"])

    def test_a_game_with_errors(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "bad.game"
            path.write_text("game bad\nplayer p\nmove M by p { format {n: int} else abort }\nplay { tell q \"x\" win }\n")
            with self.assertRaisesRegex(ppc.InputError, r"bad\.game:4:\d+: error\[E0\d+\]"):
                ppc.Game(path)
            with self.assertRaises(ppc.Error):
                ppc.Game(path.with_name("missing.game"))
        with self.assertRaisesRegex(ppc.InputError, "ppc list games"):
            ppc.Game("no_such_game")
        with self.assertRaises(ppc.UsageError):
            ppc.Game("taboo", engine="fast")
        with self.assertRaises(ppc.UsageError):
            ppc.Game("ta\0boo")

    def test_compiled_games(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "taboo.so"
            subprocess.run([PROGRAM, "compile", str(ROOT / "stdlib-games/taboo/taboo.game"), "--emit=shared", "-o", str(path)], check=True,
                           env=PLAIN)
            compiled = ppc.Game(path)
            self.assertEqual(compiled.engine, "so")
            records = [ppc.play(g.instances()[3].episode(5, record=True), {"describer": "bot", "guesser": "bot"}).record()
                       for g in (compiled, ppc.Game("taboo"), ppc.Game("taboo", engine="interp"))]
            self.assertEqual(without_times(records[0]), without_times(records[1]))
            self.assertEqual(without_times(records[0]), without_times(records[2]))
            with self.assertRaises(ppc.UsageError):
                ppc.Game(path, engine="interp")
            path.write_bytes(path.read_bytes()[:3000])
            with self.assertRaisesRegex(ppc.InputError, "cut short"):
                ppc.Game(path)

    def test_instances(self):
        game = ppc.Game("taboo")
        instances = game.instances()
        self.assertGreater(len(instances), 5)
        self.assertEqual(len(instances.experiments), len(set(instances.experiments)))
        last = instances[-1]
        self.assertEqual(last.index, len(instances) - 1)
        self.assertEqual(len(instances[2:4]), 2)
        self.assertEqual([i.id for i in instances][:2], [instances[0].id, instances[1].id])
        found = instances.find(last.experiment, last.id)
        self.assertEqual(found.fields, last.fields)
        self.assertIn("name", last.experiment_fields)
        with self.assertRaises(ppc.UsageError):
            instances.find("no such experiment")
        with self.assertRaises(IndexError):
            instances[len(instances)]
        fresh = game.generate(2, seed=3)
        self.assertEqual(len(fresh), 2 * len(fresh.experiments))
        self.assertEqual([i.fields for i in fresh], [i.fields for i in game.generate(2, seed=3)])
        again = game.parse({"experiments": [{**last.experiment_fields, "game_instances": [last.fields]}]})
        self.assertEqual(again[0].fields, last.fields)
        with self.assertRaisesRegex(ppc.InputError, "sides"):
            dice().instance({"sides": 0})
        with self.assertRaises(ppc.InputError):
            game.parse("[")
        with self.assertRaises(ppc.InputError):
            game.instances("/no/such/file")

    def test_threads_load_at_once(self):
        odd = []
        def work(name):
            try:
                episode = ppc.Game(name, cache="").episode()
                while not episode.done and episode.turn.requests < 4:
                    episode.step(episode.bot())
            except BaseException as error:
                odd.append((name, error))
        threads = [threading.Thread(target=work, args=(n,)) for n in ("taboo", "wordle", "hellogame", "kuhn_poker", "taboo", "wordle")]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(odd, [])

    def test_handles_keep_what_they_need(self):
        episode = dice().instance({"sides": 6}).episode()
        gc.collect()
        self.assertFalse(episode.step("CALL 3").done)
        self.assertEqual(episode.instance.fields, {"sides": 6})


class Episodes(unittest.TestCase):
    def test_an_episode_step_by_step(self):
        episode = dice().instance({"sides": 100}).episode(seed=6)
        turn = episode.turn
        self.assertEqual((turn.player, turn.move, turn.round, turn.requests, turn.done, turn.aside), ("caller", "Call", 1, 1, False, False))
        turn = episode.step("what?")
        self.assertEqual(turn.message, "Call a number.")
        self.assertEqual(episode.game.rules[turn.broken_rule].kind, "format")
        self.assertEqual(episode.violation[:2], ("Call", "format"))
        turn = episode.step("CALL 101")
        self.assertEqual((episode.violation.kind, episode.violation.rule), ("expect", "n in 1..100"))
        turn = episode.step("CALL 7")
        self.assertIsNone(episode.violation)
        self.assertIsNone(turn.broken_rule)
        self.assertTrue(turn.aside)
        turn = episode.step("yes")
        self.assertEqual(turn.rewards, {"caller": 0.5})
        self.assertFalse(turn.aside)
        self.assertEqual(episode.turn, turn)
        with self.assertRaisesRegex(ppc.UsageError, "not over"):
            episode.scores()
        while not episode.done:
            episode.step("CALL 7")
        self.assertEqual((episode.outcome, episode.reason), ("lost", "never right"))
        self.assertEqual(episode.turn.message, "")
        scores = episode.scores()
        self.assertEqual((scores["Lose"], scores["Main Score"], episode.score()), (1, 0, 0))
        with self.assertRaises(ppc.UsageError):
            episode.score("no such score")
        with self.assertRaisesRegex(ppc.UsageError, "over"):
            episode.step("CALL 1")

    def test_aborted_has_no_score(self):
        episode = dice().instance({"sides": 6}).episode()
        episode.step("x")
        turn = episode.step("y")
        self.assertEqual((turn.outcome, episode.reason), ("aborted", "no number"))
        self.assertTrue(math.isnan(turn.score) and math.isnan(episode.score()) and math.isnan(episode.scores()["Main Score"]))
        again = dice().instance({"sides": 6}).episode()
        self.assertEqual(again.abandon("tired \0").outcome, "aborted")
        self.assertEqual(again.reason, "tired  ")

    def test_replies_are_any_bytes(self):
        game = dice()
        for reply in ("", "\0", b"\xff\xfe", "\ud800", "CALL \u00e9", b"CALL 5\x00", bytearray(b"CALL 5"), "x" * 3_000_000):
            episode = game.instance({"sides": 6}).episode()
            turn = episode.step(reply)
            self.assertEqual(turn.broken_rule is None, reply == bytearray(b"CALL 5"), reply[:10])
        with self.assertRaises(TypeError):
            episode.step(None)

    def test_the_same_seed_the_same_episode(self):
        instance = dice().instance({"sides": 3})
        def outcomes(seed):
            episode, out = instance.episode(seed), []
            while not episode.done:
                out.append(episode.step("CALL 2").message)
            return out, episode.outcome
        self.assertEqual(outcomes(11), outcomes(11))
        self.assertGreater(len({str(outcomes(s)) for s in range(30)}), 1)
        episode = instance.episode(4)
        first = episode.turn
        episode.step("CALL 1")
        self.assertEqual(episode.restart(4), first)

    def test_bots_are_seated(self):
        game = dice()
        episode = game.instance({"sides": 6}).episode(bots={"caller": "low"})
        self.assertTrue(episode.done)  # nobody is left to be asked
        with self.assertRaisesRegex(ppc.UsageError, "no bot `high`"):
            game.instance({"sides": 6}).episode(bots={"caller": "high"})
        taboo = ppc.Game("taboo").instances()[0]
        episode = taboo.episode(bots={"describer": None})
        asked = []
        while not episode.done:
            asked.append(episode.turn.player)
            episode.step("GUESS: tree")
        self.assertEqual(set(asked), {"guesser"})
        with self.assertRaisesRegex(ppc.UsageError, "there is spelling, blunt"):
            taboo.episode().bot("fixed")

    def test_play(self):
        game = dice()
        episode = ppc.play(game.instance({"sides": 1}).episode(), {"caller": lambda turn, messages: "CALL 1"})
        self.assertEqual(episode.outcome, "won")
        heard = []
        ppc.play(game.instance({"sides": 50}).episode(seed=1, record=True),
                 lambda turn, messages: heard.append(messages) or ("yes" if turn.aside else "CALL 60"))
        self.assertEqual([m["role"] for m in heard[0]], ["user", "assistant", "user"])  # the brief, answered by the game
        self.assertEqual(heard[1][-1], {"role": "user", "content": "Sure?"})
        self.assertNotIn("Sure?", [m["content"] for m in heard[2]])
        self.assertEqual(heard[2][-1]["content"], "No.")
        taboo = ppc.Game("taboo")
        both = ppc.play(taboo.episode(), {"describer": "bot:spelling", "guesser": ppc.scripted(["GUESS: a", "GUESS: b"])})
        self.assertTrue(both.done)
        with self.assertRaisesRegex(ppc.UsageError, "nobody plays `guesser`"):
            ppc.play(taboo.episode(), {"describer": "bot"})
        with self.assertRaises(ppc.UsageError):
            ppc.play(taboo.episode(), {"describer": "human"})


class Forks(unittest.TestCase):
    def test_forks_are_equal_and_apart(self):
        episode = dice().instance({"sides": 3}).episode(seed=9, record=True)
        episode.step("CALL 3")
        fork = episode.fork()
        self.assertEqual(fork.turn, episode.turn)
        self.assertEqual(fork.snapshot(), episode.snapshot())
        other = episode.fork()
        other.step("nonsense")
        other.abandon()
        for e in (episode, fork):
            while not e.done:
                e.step("CALL 2")
        self.assertEqual(fork.turn, episode.turn)
        self.assertEqual(fork.snapshot(), episode.snapshot())
        messages = [[m["text"] for m in e.record()["messages"]] for e in (episode, fork)]
        self.assertEqual(*messages)
        self.assertEqual(len({e.snapshot() for e in fork.forks(5)}), 1)

    def test_snapshots(self):
        instances = ppc.Game("wordle").instances()
        episode = instances[0].episode(seed=2)
        episode.step("explanation: x\nguess: crane")
        saved = episode.snapshot()
        ahead = episode.step("explanation: y\nguess: mouse")
        self.assertNotEqual(episode.snapshot(), saved)
        fresh = instances[0].episode(seed=77)
        turn = fresh.restore(saved)
        self.assertEqual(fresh.step("explanation: y\nguess: mouse"), ahead)
        self.assertEqual(turn.requests, 2)
        for bad in (b"", b"x" * 500, saved[:-1], saved + b"x", saved[:200] + b"\1" + saved[201:]):
            with self.assertRaises(ppc.InputError):
                fresh.restore(bad)
        with self.assertRaisesRegex(ppc.InputError, "instance"):
            instances[1].episode().restore(saved)
        with self.assertRaisesRegex(ppc.InputError, "another game"):
            ppc.Game("taboo").episode().restore(saved)
        with self.assertRaisesRegex(ppc.UsageError, "journal"):
            instances[0].episode(record=True).restore(saved)

    def test_another_process_goes_on(self):
        episode = ppc.Game("wordle").instances()[0].episode(seed=2)
        episode.step("explanation: x\nguess: crane")
        ahead = episode.fork().step("explanation: y\nguess: mouse")
        code = ("import sys, ppc\ne = ppc.Game('wordle').instances()[0].episode()\ne.restore(sys.stdin.buffer.read())\n"
                "sys.stdout.write(e.step('explanation: y\\nguess: mouse').message)")
        done = subprocess.run([sys.executable, "-c", code], input=episode.snapshot(), capture_output=True, check=True)
        self.assertEqual(done.stdout.decode(), ahead.message)


WORDS = ["crane", "mouse", "light", "zzzzz", "house", "bread"]


def reply_of(episode: int, step: int) -> str:
    word = WORDS[(episode * 7 + step * 3) % len(WORDS)]
    return "no form" if (episode + step) % 11 == 0 else f"explanation: some\nguess: {word}"


class Batches(unittest.TestCase):
    def test_a_thousand_equal_single_ones(self):
        instances = ppc.Game("wordle").instances()
        indices = [i % len(instances) for i in range(1000)]
        for threads in (1, 3):
            batch = instances.batch(indices, threads=threads)
            singles = [instances[i].episode(e.instance.seed(0, k // len(instances))) for k, (i, e) in enumerate(zip(indices, batch))]
            step = 0
            while not batch.done:
                turns = batch.step([None if t.done else reply_of(i, step) for i, t in enumerate(batch.turns)])
                for i, single in enumerate(singles):
                    if not single.done:
                        single.step(reply_of(i, step))
                    self.assertEqual(single.turn, turns[i], (i, step))
                step += 1
            self.assertEqual(batch.snapshot(), [s.snapshot() for s in singles])
            for a, b in zip(batch.scores(), (s.score() for s in singles)):
                self.assertTrue(a == b or math.isnan(a) and math.isnan(b))
            self.assertEqual(batch.active, [])

    def test_snapshots_forks_restarts(self):
        instances = ppc.Game("wordle").instances()
        batch = instances.batch([0, 1, 2] * 20, threads=2)
        before, first = batch.snapshot(), list(batch.turns)
        forked = batch.fork()
        batch.step([reply_of(i, 1) for i in range(60)])
        self.assertEqual(forked.snapshot(), before)
        after = list(batch.turns)
        self.assertEqual(batch.restore(before), first)
        self.assertEqual(batch.step([reply_of(i, 1) for i in range(60)]), after)
        self.assertEqual(batch.restart([e.instance.seed(0, i // 3) for i, e in enumerate(batch)]), first)
        batch[0].step(reply_of(0, 1))
        self.assertEqual(batch.refresh()[0], after[0])

    def test_errors_name_the_episode(self):
        game = dice()
        instance = game.instance({"sides": 6})
        batch = ppc.Batch([instance.episode(s) for s in range(4)])
        batch[2].abandon()
        with self.assertRaisesRegex(ppc.UsageError, "episode 2: the episode is over"):
            batch.step(["CALL 3"] * 4)
        self.assertEqual([t.requests for t in batch.turns], [2, 2, 1, 2])  # the others were stepped
        self.assertEqual(batch.active, [0, 1, 3])
        with self.assertRaisesRegex(ppc.UsageError, "3 replies for 4"):
            batch.step(["x"] * 3)
        twice = instance.episode()
        with self.assertRaisesRegex(ppc.UsageError, "twice"):
            ppc.Batch([twice, twice])
        with self.assertRaisesRegex(ppc.UsageError, "one game"):
            ppc.Batch([twice, ppc.Game("taboo").episode()])
        with self.assertRaises(ppc.UsageError):
            instance.instances.batch([0, 5])
        with self.assertRaises(ppc.InputError):
            batch.restore([b"x"] * 4)
        self.assertEqual(ppc.Batch([]).step([]), [])
        self.assertTrue(ppc.Batch([]).done)

    def test_threads(self):
        instances = ppc.Game("wordle").instances()
        expected = None
        results: list[object] = [None] * 8
        def work(k):
            out = []
            for i in range(60):
                episode = instances[i % len(instances)].episode(seed=i)
                step = 0
                while not episode.done:
                    out.append(episode.step(reply_of(i, step)).message)
                    step += 1
                out.append(str(episode.scores()))
            results[k] = out
        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        work(0)
        expected = results[0]
        self.assertTrue(all(r == expected for r in results))

    def test_one_episode_in_many_threads_is_told(self):
        episode = ppc.Game("wordle").instances()[0].episode()
        stop, odd = threading.Event(), []
        def work():
            while not stop.is_set():
                try:
                    episode.step("explanation: x\nguess: crane")
                except ppc.UsageError:  # in use, or over
                    pass
                except BaseException as error:
                    odd.append(error)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for _ in range(300):
            try:
                episode.restart(1)
            except ppc.UsageError:
                pass
        batch = ppc.Batch([ppc.Game("wordle").instances()[0].episode()])
        for _ in range(300):
            try:
                ppc.Batch([episode, batch[0]]).step(["explanation: x\nguess: mouse", None])
            except ppc.UsageError:
                pass
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(odd, [])


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if not k.startswith("timestamp")}
    if isinstance(value, list):
        return [without_times(v) for v in value]
    return "nan" if isinstance(value, float) and math.isnan(value) else value


class Records(unittest.TestCase):
    def test_records_are_those_of_ppc_play(self):
        game = ppc.Game("taboo")
        with tempfile.TemporaryDirectory() as folder:
            theirs, ours = pathlib.Path(folder) / "theirs", pathlib.Path(folder) / "ours"
            subprocess.run([PROGRAM, "play", "taboo", "--seed", "3", "--out", str(theirs), "--player", "describer=bot:spelling",
                            "--player", "guesser=bot:insider"], check=True, capture_output=True,
                           env=PLAIN)
            with ppc.Writer(ours) as writer:
                for instance in game.instances():
                    episode = instance.episode(instance.seed(3), bots={"describer": "spelling", "guesser": "insider"}, record=True)
                    writer.write(episode)
            files = sorted(p.relative_to(theirs) for p in theirs.rglob("*.json*"))
            self.assertEqual(files, sorted(p.relative_to(ours) for p in ours.rglob("*.json*")))
            for file in files:
                a, b = (f.joinpath(file).read_text(encoding="utf-8") for f in (theirs, ours))
                if file.suffix == ".jsonl":
                    a, b = (json.dumps([json.loads(line) for line in text.splitlines()]) for text in (a, b))
                self.assertEqual(without_times(json.loads(a)), without_times(json.loads(b)), file)

    def test_what_is_known_of_a_reply(self):
        episode = ppc.Game("taboo").episode(record=True, bots={"guesser": "fixed"})
        episode.set_model("describer", "a/model")
        episode.step("CLUE: it is cold")
        episode.annotate(prompt_tokens=12, reply_tokens=4, finish="stop", model="a/model-1", attempts=2, logprobs=[{"token": "a", "logprob": -1.5}])
        message = next(m for m in episode.record()["messages"] if m["from"] == "Player 1")
        self.assertEqual((message["tokens"], message["finish"], message["logprobs"]), (4, "stop", [{"token": "a", "logprob": -1.5}]))
        request = episode.record("requests")[0]
        self.assertEqual((request["tokens"], request["model"], request["attempts"]), ({"prompt": 12, "reply": 4}, "a/model-1", 2))
        self.assertEqual(episode.record()["players"][0]["model"], "a/model")
        self.assertEqual(episode.record()["outcome"], "running")
        with self.assertRaisesRegex(ppc.InputError, "finish"):
            episode.annotate(finish="odd")
        with self.assertRaises(ppc.UsageError):
            episode.record("everything")
        with self.assertRaisesRegex(ppc.UsageError, "journal"):
            ppc.Game("taboo").episode().record()
        with tempfile.TemporaryDirectory() as folder:
            writer = ppc.Writer(pathlib.Path(folder) / "r")
            with self.assertRaisesRegex(ppc.UsageError, "not over"):
                writer.write(episode)
            episode.abandon()
            writer.write(episode)
            writer.close()
            with self.assertRaises(ppc.UsageError):
                writer.write(episode)
            self.assertTrue(list(pathlib.Path(folder).rglob("a_model*")))  # made safe
        with self.assertRaises(ppc.OutsideError):
            ppc.Writer("/dev/null/records")


if __name__ == "__main__":
    unittest.main()
