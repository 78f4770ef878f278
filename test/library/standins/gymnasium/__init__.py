from typing import Generic, TypeVar

from . import spaces

O = TypeVar("O")
A = TypeVar("A")
STANDIN = True
_made = {}


class Env(Generic[O, A]):
    def reset(self, *, seed=None, options=None):
        self.reset_seed = seed

    @property
    def unwrapped(self):
        return self


def register(id, entry_point):
    _made[id] = entry_point


def make(id, **arguments):
    import importlib

    module, _, name = _made[id].partition(":")
    return getattr(importlib.import_module(module), name)(**arguments)
