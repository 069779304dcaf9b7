"""The benchmark: `python -m tests.bench`, or `make bench`.

The files, each using only those above it:

- `camera`: the stub camera, which knows a long story as well.
- `fleetside`: the stub fleet as a process (`python -m tests.bench.fleetside`).
- `bare`: the bare asyncio client as a process (`python -m tests.bench.bare`).
- `processes`: starting those two and the two programs; a user of an actor's port.
- `measures`: what is measured of a program that runs.
- `stubs`: all measurements on the stub fleet, in turn.
- `engines`: all measurements on real engines.
- `rows`: the rows of the table, and what each needs.
- `page`: docs/benchmarks, with `plot` in an environment of its own for the picture.
"""
