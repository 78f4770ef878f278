"""Dialogue games: load them, play episodes of them, fork, score and record them.

    import ppc

    game = ppc.Game("taboo")                      # one that comes with ppc; or a .game file, or a compiled .so
    episode = game.instances()[0].episode(seed=1)
    while not episode.done:
        turn = episode.turn                       # who is asked, for which move, and the message
        episode.step(my_model(turn.message))
    print(episode.outcome, episode.scores())

Everything here is a thin layer over libppc.so (ctypes, no build step); docs/library.md is the tour. Adapters for PettingZoo,
Gymnasium and clemcore are in `ppc.adapters`; importing one of them needs the package that it adapts to.
"""
from ._library import library_path, version
from .episode import Batch, Episode, Turn, Violation
from .errors import Error, InputError, InternalError, OutsideError, UsageError
from .game import Bot, Game, Instance, Instances, Move, Player, Rule
from .players import Chat, Voice, bot, play, scripted
from .records import Writer

__version__ = version()

__all__ = [
    "Batch", "Bot", "Chat", "Episode", "Error", "Game", "InputError", "Instance", "Instances", "InternalError", "Move",
    "OutsideError", "Player", "Rule", "Turn", "UsageError", "Violation", "Voice", "Writer", "bot", "library_path", "play",
    "scripted",
]
