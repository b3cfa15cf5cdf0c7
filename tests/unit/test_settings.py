"""What the environment says."""

import sys
from pathlib import Path

import pytest

from taskpy import errors
from taskpy.settings import Settings


def settings(**env):
    return Settings.from_env(env)


def test_an_empty_environment_has_defaults(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")

    made = settings()

    assert (made.url, made.url_from, made.namespace, made.server) == (None, None, "taskpy", None)
    assert made.embedded is True
    assert made.grace == 30.0
    assert made.home == Path("~/.local/state/taskpy")


@pytest.mark.parametrize(
    ("env", "url", "source"),
    [
        ({"TASKPY_REDIS_URL": "redis://a", "REDIS_URL": "redis://b"}, "redis://a", "TASKPY_REDIS_URL"),
        ({"REDIS_URL": "redis://b"}, "redis://b", "REDIS_URL"),
        ({"TASKPY_REDIS_URL": "", "REDIS_URL": "redis://b"}, "redis://b", "REDIS_URL"),
        ({"TASKPY_REDIS_URL": "", "REDIS_URL": ""}, None, None),
    ],
)
def test_where_redis_is(env, url, source):
    made = settings(**env)

    assert (made.url, made.url_from) == (url, source)


@pytest.mark.parametrize(("text", "value"), [("x", "x"), ("", "taskpy")])
def test_the_namespace(text, value):
    assert settings(TASKPY_NAMESPACE=text).namespace == value


def test_the_home_of_a_local_server(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert settings(TASKPY_HOME="/h").home == Path("/h")
    assert settings(XDG_STATE_HOME="/s").home == Path("/s/taskpy")

    monkeypatch.setattr(sys, "platform", "darwin")
    assert settings().home == Path("~/Library/Application Support/taskpy")


@pytest.mark.parametrize("text", ["0", "no", "off", "false", "OFF", "False"])
def test_the_local_server_can_be_forbidden(text):
    assert settings(TASKPY_EMBEDDED=text).embedded is False


@pytest.mark.parametrize("text", ["1", "yes", "on", "true", "TRUE", ""])
def test_the_local_server_can_be_allowed(text):
    assert settings(TASKPY_EMBEDDED=text).embedded is True


@pytest.mark.parametrize(
    ("name", "text"), [("TASKPY_EMBEDDED", "maybe"), ("TASKPY_EMBEDDED_GRACE", "soon"), ("TASKPY_EMBEDDED_GRACE", "1s")]
)
def test_what_cannot_be_read_is_named(name, text):
    with pytest.raises(errors.BadArguments, match=f"{name}.*{text}"):
        settings(**{name: text})


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("2.5", 2.5), ("", 30.0)])
def test_the_grace_of_a_local_server(text, seconds):
    assert settings(TASKPY_EMBEDDED_GRACE=text).grace == seconds


def test_colours_can_be_taken_away():
    assert settings().colours
    assert not settings(NO_COLOR="1").colours


def test_the_path_of_a_server_is_taken_as_it_is():
    assert settings(TASKPY_REDIS_SERVER="/opt/my server").server == "/opt/my server"
