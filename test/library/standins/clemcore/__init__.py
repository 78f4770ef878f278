from . import backends  # noqa: F401

STANDIN = True
