"""Another configuration on real engines: only what is different is touched."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.testbed.testbed import Testbed

from .manager import Manager, keyword
from .test_swarm import marks

pytestmark = pytest.mark.testbed


def change(manager: Manager, **environment: Any) -> None:
    content = yaml.safe_load(manager.config.read_text())
    content["nodes"]["gfa2"].setdefault("environment", {}).update(environment)
    manager.config.write_text(yaml.safe_dump(content, sort_keys=False))


async def test_a_changed_variable_replaces_one_container_and_only_with_apply(
    manager: Manager, testbed: Testbed
) -> None:
    await manager.send("reconnect")
    before = marks(testbed)
    assert keyword(await manager.send("status"), "configDiffers") == []
    change(manager, GAIN=3)
    replies = await manager.send("reload")
    assert replies[-1].code == ":"
    assert marks(testbed) == before
    assert [v[0] for v in keyword(await manager.send("status"), "configDiffers")] == ["gfa2"]
    replies = await manager.send("reload --apply")
    assert [v[:2] for v in keyword(replies, "verdict")] == [["gfa2", "ok"]]
    after = marks(testbed)
    assert after["gfa2"][0] != before.pop("gfa2")[0]
    assert {node: after[node] for node in before} == before
    made = testbed.client("gfa2").containers.get("flicamera-gfa2").attrs
    assert "GAIN=3" in made["Config"]["Env"]
    assert keyword(await manager.send("status"), "configDiffers") == []
