"""Docker's part, played by folders and processes: builds a Dockerfile, and runs the services of a compose file.

An image is a folder that the steps of its file fill, one by one; a container is a process with a home and a temporary
folder of its own; the server is reached at a port of 127.0.0.1. Accounts, users and limits are not played.
"""

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import yaml

from tests.system.servers import free_port, server_program
from tests.system.waiting import until

#: Stands for the server's own client where none is installed: the port, and a command.
CLIENT = """
import sys, redis
print(redis.Redis(port=int(sys.argv[1])).execute_command(*[word for word in sys.argv[2:] if word != "-e"]))
"""
#: A path of the image in a command: a slash at the beginning of a word or of a value.
ABSOLUTE = re.compile(r"""(?<![^\s"'=:])/(?=\w)""")


def programs(image, folder, port):
    """What a base image brings along: the name of each program, and the local command that stands for it."""
    client = shutil.which("valkey-cli") or shutil.which("redis-cli")
    return {
        "python": {
            "pip": [sys.executable, "-m", "pip", "--python", folder / "usr/local/bin/python"],
            "useradd": ["true"],
        },
        "valkey/valkey": {
            "valkey-server": [server_program(), "--port", port, "--bind", "127.0.0.1"],
            "valkey-cli": [client, "-p", port] if client else [sys.executable, "-c", CLIENT, port],
        },
    }[image.partition(":")[0]]


@dataclass(frozen=True, kw_only=True)
class Image:
    """A folder, and what its file says of the processes that run in it."""

    folder: Path
    env: dict = field(default_factory=dict)
    workdir: str = "/"
    user: str = "root"
    entrypoint: tuple = ()
    command: tuple = ()
    check: tuple = ()
    stop: str = "SIGTERM"

    @classmethod
    def base(cls, name, folder, *, port=0):
        """An image from a registry."""
        bin_folder = folder / "usr/local/bin"
        bin_folder.mkdir(parents=True)
        if name.startswith("python:"):
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "usr/local"], check=True)
        for program, command in programs(name, folder, port).items():
            (bin_folder / program).write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n')
            (bin_folder / program).chmod(0o755)
        env = {"PATH": f"{bin_folder}:/usr/bin:/bin", "HOME": str(folder)}
        return cls(folder=folder, env=env, workdir="/data" if name.startswith("valkey/") else "/")

    def path(self, inside=""):
        """Where a path of the image is here."""
        return self.folder / str(PurePosixPath(self.workdir) / inside).lstrip("/")

    def localized(self, text):
        """The text, with the image's folder before its absolute paths."""
        return ABSOLUTE.sub(f"{self.folder}/", text)

    def run(self, *command, **env):
        """Run a command in the image to its end."""
        self.path().mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            command, cwd=self.path(), env=self.env | env, capture_output=True, text=True, check=False, timeout=60
        )


# -- building -------------------------------------------------------------------------------------


def instructions(dockerfile):
    """The instructions of a Dockerfile, each with what stands behind it."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE).replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]


def build_context(root):
    """The files that a build sees, by .dockerignore: of the patterns that match a file or a parent, the last counts."""
    lines = (root / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]

    def kept_out(path):
        out = False
        for pattern in patterns:
            expression = re.escape(pattern.lstrip("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
            if re.match(f"{expression}(/|$)", path):
                out = not pattern.startswith("!")
        return out

    found = []
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        if here == Path():  # large, and never wanted
            folders[:] = [name for name in folders if name not in {".git", ".venv"}]
        found += [here / name for name in files]
    return [path for path in found if not kept_out(path.as_posix())]


class Build:
    """The stages of one Dockerfile. One folder is always the stage at work; it moves aside when a new one begins."""

    def __init__(self, root, dockerfile, folder, **env):
        self._root, self._folder, self._env = root, folder, env
        self._context = build_context(root)
        self.stages = {}
        self.image = None
        for word, rest in instructions((root / dockerfile).read_text()):
            self._step(word, rest)

    def _step(self, word, rest):
        match word:
            case "FROM":
                self._begin(*rest.split(" AS "))
            case "COPY":
                self._copy(*rest.split())
            case "RUN":
                self._run(rest)
            case "ENV":
                env = dict(pair.split("=", 1) for pair in shlex.split(self.image.localized(rest)))
                self._set(env=self.image.env | env)
            case "WORKDIR" | "USER":
                self._set(**{word.lower(): rest})
            case "STOPSIGNAL":
                self._set(stop=rest)
            case "ENTRYPOINT":
                self._set(entrypoint=tuple(json.loads(rest)))
            case "CMD":
                self._set(command=tuple(json.loads(rest)))
            case "HEALTHCHECK":
                self._set(check=tuple(json.loads(rest.partition("CMD ")[2])))
            case _:
                raise AssertionError(f"teach tests/containers.py what {word} does")

    def _set(self, **changes):
        self.image = dataclasses.replace(self.image, **changes)
        self.stages[self._name] = self.image

    def _begin(self, source, name):
        if self.image is not None and source == self._name:
            self._name = name
            return
        assert source not in self.stages, "a stage can go on from the one before it only: their folder is the same"
        if self.image is not None:
            aside = self._folder / self._name
            self.image.folder.rename(aside)
            self._set(folder=aside)
        self._name = name
        self.image = Image.base(source, self._folder / "now")

    def _copy(self, *words):
        *sources, target = words
        for source in map(Path, sources):
            files = [path for path in self._context if path == source or source in path.parents]
            assert files, f"COPY: the build sees no {source}"
            for path in files:
                below = path.relative_to(source) if path != source else Path(path.name if target.endswith("/") else "")
                goal = self.image.path(target) / below
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self._root / path, goal)

    def _run(self, rest):
        mounts = re.findall(r"--mount=type=bind,from=(\w+),source=(\S+),target=(\S+)", rest)
        for stage, source, target in mounts:
            self.image.path(target).symlink_to(self.stages[stage].path(source))
        command = self.image.localized(re.sub(r"--mount=\S+\s+", "", rest))
        done = self.image.run("sh", "-c", command, **self._env)
        assert done.returncode == 0, f"RUN {command}\n{done.stdout}{done.stderr}"
        for _, _, target in mounts:
            self.image.path(target).unlink()


# -- running --------------------------------------------------------------------------------------


class Container:
    """One process of an image."""

    def __init__(self, image, command, folder, env, *, check=(), grace=10.0):
        folder.mkdir(parents=True, exist_ok=True)
        self._image, self._check, self._grace = image, check, grace
        self._env = {"HOME": str(folder), "TMPDIR": str(folder)} | env
        self._log = folder / "log"
        image.path().mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=image.path(),
                env=image.env | self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self):
        """What it has written."""
        return self._log.read_text()

    def run(self, *command):
        """Run another command in it, as `docker exec` does."""
        return self._image.run(*command, **self._env)

    def healthy(self):
        """Whether it runs, and its health check says so."""
        assert self.process.poll() is None, f"it has ended: {self.log}"
        return self.run(*self._check).returncode == 0

    def ask_stop(self):
        """Send it the signal that ends it."""
        os.kill(self.process.pid, signal.Signals[self._image.stop])

    def ended(self):
        """Wait for its end as long as it is given; the exit code."""
        until(lambda: self.process.poll() is not None, lambda: f"its end; {self.log}", seconds=self._grace)
        return self.process.returncode

    def close(self):
        """End it and its children, which are in its process group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


class Stack:
    """The services of a compose file, with the images that were built for them."""

    def __init__(self, compose, folder, built):
        self.services = yaml.safe_load(compose.read_text())["services"]
        self._folder, self._built = folder, built
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._image = {name: self._image_of(name) for name in self.services}
        self.containers = {}

    def _image_of(self, name):
        service = self.services[name]
        if "build" in service:
            return self._built
        return Image.base(service["image"], self._folder / f"image-{name}", port=self._port)

    def up(self):
        """Start every service without a profile, and wait until all are healthy."""
        for name, service in self.services.items():
            if "profiles" not in service:
                self._start(name)
        for containers in self.containers.values():
            self._wait_healthy(containers)
        return self

    def _start(self, name):
        if name in self.containers:
            return
        for other, wanted in self.services[name].get("depends_on", {}).items():
            self._start(other)
            assert wanted == {"condition": "service_healthy"}
            self._wait_healthy(self.containers[other])
        replicas = self.services[name].get("deploy", {}).get("replicas", 1)
        self.containers[name] = []
        for number in range(replicas):
            self.containers[name].append(self._container(name, f"{name}-{number}"))

    def _container(self, name, label):
        service, image = self.services[name], self._image[name]
        check = service.get("healthcheck", {}).get("test", ["CMD", *image.check])[1:]
        return Container(
            image,
            self._command(name),
            self._folder / label,
            self._env(name),
            check=check,
            grace=seconds(service["stop_grace_period"]),
        )

    def _wait_healthy(self, containers):
        for container in containers:
            until(container.healthy, lambda container=container: f"its health; {container.log}")

    def _command(self, name):
        service, image = self.services[name], self._image[name]
        if "entrypoint" in service:
            return [*service["entrypoint"], *service.get("command", ())]
        return [*image.entrypoint, *service.get("command", image.command)]

    def _env(self, name):
        env = self.services[name].get("environment", {})
        return {key: value.replace("//server:6379", f"//127.0.0.1:{self._port}") for key, value in env.items()}

    def ask(self, name, text):
        """Run a service of its own, as `docker compose run` does, and type the text into it; what it prints."""
        image, command = self._image[name], self._command(name)
        env = image.env | self._env(name)
        done = subprocess.run(
            command, input=text, cwd=image.path(), env=env, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self):
        """End what still runs."""
        for containers in self.containers.values():
            for container in containers:
                container.close()


def seconds(text):
    """A duration of a compose file, such as 60s."""
    return float(re.fullmatch(r"(\d+)s", text)[1])
