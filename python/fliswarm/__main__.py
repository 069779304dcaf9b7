"""``python -m fliswarm`` is the command ``fliswarm``."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="fliswarm")
