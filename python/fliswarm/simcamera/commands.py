"""The verbs of the simulated camera; words and order of the replies as sdss-flicamera 0.7."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click
from clu.parsers.click import CluGroup, get_command_model, help_, ping, version

from fliswarm.simcamera import breakdown
from fliswarm.simcamera.camera import Camera, CameraError, Exposure
from fliswarm.simcamera.faults import FaultError

# sdss-clu carries no types for mypy: a command of it is `Any` here.

parser: click.Group = CluGroup("camera-parser")
for _command in (ping, version, help_, get_command_model):
    parser.add_command(_command)

names_argument = click.argument("cameras", metavar="[CAMERAS]...", nargs=-1)


def _is_ours(command: Any, cameras: Sequence[str]) -> bool:
    """Whether the cameras asked for are this one; fails the command when they are not."""
    camera: Camera = command.actor.camera
    for name in cameras or command.actor.default_cameras or (camera.name,):
        if name != camera.name or "unplugged" in camera.faults:
            command.fail(text=f"camera {name} is not connected.")
            return False
    return True


def _refuse(command: Any, error: CameraError) -> None:
    """Fail a command with what the camera says."""
    command.fail(error={"camera": command.actor.camera.name, "error": str(error)})


@parser.command()
@names_argument
async def status(command: Any, cameras: Sequence[str]) -> None:
    """Returns the status of a camera."""
    if _is_ours(command, cameras):
        command.info(status=command.actor.camera.status())
        command.finish()


@parser.command(name="list")
async def list_(command: Any) -> None:
    """Lists cameras connected to the camera system."""
    camera: Camera = command.actor.camera
    command.finish(
        cameras=[] if "unplugged" in camera.faults else [camera.name],
        default_cameras=command.actor.default_cameras,
    )


@parser.command(name="set-default")
@names_argument
@click.option("-f", "--force", is_flag=True, help="Also a camera that is not connected.")
async def set_default(command: Any, cameras: Sequence[str], force: bool) -> None:
    """Set default cameras."""
    for name in cameras:
        if name == command.actor.camera.name:
            continue
        if not force:
            command.fail(text=f"camera {name} is not connected.")
            return
        command.warning(text=f"camera {name} is not connected.")
    command.actor.default_cameras = list(cameras)
    command.finish(default_cameras=list(cameras))


@parser.command()
@names_argument
@click.option("-t", "--timeout", type=float, default=5.0, help="Ignored: it is instant.")
async def reconnect(command: Any, cameras: Sequence[str], timeout: float) -> None:
    """Reconnects a camera."""
    camera: Camera = command.actor.camera
    if not _is_ours(command, cameras):
        return
    command.warning(text=f"reconnecting camera {camera.name!r}")
    if camera.busy:
        _refuse(command, CameraError(camera.busy))
        return
    command.actor.write("i", text=f"Camera disconnected: {camera.name}")
    command.info(camera=camera.name, text=f"camera {camera.name!r} was disconnected.")
    command.actor.write("i", text=f"Camera connected: {camera.name}")
    # The good news comes under the keyword `error`: that is what sdss-flicamera 0.7 sends.
    command.info(camera=camera.name, error=f"camera {camera.name!r} was reconnected.")
    command.finish()


@parser.command()
@names_argument
@click.argument("area", metavar="[AREA]...", type=int, nargs=4, required=False)
@click.option("-r", "--reset", is_flag=True, help="Restores the original image area.")
async def area(
    command: Any, cameras: Sequence[str], area: tuple[int, int, int, int] | None, reset: bool
) -> None:
    """Controls the camera image area.

    If called without an image area value, returns the current value. The image area must
    have the format (x0, x1, y0, y1) and be 1-indexed.
    """
    camera: Camera = command.actor.camera
    if not _is_ours(command, cameras):
        return
    try:
        if reset:
            camera.set_area((0, camera.settings.size, 0, camera.settings.size))
        elif area:
            camera.set_area(area)
    except CameraError as error:
        _refuse(command, error)
        return
    command.info(area={"camera": camera.name, "area": list(camera.area)})
    command.finish()


@parser.command()
@names_argument
@click.argument("binning", metavar="[BINNING]...", type=int, nargs=2, required=False)
async def binning(command: Any, cameras: Sequence[str], binning: tuple[int, int] | None) -> None:
    """Controls the camera binning.

    If called without a binning value, returns the current value.
    """
    camera: Camera = command.actor.camera
    if not _is_ours(command, cameras):
        return
    try:
        if binning:
            camera.set_binning(binning)
    except CameraError as error:
        _refuse(command, error)
        return
    horizontal, vertical = camera.binning
    command.info(binning={"camera": camera.name, "horizontal": horizontal, "vertical": vertical})
    command.finish()


@parser.command()
@names_argument
@click.argument("temperature", type=float, required=False)
async def temperature(command: Any, cameras: Sequence[str], temperature: float | None) -> None:
    """Controls the camera temperature.

    If called without a temperature value, returns the current temperature.
    """
    camera: Camera = command.actor.camera
    if not _is_ours(command, cameras):
        return
    try:
        if temperature is not None:
            await camera.cool(temperature)
    except CameraError as error:
        _refuse(command, error)
        return
    command.info(temperature={"camera": camera.name, "ccd_temp": camera.temperature})
    if temperature is None:
        command.finish()
    else:
        command.finish("all cameras have reached their set points.")


@parser.command()
@click.argument("camera_names", metavar="[CAMERA_NAMES]...", nargs=-1)
@click.argument("exptime", type=float, required=False)
@click.option("--object", "image_type", flag_value="object", help="Takes an object exposure.")
@click.option("--flat", "image_type", flag_value="flat", help="Takes a flat exposure.")
@click.option("--dark", "image_type", flag_value="dark", help="Takes a dark exposure.")
@click.option("--bias", "image_type", flag_value="bias", help="Takes a bias exposure.")
@click.option("-n", "--num", type=click.IntRange(min=0), help="Sequence number of the file.")
@click.option("-c", "--count", type=click.IntRange(min=1), help="Number of exposures to take.")
async def expose(
    command: Any,
    *,
    camera_names: Sequence[str],
    exptime: float | None,
    image_type: str | None,
    num: int | None,
    count: int | None,
) -> None:
    """Exposes and writes an image to disk.

    EXPTIME is in seconds. Without --num the file takes the number after the highest in the
    folder. A file is never overwritten.
    """
    camera: Camera = command.actor.camera
    if not _is_ours(command, camera_names):
        return
    kind = image_type or "object"
    seconds = 0.0 if exptime is None and kind == "bias" else exptime
    if seconds is None:
        command.fail(error="Exposure time not provided.")
        return
    try:
        camera.claim()
    except CameraError as error:
        command.fail(error=str(error))
        return
    try:
        for index in range(count or 1):
            if count:
                command.info(text=f"Taking exposure {index + 1} of {count}")
            await _expose_once(command, kind, seconds, None if num is None else num + index)
    except CameraError as error:
        command.error(error={"camera": camera.name, "error": str(error)})
        command.fail(error="One or more cameras failed to expose.")
    else:
        command.finish()
    finally:
        camera.release()


async def _expose_once(command: Any, image_type: str, seconds: float, num: int | None) -> None:
    camera: Camera = command.actor.camera
    command.info(text=f"exposing camera {camera.name!r}")
    if "refuse-expose" in camera.faults:
        raise CameraError("the camera refuses to expose (a simulated fault)")
    exposure = await camera.begin(image_type, seconds, num)
    _tell(command, exposure, "integrating", exposure.seconds)
    if "crash" in camera.faults:
        await asyncio.sleep(exposure.seconds / 2)
        breakdown.die(int(camera.faults.value("crash") or 0))
    await asyncio.sleep(exposure.left)
    _tell(command, exposure, "reading", 0.0)
    await camera.read_out(exposure)
    _tell(command, exposure, "done", 0.0)
    command.info(filename={"camera": camera.name, "filename": str(exposure.path)})
    _tell(command, None, "idle", 0.0)


def _tell(command: Any, exposure: Exposure | None, state: str, remaining: float) -> None:
    """Send the state of the exposure; None for a camera that has none."""
    stack = 1 if state in ("integrating", "reading") else 0
    command.info(
        exposure_state={
            "camera": command.actor.camera.name,
            "state": state,
            "image_type": exposure.image_type if exposure else "NA",
            "remaining_time": remaining,
            "exposure_time": exposure.seconds if exposure else 0.0,
            "current_stack": stack,
            "n_stack": stack,
        }
    )


@parser.command()
@click.argument("name", required=False)
@click.argument("value", required=False)
@click.option("--clear", is_flag=True, help="Switches the fault off; without a name, all.")
async def fault(command: Any, name: str | None, value: str | None, clear: bool) -> None:
    """Switches a fault of the simulation on or off; answers with those that are on.

    NAME VALUE may also be written NAME=VALUE.
    """
    faults = command.actor.camera.faults
    was_unplugged = "unplugged" in faults
    try:
        if clear:
            faults.clear(*([name] if name else []))
        elif name:
            name = faults.switch_on(name if value is None else f"{name}={value}")
    except FaultError as error:
        command.fail(error=str(error))
        return
    command.finish(fault=faults.listed())
    if was_unplugged != ("unplugged" in faults):
        how = "connected" if was_unplugged else "disconnected"
        command.actor.write("i", text=f"Camera {how}: {command.actor.camera.name}")
    if name == "stuck" and not clear:
        command.actor.stick()
