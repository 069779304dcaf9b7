"""config, keywords, completion, version, help, demo."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import yaml
from jsonschema import Draft202012Validator

from fliswarm import __version__, config, keywords

from .command import Cli


def test_the_version_and_the_help(cli: Cli) -> None:
    assert cli.good("--version", config=False) == f"fliswarm, version {__version__}\n"
    assert "Runs an observatory's cameras" in cli.good("-h", config=False)
    assert "No such command 'strat'" in cli.bad("strat", code=2, config=False)


def test_an_option_of_the_whole_command_behind_its_command_is_told_its_place(cli: Cli) -> None:
    said = cli.bad("start", "--config", "swarm.yaml", code=2, config=False)
    assert "--config stands before the command: fliswarm --config ... start" in said
    assert "No such option '--lgo'" in cli.bad("start", "--lgo", "x", code=2, config=False)


def test_a_good_configuration(cli: Cli) -> None:
    said = cli.good("config", "check", "swarm.yaml", config=False)
    assert said == "swarm.yaml: good, 1 nodes, 1 enabled\n"


def test_a_bad_configuration(cli: Cli) -> None:
    cli.content |= {"imge": "x", "enabled_nodes": ["gfa2"]}
    cli.write()
    said = cli.bad("config", "check", str(cli.file), config=False)
    assert f"{cli.file}:" in said
    assert "imge: unknown key; did you mean 'image'?" in said


def test_the_configuration_in_force(cli: Cli) -> None:
    shown = yaml.safe_load(cli.good("config", "show"))
    assert shown["nodes"]["gfa1"]["address"] == "process://"
    assert shown["nodes"]["gfa1"]["environment"]["FLISWARM_NODE"] == "gfa1"
    assert shown["state_dir"] == str(cli.state)
    assert shown["timeouts"]["silence"] == 10.0
    shown = yaml.safe_load(cli.good("config", "show", config=False))
    assert shown["file"] == config.INTERNAL


def test_the_configuration_in_force_without_secrets(cli: Cli) -> None:
    cli.content["defaults"]["environment"]["HUB_PASSWORD"] = "planted-secret"
    cli.content["defaults"]["command"] += ["--token", "planted-token"]
    cli.write()
    said = cli.good("config", "show")
    assert "planted" not in said
    assert yaml.safe_load(said)["nodes"]["gfa1"]["environment"]["HUB_PASSWORD"] == "***"


def test_in_what_two_configurations_differ(cli: Cli) -> None:
    assert cli.good("config", "diff", "swarm.yaml") == "nothing is different\n"
    other = json.loads(json.dumps(cli.content))
    other["nodes"]["gfa1"] |= {"category": "gfa", "environment": {"HUB_PASSWORD": "planted"}}
    other["actor"]["port"] = 4
    (cli.folder / "new.yaml").write_text(yaml.safe_dump(other))
    assert cli.good("config", "diff", "new.yaml").splitlines() == [
        "changed gfa1: category: '' -> gfa; environment.HUB_PASSWORD: not set -> *** "
        "(another container)",
        f"changed actor.port: {cli.port} -> 4 (needs a restart of the manager)",
    ]
    (cli.folder / "new.yaml").write_text("nodes: {gfa1: {prot: 4}}")
    assert "new.yaml:1: nodes.gfa1.prot: unknown key" in cli.bad("config", "diff", "new.yaml")


def test_the_schemas(cli: Cli) -> None:
    found = json.loads(cli.good("config", "schema", config=False))
    assert found == config.schema()
    Draft202012Validator(found).validate(cli.content)
    assert cli.good("keywords", "--actorkeys", config=False) == keywords.actorkeys()


def test_a_completion_script(cli: Cli) -> None:
    assert "_FLISWARM_COMPLETE" in cli.good("completion", "bash", config=False)


def processes(folder: Path) -> list[str]:
    """The command lines of all processes that have to do with a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            about = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(str(folder) in text for text in about):
            found.append(" ".join(about[:4]))
    return found


def test_the_demonstration_runs_whole_and_leaves_only_files(cli: Cli) -> None:
    folder = cli.folder / "demo"
    said = cli.good("demo", "--folder", "demo", "--seconds", "0.3", config=False)
    assert "contact-sheet.png" in said
    assert said.count("READY") >= 3
    assert "f " not in [line[:2] for line in said.splitlines()]
    assert len(list(folder.rglob("*.fits"))) == 3
    assert (folder / "contact-sheet.png").stat().st_size > 1000
    assert (folder / "demo.yaml").exists()
    assert processes(folder) == []


def test_a_demonstration_may_be_kept(cli: Cli) -> None:
    folder = cli.folder / "demo"
    said = cli.good("demo", "--keep", "--folder", "demo", "--seconds", "0.1", config=False)
    assert "It stays up." in said
    place = ("-c", str(folder / "demo.yaml"))
    try:
        assert cli.good(*place, "send", "status", config=False).count("READY") == 3
    finally:
        cli.good(*place, "send", "stop", config=False)
        cli.good(*place, "stop", config=False)
    assert processes(folder) == []
