"""All that ours says otherwise than sdss-fliswarm 0.7.0, each with its reason.

A row that is needed nowhere any more fails `test_no_row_is_idle`.
"""

from __future__ import annotations

from .compare import Difference

FAILED = (
    "talk -n gfa1 fail", "talk fail", "talk nonsense", "talk --nope ping", "talk",
    'talk -n gfa1 -- temperature -25 "two words"', "talk -n nope ping", "talk -c nope ping",
    "talk -n gfa1 ping #2", "talk -n gfa1 abort", "talk -n gfa1,nope ping", "enable nope",
    "talk ping #3", "reconnect -n nope", "reconnect -n fvc",
)  # fmt: skip

DIFFERENCES = (
    Difference(
        "the manager's own sentences are worded otherwise; no program reads them",
        [
            (r'w text="Volume \w+ not present in \w+\."', None),
            (r'd text="\w+: volume \w+ already exists\."', None),
            (r'd text="\w+: pulling latest image\."', None),
            (r'i text="Waiting 5 seconds before reconnecting the devices \.\.\."', None),
            (r'd text="\w+: reconnected to device on port \d+\."', None),
            (r'i text="Powering (off|on) computers\."', None),
            (r'w text="Node does not exist\."', r'w text="unknown node .*"'),
        ],
    ),
    Difference(
        "a command that no node did, or that names no node, ends f; the old one says done",
        [(":", r"f error=fliswarm,.*")],
        FAILED,
    ),
    Difference(
        "the dictionary of keywords says error=(camera, message); the old one sends one value, "
        "or a camera's dict with the camera in it twice",
        [
            (r"f error=.*", r"f error=fliswarm,.*"),
            (r"w error=(\w+),\1,(.*)", r"w error={1},{2}"),
            (r"w error=(\w+),(\w+),(\w+)", r'w error={1},"{2} {3}"'),
        ],
    ),
    Difference(
        "the programs have versions of their own",
        [
            (r"i version='0\.7\.0'", r"i version='?[\d.]+'?"),
            (r": version=0\.7\.0", r": version=[\d.]+"),
        ],
    ),
    Difference(
        "the usage texts are our own; that they name the same commands and options is tested apart",
        [(r"w help(=.*)?", None)],
        ("help", "help talk", "help reconnect"),
    ),
    Difference(
        "a wrong command is said in the error alone",
        [(r"w help=\"NoSuchCommand: .*\"", None)],
        ("nonsense",),
    ),
    Difference(
        "a talk without a camera's command is refused, not sent as an empty one",
        [(r"w error=\w+,\"Command '' does not exist or cannot be parsed\.\"", None)],
        ("talk",),
    ),
    Difference(
        "a word with a space in it stays one word for the camera",
        [(r'w error=gfa1,"Command .temperature -25 two words. (.*)', r"w error=gfa1,.* {1}")],
    ),
    Difference(
        "no reader gets out of the old line what the camera said",
        [
            (r"i blank=gfa1,", r'i blank=gfa1,""'),
            (r"i blanks=gfa1,,a,", r'i blanks=gfa1,"",a,""'),
            (r"i one=gfa1,(a[;,=]b)", r'i one=gfa1,"{1}"'),
            (r"i (dash-ed|9lives|two words)=gfa1,1", None),
        ],
    ),
    Difference(
        "an aborted command is passed on as a warning: the camera's end is not the command's",
        [(r"! error=(.*)", r"w error={1}")],
    ),
    Difference(
        "a name that does not exist refuses the command; the old one does the rest of it",
        [(r"i text=gfa1,Pong\.", None)],
        ("talk -n gfa1,nope ping",),
    ),
    Difference(
        "a file's name that is a plain text counts as well; the old one fails on it",
        [(r'f error="Command .* failed because of an uncaught error .*"', r":")],
        ("talk -n gfa1 odd filenames",),
    ),
    Difference(
        "a simulation that is stopped has done what it was told",
        [
            (r': text="Command has been scheduled for cancellation\."', r":( .*)?"),
            (r'f error="This command has been cancelled\."', r": text=.*"),
        ],
    ),
    Difference(
        "simulate gives each camera its own files; the old one deals them out in the folder's "
        "order, whichever camera took them",
        [(r"i filename=(\w+),\1,(\S+/gimg-)\w+-0001.fits", r"i filename={1},{1},{2}{1}-0001.fits")],
        ("simulate a file a camera",),
    ),
    Difference(
        "a container that we did not make is left alone; --force takes it over",
        [(r'[id] (node=|container=|volume=|text=")fvc.*', None)],
        ("reconnect -n fvc",),
    ),
    Difference(
        "the old one tells everybody its status once at its start; the hub asks for it anyway "
        "when it connects, and ours tells each change of a node",
        [(r"[>:]|[id] (enabledNodes|node|container|volume)=.*", None)],
        ("everybody",),
    ),
    Difference(
        "a reboot tells of the nodes that it is for; that all others are enabled is no news",
        [(r"i enabledNodes=gfa1,gfa2,fvc", None)],
        ("reboot --hard",),
    ),
)
