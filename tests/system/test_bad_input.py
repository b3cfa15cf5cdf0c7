"""What is wrong is refused with a clear word, where it is wrong, and costs nobody else anything: the worker lives on."""

import signal
import socket
import subprocess
import sys
import time
import uuid

import psutil
import pytest
from taskpy_worker.config import WorkerConfig
from taskpy_worker.worker import running_here

import taskpy
from taskpy import codec, errors, ops
from taskpy.keys import Keys
from taskpy.space import Space
from taskpy.spec import TaskSpec
from tests.system.daemons import environment
from tests.system.servers import Server, free_port
from tests.system.waiting import until

PASSWORD = "s3cr3t%2Fw0rd"
PLAIN_PASSWORD = "s3cr3t/w0rd"


@pytest.fixture(scope="module")
def worker(module_fleet):
    """The worker that all of this is done to."""
    return module_fleet.worker(concurrency=20)


@pytest.fixture(scope="module", autouse=True)
def hopeless(module_fleet):
    """A worker whose server is not there. It tries for ten seconds, which need not be waited for."""
    return module_fleet.worker(ready=False, url=f"redis://127.0.0.1:{free_port()}/0")


@pytest.fixture
def fleet(module_fleet, worker):
    """The namespace of the worker. After each test it must still do its work, in the same process."""
    before = worker.children()
    yield module_fleet
    assert module_fleet.submit("echo", "still here").get(30) == ["still here"]
    assert worker.children() == before
    assert "Traceback" not in worker.log, worker.log


@pytest.fixture
def keys(fleet):
    return Keys(fleet.namespace)


def pushed_by_hand(fleet, spec, *, name="steered.echo"):
    """A task whose spec did not come from taskpy."""
    id = uuid.uuid4().hex
    submission = ops.submit(Keys(fleet.namespace), id=id, queue="default", name=name, spec=spec)
    assert fleet.client.space.broker.run(submission) == "new"
    return fleet.client.attach(id)


# -- what a client can see at once ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"model": object()}, r"kwargs\['value'\]\['model'\].*object"),
        ([1, {2: {3, 4}, "x": lambda: None}], r"kwargs\['value'\]\[1\]\['x'\].*function"),
        ("\ud800", r"kwargs\['value'\]"),
    ],
)
def test_a_value_that_cannot_be_sent_is_named_by_its_place(fleet, value, place):
    with pytest.raises(errors.NotSendable, match=place):
        fleet.submit("echo", value=value)


def test_a_message_that_cannot_be_sent_is_named_by_its_place(fleet):
    task = fleet.submit("converse")
    fleet.wait_for_starts([task])

    with pytest.raises(errors.NotSendable, match=r"message\['a'\]\[0\].*socket"), socket.socket() as unsendable:
        task.send({"a": [unsendable]})

    assert task.stop(timeout=20) == "succeeded"
    assert task.result == []


def test_a_message_of_five_megabytes_is_refused_before_it_is_sent(fleet):
    task = fleet.submit("converse")
    fleet.wait_for_starts([task])

    with pytest.raises(errors.TooLarge, match=r"message.*1,048,576"):
        task.send(b"x" * 5_000_000)

    task.send("small")
    assert task.stop(timeout=20) == "succeeded"
    assert task.result == ["small"]


def test_arguments_of_five_megabytes_are_refused_before_they_are_sent(fleet):
    with pytest.raises(errors.TooLarge, match="4,194,304"):
        fleet.submit("echo", b"x" * 5_000_000)


def test_an_inbox_that_is_full_says_so_and_takes_more_when_there_is_room(fleet):
    task = fleet.submit("deaf")
    fleet.wait_for_starts([task])
    for number in range(1000):
        task.send(number)

    with pytest.raises(errors.Full):
        task.send("one too many", timeout=0.1)
    with pytest.raises(errors.Full):
        task.send("one too many", block=False)

    assert task.stop(timeout=20) == "succeeded"
    with pytest.raises(errors.TaskEnded):
        task.send("too late")


@pytest.mark.parametrize("id", ["00" * 12, "no-such-task"])
def test_an_id_that_does_not_exist_is_not_found_at_its_first_use(fleet, id):
    for use in (
        lambda task: task.state,
        lambda task: task.get(1),
        lambda task: task.wait(1),
        lambda task: task.send(1),
        lambda task: task.recv(timeout=1),
        lambda task: task.stop(),
        lambda task: task.exception,
    ):
        with pytest.raises(errors.TaskNotFound, match=f"{id}.*{fleet.namespace}.*{fleet.server.folder}"):
            use(fleet.client.attach(id))


@pytest.mark.parametrize("id", ["", "a b", "{x}", "x" * 65, "\n", None, 3])
def test_what_cannot_be_an_id_is_refused_at_once(fleet, id):
    with pytest.raises(errors.BadName, match="id"):
        fleet.client.attach(id)


def test_two_who_attach_at_once_do_not_disturb_each_other(fleet):
    task = fleet.submit("converse")
    handles = [fleet.client.attach(task.id) for _ in range(2)]

    assert [handle.recv(timeout=20) for handle in handles] == ["begun", "begun"]
    for handle in handles:
        handle.send("hello")
    assert [handle.recv(timeout=20) for handle in handles] == [["heard", "hello"]] * 2
    assert [handle.stop(timeout=20) for handle in handles] == ["succeeded"] * 2
    assert [handle.result for handle in handles] == [["hello", "hello"]] * 2


# -- what only the worker can see -----------------------------------------------------------------


def test_an_unknown_name_is_given_back_for_a_while_and_then_fails(shared_server):
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    with taskpy.Client(shared_server.url, namespace=namespace) as client:
        space = Space(shared_server.url, namespace=namespace, timeout=None)
        config = WorkerConfig(unknown_delay=0.05, unknown_limit=3, block=0.2)
        worker = running_here(config, space, wid="here", lease=15)
        try:
            task = client.submit("nobody.knows_this")
            with pytest.raises(errors.UnknownTask, match=r"nobody\.knows_this"):
                task.get(20)
        finally:
            worker.close()
            space.close()
        assert [event.word for event in client.events(task.id)] == ["unknown"] * 3


def test_an_unknown_name_waits_for_a_worker_that_knows_it(fleet, worker):
    task = fleet.client.submit("nobody.knows_this")
    until(lambda: worker.lines("given back", task.id), "the worker to give it back")

    assert worker.lines("WARNING", task.id, "no worker of queue 'default' knows")
    assert task.stop() == "stopped"


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, "missing"),
        ((1,), {}, "second"),
        ((1, 2), {"second": 3}, "too many positional"),
        ((1,), {"second": 2, "third": 3}, "third"),
    ],
)
def test_wrong_arguments_by_name_fail_and_say_which(fleet, args, kwargs, text):
    task = fleet.submit("takes_two", *args, options={"retries": 3}, **kwargs)

    with pytest.raises(errors.BadArguments, match=f"takes_two.*{text}"):
        task.get(20)
    assert not fleet.client.events(task.id), "what can never be right was tried again"


@pytest.mark.parametrize("spec", [b"", b"\xff\x00garbage", b"x" * 5_000_000, codec.dumps([1]), codec.dumps({"v": 1})])
def test_a_spec_of_garbage_fails(fleet, spec):
    with pytest.raises(errors.Malformed):
        pushed_by_hand(fleet, spec).get(20)


def test_a_spec_of_a_newer_taskpy_waits_for_a_newer_worker(fleet, worker):
    newer = codec.dump_spec(TaskSpec("steered.echo")).replace(b"\xa1v\x01", b"\xa1v\x07")
    task = pushed_by_hand(fleet, newer)

    until(lambda: worker.lines("given back", task.id), "the worker to give it back")

    assert worker.lines("WARNING", task.id, "newer taskpy")
    assert task.stop() == "stopped"


def test_garbage_in_the_queue_is_dropped(fleet, keys):
    redis = fleet.server.client
    garbage = [b"\xff\xfe", b"", b"#", b"{x}:t:y", b"x" * 5000, b"unknown-id", b"a b\r\nc"]
    redis.lpush(keys.queue("default"), *garbage)
    redis.lpush(keys.bell("default"), b"\xff garbage")

    until(lambda: not redis.exists(keys.queue("default")), "the queue to be empty")


@pytest.mark.parametrize(
    "fields",
    [
        {"att": "x"},
        {"ibx": "1-99999999999"},
        {"ib": "x"},
        {"in": "x"},
        {"on": "-5"},
        {"ck": "x"},
        {"unk": "9" * 5000},
        {"ret": "\xff"},
        {"crash": "1e5"},
        {"stop": "why", "then": "kill", "until": "x"},
        {"spec": "\xff"},
    ],
)
def test_a_task_of_garbage_costs_the_others_of_its_claim_nothing(fleet, keys, fields):
    redis = fleet.server.client
    fleet.client.pause("default")
    first, bad, last = fleet.submit("echo", 1), fleet.submit("echo", 2), fleet.submit("echo", 3)
    redis.hset(keys.task(bad.id), mapping=fields)
    fleet.client.resume("default")

    assert (first.get(20), last.get(20)) == ([1], [3])
    assert bad.wait(20)
    if fields.keys().isdisjoint({"att", "stop"}):  # which is counted anew; which an echo may not live to hear
        assert bad.state == "failed"


def test_an_id_that_stands_in_the_queue_twice_runs_once(fleet, keys):
    task = fleet.submit("deaf")
    fleet.wait_for_starts([task])
    fleet.server.client.lpush(keys.queue("default"), task.id, task.id)
    fleet.server.client.lpush(keys.bell("default"), "1")

    assert fleet.submit("echo", 1).get(20) == [1]

    assert task.stop(timeout=20) == "succeeded"
    assert [entry.id for entry in fleet.ledger.starts()].count(task.id) == 1


def test_a_message_of_garbage_is_the_tasks_to_deal_with(fleet, keys):
    task = fleet.submit("converse")
    fleet.wait_for_starts([task])
    send = ops.send(keys, id=task.id, sender="by-hand", number=1, body=b"\xff garbage")
    assert fleet.client.space.broker.run(send) == 1

    with pytest.raises(errors.Malformed):
        task.get(20)


def test_garbage_on_the_workers_channel_is_dropped(fleet, worker, keys):
    [wid] = [one.wid for one in fleet.client.workers()]
    task = fleet.submit("converse")
    assert task.recv(timeout=20) == "begun"
    for garbage in (b"", b"\xff\xfe", b"!", b"! x", task.id.encode(), task.id.encode() + b" x"):
        fleet.server.client.publish(keys.worker(wid), garbage)

    task.send("hello")

    assert task.recv(timeout=20) == ["heard", "hello"]
    assert task.stop(timeout=20) == "succeeded"


# -- how a task ends ------------------------------------------------------------------------------


def test_a_result_that_cannot_be_sent_is_a_failure_that_names_the_place(fleet):
    with pytest.raises(errors.NotSendable, match=r"result\['bad'\]\[0\]"):
        fleet.submit("returns_what_cannot_be_sent").get(20)


def test_a_result_that_is_too_large_is_a_failure_that_says_so(fleet):
    with pytest.raises(errors.TooLarge, match="16,777,216"):
        fleet.submit("echo", b"x" * 1_000_000, times=17).get(20)


def test_an_exception_that_cannot_be_rebuilt_is_described(fleet):
    with pytest.raises(errors.RemoteError, match=r"steered\.Unknowable: the text of it") as raised:
        fleet.submit("raises_what_cannot_be_rebuilt").get(20)

    assert raised.value.type_name == "steered.Unknowable"
    assert "raise Unknowable(object()" in raised.value.traceback


@pytest.mark.parametrize(
    ("name", "text"),
    [("exits", "SystemExit: enough"), ("exits_async", "SystemExit: enough"), ("exits_by_signal", "KeyboardInterrupt")],
)
def test_a_task_that_wants_to_end_the_process_ends_itself_only(fleet, name, text):
    with pytest.raises(errors.RemoteError, match=text):
        fleet.submit(name).get(20)


def test_a_discarded_task_is_not_tried_again(fleet):
    task = fleet.submit("discards", options={"retries": 5})

    assert task.wait(20)
    assert task.state == "failed"
    assert "not again" in str(task.exception)
    assert not fleet.client.events(task.id)


# -- a worker that cannot begin -------------------------------------------------------------------


def complaint(fleet, **options):
    """Start a worker that must give up; its exit code, and what it wrote."""
    return last_words(fleet.worker(ready=False, **options))


def last_words(worker):
    code = worker.ended(seconds=40)
    assert "Traceback" not in worker.log, worker.log
    return code, worker.log


@pytest.mark.parametrize("module", ["not_there", "steered:not_there", "steered.not_there"])
def test_a_module_that_is_not_there_ends_the_worker(module_fleet, module):
    code, log = complaint(module_fleet, module=module)

    assert code == 1
    assert "cannot import the tasks" in log
    assert "not_there" in log


def test_a_module_that_cannot_be_imported_ends_the_worker_and_shows_where(module_fleet):
    worker = module_fleet.worker(ready=False, module="broken")

    assert worker.ended() == 1
    assert "broken.py" in worker.log
    assert "ZeroDivisionError" in worker.log
    assert worker.log.count("cannot import the tasks") == 1


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "memory://"])
def test_a_url_that_no_worker_can_use_is_wrong_usage(module_fleet, url):
    code, log = complaint(module_fleet, url=url)

    assert code == 2
    assert url in log


def test_another_lease_than_the_namespaces_is_refused(module_fleet, worker):
    code, log = complaint(module_fleet, lease=7)

    assert code == 4
    assert "lease of 1.5 s" in log
    assert "7 s" in log


@pytest.mark.parametrize("options", [{"queue": "a b"}, {"concurrency": 0}, {"namespace": "{}"}, {"lease": 0}])
def test_wrong_options_are_wrong_usage(module_fleet, options):
    code, log = complaint(module_fleet, **options)

    assert code == 2
    assert "Usage:" in log or "Error:" in log


# -- a client that reaches nobody -----------------------------------------------------------------


def test_a_client_without_a_server_gives_up_in_time_and_names_it():
    port = free_port()
    with taskpy.Client(f"redis://127.0.0.1:{port}/0", namespace="x", timeout=0.5) as client:
        for use in (
            client.queues,
            lambda: client.attach("0" * 24).get(),
            lambda: client.attach("0" * 24).send(1),
            lambda: client.attach("0" * 24).stop(),
        ):
            began = time.monotonic()
            with pytest.raises(errors.Unreachable, match=rf"127\.0\.0\.1:{port}"):
                use()
            assert time.monotonic() - began < 3


def test_a_submission_without_a_server_is_uncertain_and_may_be_repeated():
    server = Server(tcp=True)
    try:
        with taskpy.Client(server.url, namespace="x", timeout=0.3) as client:
            task = client.task("steered.echo", 1)
            with pytest.raises(errors.SubmitUncertain) as raised:
                task.start()
            assert raised.value.id == task.id
            server.start()
            task.start()
            assert task.state == "queued"
            assert client.queues() == {"default": 1}
    finally:
        server.close()


def test_a_client_of_a_frozen_server_gives_up_in_time(own_server):
    with taskpy.Client(own_server.url, namespace="x", timeout=2.0) as client:
        assert client.queues() == {}
        own_server.freeze()
        began = time.monotonic()
        with pytest.raises(errors.Unreachable):
            client.queues()
        waited = time.monotonic() - began
        own_server.thaw()

    assert waited < 3.5


# -- passwords ------------------------------------------------------------------------------------


@pytest.fixture
def locked():
    """A server with a password; the URL holds it."""
    server = Server(tcp=True, durable=True, password=PLAIN_PASSWORD).start()
    server.url = f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0"
    yield server
    server.close()


def assert_secret(text):
    for secret in (PASSWORD, PLAIN_PASSWORD, "s3cr3t", "w0rd"):
        assert secret not in text, text


def command_lines(pid):
    process = psutil.Process(pid)
    return "\n".join(" ".join(one.cmdline()) for one in [process, *process.children(recursive=True)])


def test_a_password_shows_neither_in_logs_nor_in_the_process_list(module_fleet, locked):
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    worker = module_fleet.worker(url=None, namespace=namespace, env={"TASKPY_REDIS_URL": locked.url}, log_level="debug")
    with taskpy.Client(locked.url, namespace=namespace) as client:
        task = client.submit("steered.converse")
        assert task.recv(timeout=20) == "begun"
        assert_secret(command_lines(worker.pid))
        assert_secret(repr(client) + repr(task) + repr(client.workers()))
        locked.kill()
        until(lambda: worker.lines("does not answer"), "the outage to be noticed")
        locked.start()
        assert task.stop(timeout=20) == "succeeded"
    worker.signal(signal.SIGTERM)
    assert worker.ended() == 0

    assert "127.0.0.1" in worker.log
    assert_secret(worker.log)


def test_a_password_on_the_command_line_is_refused(module_fleet, locked):
    code, log = complaint(module_fleet, url=locked.url)

    assert code == 2
    assert "TASKPY_REDIS_URL" in log
    assert_secret(log)


@pytest.mark.parametrize("url", ["redis://:s3cr3t-w0rd@127.0.0.1:{port}/0", "redis://s3cr3t:w0rd@127.0.0.1:{port}/0"])
def test_a_wrong_password_is_refused_without_being_shown(locked, module_fleet, url):
    url = url.format(port=locked.port)
    with taskpy.Client(url, namespace="x", timeout=5) as client, pytest.raises(errors.Refused) as raised:
        client.queues()
    code, log = complaint(module_fleet, url=None, env={"TASKPY_REDIS_URL": url})

    assert code == 4
    assert str(locked.port) in log
    assert "w0rd" not in str(raised.value) + log


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cr3t@127.0.0.1:{port}/0",
        "redis://user:s3cr3t@127.0.0.1:{port}/0",
        "redis://:s3cr3t%40x@127.0.0.1:{port}/0",
        "redis://:s3cr3t@s3cr3t@127.0.0.1:{port}/0",
        "redis://:s3cr3t:s3cr3t@127.0.0.1:{port}/0",
        "unix:///nowhere/s?password=s3cr3t&db=1",
        "http://:s3cr3t@127.0.0.1:{port}/0",
        "redis://:s3cr3t/s3cr3t@127.0.0.1:{port}/0",
        "redis://:s3cr3t@127.0.0.1:port/0",
        "redis://:s3cr3t@[::1:{port}/0",
    ],
)
def test_a_password_shows_in_no_error_of_a_client(url):
    code = (
        "import sys, taskpy\n"
        "client = taskpy.Client(sys.stdin.read(), namespace='x', timeout=0.1)\n"
        "print(client, client.space)\n"
        "client.attach('0' * 24).get()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        input=url.format(port=free_port()),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=30,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr
    assert "s3cr3t" not in ended.stderr + ended.stdout, ended.stderr


def test_a_server_that_is_not_there_ends_the_worker(hopeless):
    code, log = last_words(hopeless)

    assert code == 4
    [line] = [line for line in log.splitlines() if line.startswith("taskpy-worker:")]
    assert hopeless.arguments[hopeless.arguments.index("--url") + 1] in line
    assert "is the server running" in line
    assert len(log.splitlines()) <= 2, log
