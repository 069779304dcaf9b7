"""A simulated camera: the actor of one camera, with believable images and fault switches.

``python -m fliswarm.simcamera`` starts it. It speaks the wire format of sdss-flicamera 0.7,
writes FITS files, and misbehaves on request. The files, in the order in which they build
on each other:

- `faults`: what can be switched to go wrong; pure.
- `image`: pixels and FITS files; alone knows numpy and astropy, and imports them late.
- `camera`: the simulated hardware and its data folder.
- `wire`: the bytes that go to a client, spoiled by the faults.
- `commands`: the verbs.
- `actor`: sdss-clu's JSON actor around these; start, signals, end.
- `__main__`: the command line.
"""
