"""Who answers: helpers to play an episode to its end."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Union

from .episode import Episode, Reply, Turn
from .errors import UsageError

Messages = "list[dict[str, str]]"
#: A player: gets the turn and the conversation as that player remembers it, whose last message is the one to answer.
Voice = Callable[[Turn, "list[dict[str, str]]"], Reply]


def bot(episode: Episode, name: str | None = None) -> Voice:
    """A bot of the game as a voice in this episode; the asked player's first one without a name."""
    return lambda turn, messages: episode.bot(name)


def scripted(replies: Iterable[Reply]) -> Voice:
    """Gives these replies in order; afterwards empty ones."""
    rest = iter(replies)
    return lambda turn, messages: next(rest, "")


class Chat:
    """Keeps the conversation of each player of an episode that has no journal. What the game answers for a player (`brief … answered`)
    is not known to it: use `record=True` and `Episode.conversation` for games that do this."""

    def __init__(self) -> None:
        self._said: dict[str, list[dict[str, str]]] = {}

    def messages(self, turn: Turn) -> list[dict[str, str]]:
        """The conversation of the player who is asked, with the message to answer."""
        return [*self._said.get(turn.player, []), {"role": "user", "content": turn.message}]

    def answered(self, turn: Turn, reply: Reply) -> None:
        """The reply to that turn."""
        if turn.aside:
            return
        text = reply if isinstance(reply, str) else bytes(reply).decode("utf-8", "replace")
        said = self._said.setdefault(turn.player, [])
        said += [{"role": "user", "content": turn.message}, {"role": "assistant", "content": text}]


def play(episode: Episode, players: Union[Voice, Mapping[str, Union[Voice, str]]]) -> Episode:
    """Plays an episode to its end.

    Args:
        players: one voice for all, or one for each role that is asked: a callable `(turn, messages) -> reply`, or "bot" or
            "bot:NAME" for a bot of the game.
    """
    chat = Chat()
    while not episode.done:
        turn = episode.turn
        who = players.get(turn.player) if isinstance(players, Mapping) else players
        if who is None:
            raise UsageError(f"nobody plays `{turn.player}`")
        if isinstance(who, str):
            kind, _, name = who.partition(":")
            if kind != "bot":
                raise UsageError(f"`{who}` is no player: a callable, \"bot\" or \"bot:NAME\"")
            reply: Reply = episode.bot(name or None)
        else:
            reply = who(turn, episode.conversation() if episode.recorded else chat.messages(turn))
        chat.answered(turn, reply)
        if not episode.done:  # a voice may have ended it
            episode.step(reply)
    return episode
