"""The words that stand before and between the generated parts of the reference pages."""

from __future__ import annotations

CONFIGURATION = """\
# Configuration

A configuration is one YAML file. `fliswarm -c FILE …` names it; without `-c` the program uses
its [internal configuration](../../python/fliswarm/etc/fliswarm.yaml), three simulated cameras
on this computer. `fliswarm config check FILE` says all that is wrong with a file, and
`fliswarm config show` prints what is in force, merged, node by node. An unknown key is an error.

Examples: [one-computer.yaml](../../etc/one-computer.yaml),
[observatory.yaml](../../etc/observatory.yaml), [sdss.yaml](../../etc/sdss.yaml). For editors
there is a [JSON Schema](configuration.schema.json).

**Merging.** The options of a container may stand in `defaults`, in the block of a category and
in a node. Of a plain option the last of these counts. The variables of `environment` and the
entries of `volumes` are merged one by one.

**Two layouts.** `nodes` and `enabled_nodes` may be listed by observatory, as sdss-fliswarm 0.7
has them (see [sdss.yaml](../../etc/sdss.yaml)). The environment variable `OBSERVATORY` then says
which observatory is meant; where only one is listed, it is taken. `OBSERVATORY` is also given
to the containers.

**Environment of a container.** fliswarm sets `ACTOR_NAME` and `FLISWARM_NODE` (the node's name),
`FLISWARM_PORT` (its port) and, where it is set for the manager, `OBSERVATORY`.

Times are in seconds. "-" as a default means that the key may be left out; its text then says
what happens.
"""

COMMANDS = """\
# Commands

Two sorts of commands. *Actor commands* go to a running manager: through the hub
(`fliswarm status`), or from a shell with `fliswarm send status`. The *command line* starts and
stops the manager and sends those commands.

How replies look: [keywords.md](keywords.md). How to read them when something is wrong:
[camera-is-dead.md](../how-to/camera-is-dead.md).
"""

ACTOR = """\
## Actor commands

A command acts on all enabled nodes at once, or on those that `--names` and `--category` select.
Each node has its own outcome: one that fails does not disturb the others, and its deadlines
(`timeouts` of the configuration) limit how long the command waits for it. Every command ends
once, with `:` (done) or `f` (failed).
"""

OWN = ("status", "talk", "reconnect", "start", "stop", "restart", "enable", "disable", "drain",
       "undrain", "reboot", "reload", "simulate")  # fmt: skip
NOT_BELOW = ("fliswarm actor",)
NOTES = {
    "fliswarm actor": "`fliswarm actor start` is `fliswarm start`, and so on.",
    "status": "Answers with `enabledNodes`, then `node`, `container`, `volume` and `nodeState` "
    "of each enabled node. It reads what the manager knows already and asks no engine, except "
    "right after the start: then it waits for the first look at each node.",
    "talk": "What follows the options is the camera's own command. Put `--` before it when it "
    "has options: `talk -n gfa1,gfa2 -- expose -n 12 15.0`. Every line of a camera is passed on "
    "with the node's name in front. At the end come one `verdict` a node and, when files were "
    "written, one `filename_bundle`. `--need` says how many cameras must succeed for the command "
    "to end with `:`. A camera that answers nothing for `timeouts.silence` seconds, not even a "
    "ping, is given up; a long exposure is no silence.",
    "reconnect": "For each node: pull the image, make the volumes that are missing, make the new "
    "container, stop the old one and keep it aside, start the new one, wait until its camera "
    "answers. If that fails, the old container is put back. When the image cannot be pulled but "
    "is on the node, that one is used. Without `--force` a camera that is busy with a command of "
    "this manager is left alone, and so is a container that this manager did not make. With "
    "`--force` an existing volume is removed and made again; the old container must then go "
    "first and cannot be put back.",
    "start": "It fails where there is no container: `reconnect` makes one.",
    "restart": "It fails where there is no container: `reconnect` makes one.",
    "stop": "The stop signal of the node is sent, and a kill after its `stop_timeout`. That the "
    "container shall stay stopped is kept in the state folder, also when the manager starts again.",
    "enable": "Names may be separated by spaces or commas. What is enabled by command stays so "
    "when the manager starts again, until `enabled_nodes` in the configuration changes.",
    "disable": "Names may be separated by spaces or commas. The camera is disconnected. What is "
    "disabled by command stays so when the manager starts again, until `enabled_nodes` in the "
    "configuration changes.",
    "drain": "For a camera that somebody works at. The node is watched and started again as "
    "before, but `talk`, `reconnect`, `stop`, `start`, `restart` and `reboot` of all or of a "
    "category leave it out and say so. With `-n` they reach it. Names may be separated by spaces "
    "or commas. It stays drained when the manager starts again. Of a drained node the reason "
    "becomes another. See [out-of-service.md](../how-to/out-of-service.md).",
    "reboot": "Without `--hard`: runs `reboot_command` on the node over ssh, waits until its "
    "engine is gone, then until it is back. With `--hard`: sends the `poweroff` and `poweron` "
    "commands of the node's `power` block through the hub, then waits until its engine answers.",
    "reload": "Reads the file again that the manager was started with, shows what is different, "
    "and takes what touches no container; with `--apply` also the rest. Nodes that are the same "
    "are not touched. A file with mistakes is refused whole. A busy camera gets the verdict "
    "`busy` without `--force`. Afterwards `configDiffers` names the nodes that are not yet as the "
    "file has them. See [change-configuration.md](../how-to/change-configuration.md).",
    "simulate": "For tests of the programs that read us: no camera does anything. Only one "
    "simulation runs at a time.",
}
CLU = """\
### Commands of sdss-clu

These come with the library that the actor is built on. With `tron_host` in the configuration
there is also `tron-reconnect`.

"""

COMMAND_LINE = """\
## The command line
"""
SIMCAMERA = """\
## The simulated camera

How to use it: [simulated-cameras.md](../how-to/simulated-cameras.md).
"""

KEYWORDS = """\
# Keywords

What the actor says. A line is `<user> <command id> <code> <keyword>=<value>,<value>; …`.

| code | meaning |
| --- | --- |
| `>` | the command runs |
| `d` | detail |
| `i` | information |
| `w` | warning |
| `:` | the end: the command succeeded |
| `f` | the end: the command failed |

Lines with command id 0 answer no command: the manager sends them to everybody when a node's
state changes and when a camera says something unasked. What a camera says is passed on with the
node's name in front, and its dictionaries and lists are flattened in order; a camera's `>` comes
as `d`, its `:` as `i`, its `e` and `f` as `w`, because they end the camera's part and not the
command. A camera's keyword that is not in this table is passed on all the same.

A new connection is greeted with `yourUserID`, `num_users`, `UserInfo` and `version`: sdss-clu's
words, the first three of which are not in the table.

The same table as a [JSON Schema](keywords.schema.json) (`fliswarm keywords`) and as the
[dictionary of the hub](actorkeys-fliswarm.py) (`fliswarm keywords --actorkeys`). The types and the
order of the keywords that sdss-fliswarm 0.7 had are unchanged.

"""

HISTORY = """\
# The history's tables

`history.sqlite` in the state folder is an SQLite file that the manager writes and
`fliswarm history` reads. Any SQLite program can read it as well, also while the manager runs:

```console
$ sqlite3 -readonly history.sqlite "SELECT node, verdict, count(*) FROM verdicts GROUP BY 1, 2"
```

Moments are seconds since 1970 (UTC); `datetime(begun, 'unixepoch')` makes them readable. Texts
are cut after 2,000 characters, and what looks like a password, a token or a key is `***`.

How long things are kept and how large the file may grow is said by `history` in the
[configuration](configuration.md#history).

"""
