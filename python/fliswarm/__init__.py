"""fliswarm: one daemon that runs an observatory's cameras on many computers."""

from importlib.metadata import version

__version__ = version("fliswarm")
