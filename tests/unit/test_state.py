"""The state of a node: one pure function, and this table is what it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fliswarm.engine import Found
from fliswarm.errors import CameraSilent, EngineUnreachable, Layer, NodeError
from fliswarm.state import Facts, State, compute

REFUSED = EngineUnreachable("gfa1", "connection refused", tried="list the containers")
SILENT = CameraSilent("gfa1", "answers nothing", tried="ping", seconds=10.0)


def found(state: str = "running", **more: Any) -> Found:
    return Found("0123456789abcdef", "flicamera-gfa1", "flicamera:latest", state, **more)


WELL = Facts(engine_ok=True, host_ok=True, container=found(), ours=True, camera_ok=True)
NO_ENGINE = Facts(engine_ok=False, engine_error=REFUSED, host_ok=True)
DEAD = replace(WELL, camera_ok=False, container=found("exited", exit_code=3), end="exit code 3")

TABLE = [
    # facts, state, layer, what the cause says
    (WELL, State.READY, Layer.NONE, ""),
    (replace(WELL, enabled=False), State.DISABLED, Layer.NONE, "disabled"),
    (Facts(), State.UNKNOWN, Layer.NONE, "not looked at yet"),
    (replace(WELL, operation="reconnect"), State.STARTING, Layer.NONE, "reconnect is under way"),
    (replace(DEAD, operation="stop"), State.STARTING, Layer.NONE, "stop is under way"),
    # the engine
    (NO_ENGINE, State.UNREACHABLE, Layer.ENGINE, "list the containers: connection refused"),
    (replace(NO_ENGINE, engine_error=None), State.UNREACHABLE, Layer.ENGINE, "does not answer"),
    (replace(NO_ENGINE, host_ok=None), State.UNREACHABLE, Layer.ENGINE, "connection refused"),
    (replace(NO_ENGINE, host_ok=False), State.UNREACHABLE, Layer.HOST, "the host answers no ping"),
    (replace(NO_ENGINE, camera_ok=True), State.DEGRADED, Layer.ENGINE, "the camera answers, the"),
    (replace(NO_ENGINE, camera_ok=True, camera_late=True, host_ok=False), State.UNREACHABLE,
     Layer.HOST, "the host answers no ping"),
    (replace(WELL, engine_ok=False), State.DEGRADED, Layer.ENGINE, "the engine does not"),
    # the container
    (replace(WELL, container=None, camera_ok=False), State.STOPPED, Layer.CONTAINER,
     "there is no container"),
    (replace(WELL, container=None), State.DEGRADED, Layer.CONTAINER, "there is no container"),
    (replace(WELL, container=found("paused")), State.FAILED, Layer.CONTAINER, "is paused"),
    (DEAD, State.FAILED, Layer.CONTAINER, "exited: exit code 3"),
    (replace(DEAD, container=found("dead")), State.FAILED, Layer.CONTAINER, "is dead"),
    (replace(DEAD, container=found("created")), State.STOPPED, Layer.CONTAINER, "never started"),
    (replace(DEAD, stopped=True), State.STOPPED, Layer.CONTAINER, "stopped by command"),
    (replace(DEAD, camera_ok=True), State.DEGRADED, Layer.CONTAINER, "the container is exited"),
    (replace(WELL, ours=False), State.DEGRADED, Layer.CONTAINER, "not ours"),
    (replace(WELL, ours=False, foreign="made by hand"), State.DEGRADED, Layer.CONTAINER,
     "made by hand"),
    # the camera actor
    (replace(WELL, camera_ok=False, starting=True), State.STARTING, Layer.ACTOR, "is starting"),
    (replace(WELL, no_camera=True), State.FAILED, Layer.CAMERA, "no camera is connected"),
    (replace(WELL, no_camera=True, starting=True), State.STARTING, Layer.CAMERA, "found no camera"),
    (replace(WELL, camera_ok=False), State.FAILED, Layer.ACTOR, "the camera actor does not"),
    (replace(WELL, camera_ok=False, camera_error=SILENT), State.FAILED, Layer.ACTOR,
     "ping: answers nothing after 10 s"),
    (replace(WELL, camera_late=True), State.READY, Layer.NONE, ""),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "state", "layer", "words"), TABLE)
def test_the_table(facts: Facts, state: State, layer: Layer, words: str) -> None:
    seen = compute(facts)
    assert seen[:2] == (state, layer)
    assert words in seen[2]


def test_the_table_holds_every_state_and_every_layer_that_a_node_can_have() -> None:
    assert {state for _, state, _, _ in TABLE} == set(State)
    assert {layer for _, _, layer, _ in TABLE} == set(Layer)


REASONS = st.text("abc xyz", min_size=1).filter(str.strip)
ERRORS = st.none() | st.builds(NodeError, st.just("gfa1"), REASONS)
CONTAINERS = st.none() | st.builds(
    found,
    st.sampled_from(["created", "running", "paused", "restarting", "removing", "exited", "dead"])
    | st.text(max_size=5),
    exit_code=st.none() | st.integers(0, 255),
    oom_killed=st.booleans(),
)
FACTS = st.builds(
    Facts,
    enabled=st.booleans(),
    operation=st.sampled_from(["", "", "", "reconnect"]),
    engine_ok=st.none() | st.booleans(),
    engine_error=ERRORS,
    host_ok=st.none() | st.booleans(),
    container=CONTAINERS,
    ours=st.booleans(),
    foreign=st.sampled_from(["", "made by hand"]),
    stopped=st.booleans(),
    end=st.text(max_size=10),
    camera_ok=st.booleans(),
    camera_late=st.booleans(),
    camera_error=ERRORS,
    starting=st.booleans(),
    no_camera=st.booleans(),
)


@given(FACTS)
def test_any_facts_have_a_state_a_layer_and_a_cause(facts: Facts) -> None:
    state, layer, cause = compute(facts)
    assert isinstance(state, State)
    assert isinstance(layer, Layer)
    assert bool(cause) == (state is not State.READY)


@given(FACTS)
def test_a_disabled_node_is_disabled_whatever_else_is_known(facts: Facts) -> None:
    assert (compute(facts)[0] is State.DISABLED) == (not facts.enabled)


@given(FACTS)
@example(WELL)
@example(replace(WELL, no_camera=True))
def test_a_node_is_ready_when_all_of_it_is_well_and_only_then(facts: Facts) -> None:
    well = (
        facts.enabled
        and not facts.operation
        and facts.engine_ok
        and facts.container is not None
        and facts.container.running
        and facts.ours
        and facts.camera_ok
        and not facts.no_camera
    )
    assert (compute(facts)[0] is State.READY) == bool(well)


@given(FACTS)
def test_a_camera_that_does_not_answer_never_looks_healthy(facts: Facts) -> None:
    state = compute(replace(facts, camera_ok=False))[0]
    assert state not in (State.READY, State.DEGRADED)


@given(FACTS)
def test_what_is_bad_names_a_layer(facts: Facts) -> None:
    state, layer, _ = compute(facts)
    quiet = (State.READY, State.DISABLED, State.UNKNOWN, State.STARTING)
    assert layer is not Layer.NONE or state in quiet
