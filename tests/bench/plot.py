"""The picture: `PYTHON plot.py FILE.png < data.json`, in an environment with matplotlib.

The data: measure to program to pairs of nodes and seconds.
"""

from __future__ import annotations

import json
import sys

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import ScalarFormatter

TITLES = {"talk": "talk status", "status": "status", "ready": "ready to listen"}
LOOKS = {"bare": ("bare asyncio client", "#777777", ":"), "ours": ("fliswarm", "#0060a8", "-"),
         "old": ("sdss-fliswarm 0.7.0", "#c0504d", "--")}  # fmt: skip


def main() -> None:
    data = json.load(sys.stdin)
    figure, axes = plt.subplots(1, len(data), figsize=(3.6 * len(data), 3.6), sharey=True)
    for axis, (measure, programs) in zip(axes, data.items(), strict=True):
        for program, points in programs.items():
            label, colour, line = LOOKS[program]
            axis.loglog(*zip(*points, strict=True), line, marker="o", ms=4, color=colour,
                        label=label)  # fmt: skip
        axis.set_title(TITLES[measure])
        axis.set_xlabel("nodes")
        axis.set_xticks([count for count, _ in points], minor=False)
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.minorticks_off()
        axis.grid(visible=True, alpha=0.3)
    axes[0].set_ylabel("seconds")
    axes[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(sys.argv[1], dpi=110)


if __name__ == "__main__":
    main()
