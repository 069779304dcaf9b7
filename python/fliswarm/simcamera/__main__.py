"""The command line: ``python -m fliswarm.simcamera``.

sdss-clu takes a third of a second to import; it waits until the options are read and the
signals are ours, so that ``--help`` is quick and an early SIGTERM ends even process 1.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import click

from fliswarm.simcamera import breakdown
from fliswarm.simcamera.camera import NAME, Settings
from fliswarm.simcamera.faults import KINDS, FaultError, Faults, parse

VERSION = version("fliswarm")

EPILOG = "\n\n".join(
    (
        "Faults:",
        *(
            f"\b\n{kind.usage}\n{click.wrap_text(kind.text, 74, '  ', '  ')}"
            for kind in KINDS.values()
        ),
        "A running camera takes them as a command: 'fault NAME [VALUE]' and "
        "'fault --clear [NAME]'; 'fault' alone lists those that are on. The replies to it are "
        "never spoiled.",
    )
)


option = functools.partial(click.option, show_envvar=True)


def _checked_name(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
    if not NAME.fullmatch(name):
        raise click.BadParameter(f"{name!r} is no name: letters, digits, '_', '.' and '-'")
    return name


def _checked_faults(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """The faults one by one: an environment variable has commas between them."""
    texts = [text.strip() for value in values for text in value.split(",")]
    faults = tuple(text for text in texts if text)
    try:
        for text in faults:
            parse(text)
    except FaultError as error:
        raise click.BadParameter(str(error)) from None
    return faults


@click.command(
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@option(
    "--name",
    envvar="FLISWARM_NODE",
    default="camera",
    callback=_checked_name,
    help="The camera's name.",
)
@option("--host", envvar="SIMCAMERA_HOST", default="127.0.0.1", help="The address to listen on.")
@option(
    "--port",
    envvar="FLISWARM_PORT",
    type=click.IntRange(0, 65535),
    default=19995,
    help="The TCP port; 0 takes a free one (the line on stderr says which).",
)
@option(
    "--data",
    envvar="SIMCAMERA_DATA",
    type=click.Path(path_type=Path),
    default=Path("data"),
    help="The folder of the files; they go to DATA/gcam.",
)
@option(
    "--fault",
    "faults",
    metavar="NAME[=VALUE]",
    envvar="SIMCAMERA_FAULTS",
    multiple=True,
    callback=_checked_faults,
    help="A fault that is on from the start; again for more, or with commas between.",
)
@option(
    "--size",
    envvar="SIMCAMERA_SIZE",
    type=click.IntRange(16, 8192),
    default=512,
    help="Pixels of the sensor's side.",
)
@option(
    "--readout-time",
    envvar="SIMCAMERA_READOUT_TIME",
    type=click.FloatRange(min=0),
    default=0.2,
    help="Seconds that a read-out takes.",
)
@option(
    "--status-interval",
    envvar="SIMCAMERA_STATUS_INTERVAL",
    type=click.FloatRange(min=0),
    default=120.0,
    help="Seconds between broadcasts of the status; 0 sends none.",
)
@click.version_option(VERSION, prog_name="simcamera")
def main(
    *,
    name: str,
    host: str,
    port: int,
    data: Path,
    faults: tuple[str, ...],
    size: int,
    readout_time: float,
    status_interval: float,
) -> None:
    """A simulated camera: the actor of one camera, with images of stars and with faults.

    It speaks the protocol of sdss-flicamera 0.7 on a TCP port, writes FITS files, and ends
    on SIGINT or SIGTERM.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_quietly)
    settings = Settings(
        name, data.absolute(), size, readout_time, os.environ.get("OBSERVATORY", ""), VERSION
    )
    switched = Faults(faults)
    if "crash-at-start" in switched:
        breakdown.print_traceback(f"FLIOpen: no device found for the camera {name!r}")
        sys.exit(int(switched.value("crash-at-start") or 0))
    _check_folder(settings)
    _run(settings, switched, host, port, status_interval)


def _end_quietly(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _check_folder(settings: Settings) -> None:
    """End the process when no files can be written."""
    folder = settings.data / "gcam"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        _give_up(settings, f"cannot write in {folder}: {error.strerror or error}")


def _run(settings: Settings, faults: Faults, host: str, port: int, status_interval: float) -> None:
    from fliswarm.simcamera.actor import CannotListen, SimCamera, serve  # noqa: PLC0415 (late)

    async def live() -> None:
        await serve(SimCamera(settings, faults, host, port), status_interval)

    try:
        asyncio.run(live())
    except CannotListen as error:
        _give_up(settings, str(error))


def _give_up(settings: Settings, reason: str) -> None:
    click.echo(f"simcamera {settings.name}: {reason}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
