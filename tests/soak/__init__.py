"""Twenty cameras, a fault every three seconds, and a client that exposes all the time.

`python -m tests.soak --minutes 10 --seed 1`. The files, each using only those above it:

- `plan`: which fault when, by the seed. Pure.
- `fleet`: a configuration, a real manager, simulated cameras as its processes.
- `watchers`: a user who listens, and one who exposes and checks every reply.
- `meter`: memory, open files, threads and tasks of the manager.
- `strike`: how each fault is done.
- `report`: the table of faults.
- `run`: all together.
"""
