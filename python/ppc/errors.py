"""What can go wrong. The texts are those of ppc: they name the place and often the fix."""


class Error(Exception):
    """Any of the errors below."""


class InputError(Error, ValueError):
    """The input is at fault: a game with errors (the text has the diagnostics), an instance that does not fit, a damaged snapshot."""


class UsageError(Error, RuntimeError):
    """The call is at fault: an index out of range, a step of an episode that is over, an episode in two threads at once."""


class OutsideError(Error, OSError):
    """Something outside failed: the disk, memory, a library that is not there."""


class InternalError(Error):
    """A bug of ppc."""
