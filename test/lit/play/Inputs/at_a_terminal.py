"""A person at a terminal: at_a_terminal.py PPC RECORDS. Plays an episode, asks for the rules, edits a line, leaves by ^C."""
import os
import pty
import re
import select
import sys
import termios
import time

ppc, records = sys.argv[1:]


class Terminal:
    def __init__(self, *command):
        self.process, self.fd = pty.fork()
        if self.process == 0:
            os.environ["TERM"] = "xterm"
            # libedit never frees the names of functions that are added to it (EL_ADDFN): a leak of its own.
            os.environ["ASAN_OPTIONS"] = "detect_leaks=0"
            os.execv(command[0], command)
        self.seen = ""

    def until(self, text):
        end = time.monotonic() + 60
        while text not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise SystemExit(f"never said: {text!r}; but {self.seen!r}")
            try:
                more = os.read(self.fd, 4096)
            except OSError:  # it has ended
                raise SystemExit(f"ended without {text!r}: {self.seen!r}")
            self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", more.decode(errors="replace"))
        before, self.seen = self.seen.split(text, 1)
        return before

    def type(self, text):
        # The prompt comes a moment before the line editor has the terminal; nobody types that fast.
        end = time.monotonic() + 60
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            assert time.monotonic() < end, "nobody reads keys"
            time.sleep(0.005)
        os.write(self.fd, text.encode())

    def end(self):
        rest = ""
        stop = time.monotonic() + 60
        while True:
            if not select.select([self.fd], [], [], max(0, stop - time.monotonic()))[0]:
                os.kill(self.process, 9)
                raise SystemExit(f"does not end: {self.seen!r} {rest!r}")
            try:
                more = os.read(self.fd, 4096)
            except OSError:
                break
            if not more:
                break
            rest += more.decode(errors="replace")
        _, status = os.waitpid(self.process, 0)
        return os.waitstatus_to_exitcode(status), rest


def game(*more):
    return Terminal(ppc, "play", "taboo", "--seed", "1", "--player", "describer=bot:spelling", "--player", "guesser=human", *more)


t = game("--out", records, "--episodes", "1")
first = t.until("> ")
assert "WordGuesser" in first and "CLUE:" in first and "The secret word is" not in first, first
t.type("/rules\r")
assert "GUESS: <guess>" in t.until("> ")
t.type("GUESS: treex\x7f\r")   # a key too many, taken back
t.until("CLUE: ")
t.until("> ")
t.type("no form\r")
code, rest = t.end()
assert code == 0 and "aborted" in rest, (code, rest)

t = game()
t.until("> ")
t.type("GUE\x03")   # ^C in the middle of a line: leaves, and is no crash
code, rest = t.end()
assert code == 0 and "the player left" in rest, (code, rest)
print("good")
