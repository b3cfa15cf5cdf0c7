"""An address is shown without its password, however that is written, and what cannot be an address is refused."""

import pytest

from taskpy import address, errors
from taskpy.address import Address
from taskpy.settings import Settings


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://user@localhost", "redis://user@localhost"),
        ("redis://:s3cr3t@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("rediss://user:s3cr3t@localhost", "rediss://user:***@localhost"),
        ("redis://user:s3cr3t%40x@localhost", "redis://user:***@localhost"),
        ("redis://:s3cr3t@s3cr3t@localhost", "redis://:***@localhost"),
        ("redis://:s3cr3t:s3cr3t@localhost", "redis://:***@localhost"),
        ("redis://:s3cr3t/s3cr3t@localhost", "redis://:***@localhost"),
        ("redis://:@localhost", "redis://:***@localhost"),
        ("unix:///run/s?db=1", "unix:///run/s?db=1"),
        ("unix://user:s3cr3t@/run/s", "unix://user:***@/run/s"),
        ("unix:///run/s?password=s3cr3t&db=1", "unix:///run/s?password=***&db=1"),
        ("redis://localhost?db=1&password=s3cr3t", "redis://localhost?db=1&password=***"),
    ],
)
def test_a_password_is_never_shown(url, shown):
    assert address.shown(url) == shown
    assert str(Address(url, "argument")) == f"{shown} (argument)"
    assert "s3cr3t" not in repr(Address(url, "argument"))
    assert address.has_password(url) is (url != shown)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://:s3cr3t@localhost",
        "://x",
        "redis://:s3cr3t/x@localhost",
        "redis://:s3cr3t@localhost:port",
        "redis://:s3cr3t@localhost:99999999",
        "redis://:s3cr3t@[::1/0",
    ],
)
def test_what_is_no_url_is_refused_without_its_password(url):
    with pytest.raises(errors.BadArguments) as raised:
        address.resolve(url, Settings.from_env({"HOME": "/h", "TASKPY_HOME": "/h"}))

    assert "s3cr3t" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize(("url", "expected"), [("memory://", True), ("memory://x", True), ("redis://memory", False)])
def test_memory_is_told_from_a_server(url, expected):
    assert Address(url, "argument").in_memory is expected
