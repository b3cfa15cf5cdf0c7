"""What redis-py is told for each kind of URL, and which URLs of several hosts can be read."""

import asyncio
import inspect

import pytest
import redis
import redis.asyncio

from taskpy import errors, topology
from taskpy.address import Address
from taskpy.topology import Hosts

EVERY = ["redis://h", "rediss://h", "redis+sentinel://h/m", "rediss+sentinel://h/m", "redis+cluster://h"]


@pytest.fixture
def clusters(monkeypatch):
    """The arguments of the Cluster clients that were made; redis-py's own would connect."""
    made = []

    class Cluster:
        def __init__(self, **settings):
            made.append(settings)

        def execute_command(self, *command):
            return command

        def close(self):
            made.append("closed")

    monkeypatch.setattr(redis, "RedisCluster", Cluster)
    return made


def client_of(url, **options):
    return topology.sync_client(Address(url, "argument"), 5.0, **options)


def async_client_of(url):
    async def make():
        return topology.async_client(Address(url, "argument"), 5.0)

    return asyncio.run(make())


def settings_of(url, clusters, *, block=0.0):
    client = client_of(url, block=block)
    if "+cluster" in url:
        client.execute_command("PING")
        return clusters[-1]
    return client.connection_pool.connection_kwargs


def async_settings_of(url):
    client = async_client_of(url)
    if "+cluster" in url:
        return {**client.connection_kwargs, "retry": client.retry}  # its nodes get one of their own, without any retry
    return client.connection_pool.connection_kwargs


# -- reading a URL --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("redis+sentinel://a/m", [("a", 26379)]),
        ("redis+sentinel://a:1,b,c:3/m", [("a", 1), ("b", 26379), ("c", 3)]),
        ("redis+sentinel://:p@a:1,b:2/m/3", [("a", 1), ("b", 2)]),
        ("redis+sentinel://[::1]:7,[fe80::2]/m", [("::1", 7), ("fe80::2", 26379)]),
        ("redis+sentinel://10.0.0.1:1/m?health_check_interval=3", [("10.0.0.1", 1)]),
    ],
)
def test_the_hosts_and_their_ports(url, hosts):
    assert Hosts.of(url, port=26379).hosts == hosts


@pytest.mark.parametrize(
    ("url", "service", "options"),
    [
        ("redis+sentinel://a/m", "m", {}),
        ("redis+sentinel://a/m/", "m", {}),
        ("redis+sentinel://a/m%2Fx/3", "m/x", {"db": 3}),
        ("redis+sentinel://:p%40%3A%2F%23%3F%25@a/m", "m", {"password": "p@:/#?%"}),
        ("redis+sentinel://us%3Aer:p,q@a,b/m/1", "m", {"username": "us:er", "password": "p,q", "db": 1}),
        ("redis+sentinel://user@a/m", "m", {"username": "user"}),
        ("redis+sentinel://a/m?socket_keepalive=no", "m", {"socket_keepalive": False}),
        ("rediss+sentinel://a/m", "m", {"ssl": True, "ssl_check_hostname": True}),
        (
            "rediss+sentinel://a/m?ssl_ca_certs=/ca.pem",
            "m",
            {"ssl": True, "ssl_check_hostname": True, "ssl_ca_certs": "/ca.pem"},
        ),
        ("rediss+cluster://a?ssl_cert_reqs=none", "", {"ssl": True, "ssl_cert_reqs": "none"}),
        ("redis+cluster://a:1,b:2", "", {}),
    ],
)
def test_the_service_and_the_options(url, service, options):
    found = Hosts.of(url, port=1)

    assert found.service == service
    assert found.options == options


@pytest.mark.parametrize(
    "place",
    ["h:port", "h:99999999", "h:1,k:x", "h:", ":1", "h,", "", "[::1", "h:1:2", "h/m/db"],
)
@pytest.mark.parametrize("kind", ["sentinel", "cluster"])
def test_what_cannot_be_read_is_refused_without_its_password(kind, place):
    url = f"redis+{kind}://:s3cr3t@{place}" + ("" if "/" in place else "/m")
    if place == "h:":  # as in any URL, nothing behind the colon is the default
        assert Hosts.of(url, port=7).hosts == [("h", 7)]
        return
    for make in client_of, async_client_of:
        with pytest.raises(errors.BadArguments, match=rf"redis\+{kind}://:\*\*\*@") as raised:
            make(url)
        assert "s3cr3t" not in str(raised.value)
        assert raised.value.__suppress_context__


@pytest.mark.parametrize("url", ["redis+sentinel://h", "rediss+sentinel://h:1,k:2/"])
def test_sentinels_need_a_service(url):
    for make in client_of, async_client_of:
        with pytest.raises(errors.BadArguments, match=r"names the service.*/mymaster"):
            make(url)


@pytest.mark.parametrize("url", ["redis+cluster://h/3", "rediss+cluster://h/x", "redis+cluster://h/0/1"])
def test_a_cluster_has_one_database_only(url):
    for make in client_of, async_client_of:
        with pytest.raises(errors.BadArguments, match="no databases"):
            make(url)


# -- what redis-py is told ------------------------------------------------------------------------


@pytest.mark.parametrize("url", EVERY)
def test_no_command_is_sent_twice_by_redis_py(url, clusters):
    for settings in settings_of(url, clusters), async_settings_of(url):
        assert settings["retry"]._retries == 0
        assert settings["protocol"] == 2


@pytest.mark.parametrize("url", EVERY)
def test_time_outs_leave_room_for_a_blocking_command(url, clusters):
    assert settings_of(url, clusters)["socket_timeout"] == 5
    assert settings_of(url, clusters, block=3)["socket_timeout"] == 8
    assert settings_of(url, clusters, block=3)["socket_connect_timeout"] == 5
    assert async_settings_of(url)["socket_timeout"] == async_settings_of(url)["socket_connect_timeout"] == 5


@pytest.mark.parametrize("url", EVERY)
def test_connections_are_named_after_their_process(url, clusters):
    for settings in settings_of(url, clusters), async_settings_of(url):
        assert settings["client_name"].startswith("taskpy:")


@pytest.mark.parametrize("url", EVERY)
def test_a_server_behind_tls_must_have_its_name_in_its_certificate(url, clusters):
    wanted = True if url.startswith("rediss") else None

    for settings in settings_of(url, clusters), async_settings_of(url):
        assert settings.get("ssl_check_hostname") is wanted


def test_a_certificate_is_verified_unless_the_url_says_otherwise(clusters):
    assert client_of("rediss://h").connection_pool.make_connection().cert_reqs.name == "CERT_REQUIRED"
    lax = client_of("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=false")
    assert lax.connection_pool.make_connection().cert_reqs.name == "CERT_NONE"


def test_sentinels_are_asked_over_tls_and_without_the_login_of_the_server():
    url = "rediss+sentinel://user:s3cr3t@h:1,k:2/m/3?ssl_ca_certs=/ca.pem"
    for make in client_of, async_client_of:
        pool = make(url).connection_pool
        asking = [client.connection_pool.connection_kwargs for client in pool.sentinel_manager.sentinels]

        assert [(each["host"], each["port"]) for each in asking] == [("h", 1), ("k", 2)]
        assert pool.service_name == "m"
        assert pool.connection_kwargs["password"] == "s3cr3t"
        assert pool.connection_kwargs["db"] == 3
        for each in asking:
            assert each.get("password") is None
            assert each["ssl_ca_certs"] == "/ca.pem"
            assert each["socket_timeout"] == 5
            assert each["retry"]._retries == 0
            assert each["protocol"] == 2


def test_a_cluster_is_connected_at_its_first_use(clusters):
    client = client_of("redis+cluster://user:p%40@a:1,b/")
    assert clusters == []

    assert client.execute_command("PING") == ("PING",)
    assert client.execute_command("PING") == ("PING",)

    [settings] = clusters
    assert [(node.host, node.port) for node in settings["startup_nodes"]] == [("a", 1), ("b", 6379)]
    assert (settings["username"], settings["password"]) == ("user", "p@")
    assert "db" not in settings
    client.close()
    assert clusters[1:] == ["closed"]


def test_the_settings_are_those_that_this_redis_py_knows():
    known = inspect.signature(redis.connection.AbstractConnection.__init__).parameters

    assert set(client_of("redis://h").connection_pool.connection_kwargs) <= {*known, "host"}
