"""Secrets are taken out of configurations, of an engine's answers and of text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fliswarm import config
from fliswarm.config import redact

ROOT = Path(__file__).parents[2]
PLANTED = [f"planted-{number}-secret" for number in range(13)]
FILE = f"""
registry: registry.example.org:5000
volumes:
  data:
    opts: {{type: cifs, o: "username=obs,password={PLANTED[0]},rw,vers=3.0", device: //nas/data}}
  more:
    opts: {{type: cifs, o: "credentials={PLANTED[1]},ro", device: //nas/more}}
defaults:
  command: [camera, --name, "{{node}}", --password, {PLANTED[2]}, "--token={PLANTED[3]}", --deep]
  environment:
    HUB_PASSWORD: {PLANTED[4]} with blanks
    S3_SECRET: {PLANTED[5]}
    apiToken: {PLANTED[6]}
    ACCESS_KEY: {PLANTED[7]}
    LDAP_CREDENTIALS: {PLANTED[8]}
    PROXY: http://jose:{PLANTED[9]}@proxy:3128/
    BASIC_AUTH: {PLANTED[10]}
    GREETING: hello {PLANTED[5]} you
    TZ: UTC
    AUTHOR: Jose
    KEYBOARD: de
    TOKEN_FILE: /run/secrets/token
power: {{actor: strip, command: {{poweron: "on --passwd {PLANTED[11]}", poweroff: "off"}}}}
reboot_command: sudo -n reboot
nodes:
  gfa1: {{host: gfa1, environment: {{NIGHT_PASSWD: {PLANTED[12]}, PIN_KEY: 1234567}}}}
"""


def leaks(shown: Any) -> list[str]:
    text = json.dumps(shown, default=str)
    return [secret for secret in (*PLANTED, "1234567") if secret in text]


def test_no_planted_secret_is_shown_of_a_resolved_configuration() -> None:
    shown = redact.show(config.loads(FILE))
    assert leaks(shown) == []
    node = shown["nodes"]["gfa1"]
    assert node["environment"]["TZ"] == "UTC"
    assert node["environment"]["AUTHOR"] == "Jose"
    assert node["environment"]["KEYBOARD"] == "de"
    assert node["environment"]["TOKEN_FILE"] == "/run/secrets/token"
    assert node["environment"]["HUB_PASSWORD"] == "***"
    assert node["environment"]["GREETING"] == "hello *** you"
    assert node["environment"]["PROXY"] == "http://jose:***@proxy:3128/"
    words = ["camera", "--name", "gfa1", "--password", "***", "--token=***", "--deep"]
    assert node["command"] == words
    assert node["volumes"][0]["opts"]["o"] == "username=obs,password=***,rw,vers=3.0"
    assert node["volumes"][1]["opts"]["o"] == "credentials=***,ro"
    assert node["power"]["command"]["poweron"] == "on --passwd ***"


def test_nor_of_a_raw_one() -> None:
    raw = yaml.safe_load(FILE)
    before = json.dumps(raw)
    assert leaks(redact.redact(raw)) == []
    assert json.dumps(raw) == before


def test_a_configuration_without_secrets_stays_as_it_is() -> None:
    raw = yaml.safe_load((ROOT / "etc" / "observatory.yaml").read_text())
    assert redact.redact(raw) == raw
    tls = {"tls": {"ca": "/etc/ca.pem", "cert": "/etc/cert.pem", "key": "/etc/key.pem"}}
    assert redact.redact(tls) == tls


def test_nor_of_what_an_engine_shows() -> None:
    inspected = {
        "Config": {
            "Env": [
                "TZ=UTC",
                f"HUB_PASSWORD={PLANTED[0]} and, more",
                f"URL=ftp://u:{PLANTED[1]}@h",
            ],
            "Cmd": ["camera", "--secret", PLANTED[2]],
            "Labels": {"org.fliswarm.node": "gfa1", "deploy.token": PLANTED[3]},
        },
        "HostConfig": {
            "Mounts": [
                {"VolumeOptions": {"DriverConfig": {"Options": {"o": f"pass={PLANTED[4]},rw"}}}}
            ]
        },
        "Args": [f"--token={PLANTED[5]}"],
        "State": {"Error": f"mount failed: password={PLANTED[4]}", "Pid": 12, "OOMKilled": False},
        "IdentityToken": "",
        "Secrets": None,
    }
    shown = redact.redact(inspected)
    assert leaks(shown) == []
    assert shown["Config"]["Env"][:2] == ["TZ=UTC", "HUB_PASSWORD=***"]
    assert shown["State"] == {"Error": "mount failed: password=***", "Pid": 12, "OOMKilled": False}
    assert shown["Secrets"] is None
    assert shown["IdentityToken"] == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("login --password hunter2 -v", "login --password *** -v"),
        ("login --token=hunter2 -v", "login --token=*** -v"),
        ("login --password 'hunter 2' -v", "login --password '***' -v"),
        ("['login', '--password', 'hunter2', '-v']", "['login', '--password', '***', '-v']"),
        ("PASSWORD=hunter2 camera", "PASSWORD=*** camera"),
        ('{"Env": ["PASSWORD=hunter2"], "a": 1}', '{"Env": ["PASSWORD=***"], "a": 1}'),
        ('{"password": "hunter2", "a": 1}', '{"password": "***", "a": 1}'),
        ("{'api_key': 'hunter2', 'a': 1}", "{'api_key': '***', 'a': 1}"),
        ("HUB_KEY: hunter2", "HUB_KEY: ***"),
        ("Authorization: Basic aHVudGVyMg==", "Authorization: ***"),
        ("pull http://jose:hunter2@hub:5000/x: no", "pull http://jose:***@hub:5000/x: no"),
        ("clone https://hunter2@github.com/x", "clone https://***@github.com/x"),
        ("https://a:hun@ter/2@h", "https://a:***@h"),
        ("a -----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----", None),
        ("mount: o=addr=nas,password=hunter2,rw", None),
        ("login --token --verbose", "login --token --verbose"),
        ("ssh://observer@gfa1:22 and tcp://gfa1:2375,ssh://a@b", None),
        ("nodes.gfa1.tls.key: cannot read /etc/key.pem: no such file", None),
        ("the key is not right; OBSERVATORY=APO", None),
    ],
)  # fmt: skip
def test_text(text: str, shown: str | None) -> None:
    found = redact.redact_text(text)
    assert "hunter" not in found
    if shown is not None or "hunter" not in text:
        assert found == (shown or text)
    assert redact.redact_text(found) == found


def test_known_secrets_are_hidden_in_text_where_no_name_says_so() -> None:
    known = redact.find_secrets(config.loads(FILE))
    assert set(PLANTED[2:4]) <= set(known)
    assert redact.redact_text(f"refused {PLANTED[2]}!", known) == "refused ***!"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_whatever_it_is_given_it_answers(value: Any) -> None:
    once = redact.redact({"a": value, "--token": value})
    assert redact.redact(once) == once
