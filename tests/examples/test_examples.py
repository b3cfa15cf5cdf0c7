"""Each example does what it says: the commands are those that its own text, or the README, tells a reader to type."""

import re
import shutil
from collections import Counter
from math import cos, pi

import httpx
import pytest

from taskpy import Client
from tests.cli.terminal import Terminal as Keyboard
from tests.examples import terminals
from tests.examples.terminals import EXAMPLES, Desk
from tests.system.servers import free_port
from tests.system.waiting import until

README = (EXAMPLES / "README.md").read_text()
#: An example has fewer lines than this.
LIMIT = 60


def commands(text, program):
    """The commands of this program in a text; what follows two spaces or a semicolon explains it."""
    return [found.rstrip() for found in re.findall(rf"({program} (?:(?!  |;|`).)+)", text)]


def said_by(name, program):
    """The commands of this program that an example's text says, by what they have after the file."""
    return commands((EXAMPLES / name).read_text().split('"""')[1], program)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where the local server is at home."""
    with terminals.home(tmp_path_factory.mktemp("server") / "home") as folder:
        yield folder


@pytest.fixture(scope="module")
def make_desk(home, tmp_path_factory):
    """Makes desks, each with a namespace of its own, and closes them."""
    made = []

    def make(namespace, **options):
        made.append(Desk(tmp_path_factory.mktemp(namespace), home=home, namespace=namespace, **options))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture(scope="module", autouse=True)
def without_worker(make_desk):
    """A task that no worker will ever begin. It is begun first and looked at last: the warning takes its time."""
    return make_desk("nobody").begin(said_by("simple.py", "python")[1])


@pytest.fixture(scope="module")
def desk(make_desk):
    """Where the examples are run that use no worker."""
    return make_desk("here")


@pytest.fixture(scope="module")
def served(make_desk):
    """Where the examples are run that use a worker, which the README says how to start."""
    made = make_desk("served")
    [command] = [command for command in commands(README, "taskpy-worker") if "simple wait_until_done" in command]
    made.worker(command)
    return made


@pytest.fixture
def client_of(home):
    """Makes clients of a namespace on the server of the examples, and closes them."""
    made = []

    def make(namespace):
        made.append(Client(f"embedded://{home}", namespace=namespace))
        return made[-1]

    yield make
    for client in made:
        client.close()


# -- the ancestor's -----------------------------------------------------------------------------

SHOWN = {
    "simple.py": "done.\n",
    "wait_until_done.py": "done.\n",
    "exception.py": "caught: this was to be expected\n",
    "pool.py": "1000 results, their sum is 499500\n",
    "chain.py": "6\n",
}
in_both_places = pytest.mark.parametrize("place", ["desk", "served"])


def waiting_command(name, place):
    here, there, _ = said_by(name, "python")
    return here if place == "desk" else there


@pytest.mark.parametrize("name", [*SHOWN, "redis_brpop.py", "redis_pubsub.py"])
def test_it_says_how_to_run_it(name):
    assert said_by(name, "python")[:2] == [f"python {name}", f"python {name} --worker"]
    assert said_by(name, "taskpy-worker") == [f"taskpy-worker {name.removesuffix('.py')}"]


@pytest.fixture(scope="module")
def begun(desk, served):
    """Those that end by themselves, in both places and all at once, as they mostly sleep."""
    here = {(name, "desk"): desk.begin(said_by(name, "python")[0]) for name in SHOWN}
    there = {(name, "served"): served.begin(said_by(name, "python")[1]) for name in SHOWN}
    return here | there


@in_both_places
@pytest.mark.parametrize("name", SHOWN)
def test_it_shows_what_it_should(begun, name, place):
    assert begun[name, place].ends() == SHOWN[name]


@in_both_places
def test_what_is_pushed_to_a_list_is_received(request, place):
    desk = request.getfixturevalue(place)
    waiting = desk.begin(waiting_command("redis_brpop.py", place))
    waiting.sees("^waiting$")

    assert desk.run(said_by("redis_brpop.py", "python")[2]) == ""

    assert waiting.ends() == "waiting\nhello from redis_brpop\n"


@in_both_places
def test_what_is_published_is_received(request, client_of, place):
    desk = request.getfixturevalue(place)
    waiting = desk.begin(waiting_command("redis_pubsub.py", place))
    redis = client_of("any").redis
    until(lambda: redis.pubsub_numsub("redis_pubsub")[0][1], "somebody to listen")

    assert desk.run(said_by("redis_pubsub.py", "python")[2]) == "heard by 1\n"

    assert waiting.ends() == "waiting\nhello\n"


# -- from a second process ----------------------------------------------------------------------


def test_a_task_is_steered_from_other_terminals(served):
    submit, attach = said_by("remote_control.py", "python")
    first = served.begin(submit)
    id = first.sees("^[0-9a-f]{24}$")[0]

    second = served.begin(attach.replace("ID", id))
    second.types("water the plants")
    second.sees("^note 1: water the plants$")
    third = served.begin(attach.replace("ID", id))
    third.sees("^note 1: water the plants$")
    third.types("feed the cat")
    second.sees("^note 2: feed the cat$")
    second.ends_input()

    second.ends()
    assert first.ends() == f"{id}\n['water the plants', 'feed the cat']\n"
    third.types("too late")
    third.sees("^the task has succeeded$")
    assert "too late" not in third.ends()


def test_an_agent_is_watched_and_steered_in_the_middle_of_its_sentence(make_desk):
    desk = make_desk("agent")
    desk.worker(said_by("agent_session.py", "taskpy-worker")[0])
    about, watch, watch_later, steer, stop = said_by("agent_session.py", "python")
    session = desk.begin(about)
    id = session.sees("^[0-9a-f]{24}$")[0]

    def begin(command):
        return desk.begin(command.replace("ID", id))

    first = begin(watch)
    first.sees(r"^6 \S+$")
    second = begin(watch_later)
    second.sees(r"^8 \S+$")
    assert begin(steer).ends() == "taken\n"
    for reader in (first, second):
        reader.sees(r"^\d+ - no:\n\d+ Sparse\n\d+ is\n\d+ \w")
    assert begin(stop).ends() == "succeeded\n"

    shown = session.ends()
    assert re.fullmatch(rf"{id}\nended by \S+@\S+: I see\n", shown)
    tokens = first.ends().splitlines()
    assert second.ends().splitlines() == tokens[4:]
    assert [int(token.partition(" ")[0]) for token in tokens] == list(range(1, len(tokens) + 1))
    words = [token.partition(" ")[2] for token in tokens]
    assert words[:3] == ["Beautiful", "is", "often"]
    steered = words.index("- no:")
    assert 8 <= steered < len(words) - 3  # after what both had seen, and not at the end


def test_a_crawler_is_fed_while_it_runs(make_desk, client_of):
    desk = make_desk("crawler")
    desk.worker(said_by("crawler.py", "taskpy-worker")[0])
    send, stop = said_by("crawler.py", "taskpy")
    crawling = desk.begin(said_by("crawler.py", "python")[0])
    id = crawling.sees("^[0-9a-f]{24}$")[0]
    port = crawling.sees(r"^Progress\(done=40, total=40, note='http://127.0.0.1:(\d+)/a/\d+'\)$")[1]

    assert desk.run(send.replace("ID", id).replace("/b/1", "/nowhere").replace("PORT", port)) == ""
    crawling.sees(rf"^LogLine\(.*level='WARNING'.*http://127.0.0.1:{port}/nowhere: HTTP Error 404: Not Found'\)$")
    assert desk.run(send.replace("ID", id).replace("PORT", port)) == ""
    crawling.sees(rf"^Progress\(done=80, total=80, note='http://127.0.0.1:{port}/b/\d+'\)$")
    assert desk.run(stop.replace("ID", id)).startswith(f"{id}  succeeded  by ")

    assert crawling.ends().endswith("\n80 pages\n")
    task = client_of("crawler").attach(id)
    assert task.stop_reason == "that will do"
    assert sorted(task.result) == sorted(f"http://127.0.0.1:{port}/{part}/{n}" for part in "ab" for n in range(1, 41))


# -- by key -------------------------------------------------------------------------------------

SAY, STATUS, ANSWER = said_by("approval.py", "python")
ANSWER_BY_ID, ATTACH, PATIENCE, GOOD_NIGHT = said_by("approval.py", "taskpy")
[APPROVAL_WORKER] = said_by("approval.py", "taskpy-worker")


@pytest.fixture(scope="module")
def approval(make_desk):
    """Where the sessions with approvals are, and their worker."""
    desk = make_desk("approval")
    desk.worker(APPROVAL_WORKER)
    return desk


@pytest.fixture
def begin_session(approval):
    """Begins a session as the example says, for a user of one's own; its terminal and its id. It ends with the test."""
    begun = []

    def begin(user, command=SAY):
        terminal = approval.begin(command.replace("ann", user))
        begun.append(terminal.sees("^[0-9a-f]{24}$")[0])
        return terminal, begun[-1]

    yield begin
    for id in set(begun):
        approval.run(f"taskpy stop {id}")


def test_an_approval_is_given_in_another_terminal(approval, begin_session):
    first, id = begin_session("ann")
    first.sees("^delete the old invoices: waits for an answer$")

    assert approval.run(STATUS) == "draw the chart: done\n"
    assert approval.run(ANSWER) == "ann wants me to delete the old invoices. May I?\n"

    shown = f"{id}\ndraw the chart: done\ndelete the old invoices: waits for an answer\ndelete the old invoices: done\n"
    assert first.ends() == shown
    assert approval.run(STATUS) == "draw the chart: done\ndelete the old invoices: done\n"
    assert approval.run(ANSWER) == ""  # it asks nothing by now


def test_who_says_something_joins_the_session_of_this_user(approval, begin_session):
    first, id = begin_session("bea")
    first.sees("waits for an answer$")
    second, joined = begin_session("bea", 'python approval.py say ann "draw the map"')
    _, of_another = begin_session("cleo")

    assert joined == id != of_another
    shown = approval.run(ANSWER_BY_ID.replace("ID", id))
    assert shown == "answered: bea wants me to delete the old invoices. May I?\n"

    assert first.ends().endswith("\ndelete the old invoices: not done (no)\n")
    assert second.ends() == f"{id}\ndraw the map: done\n"  # and nothing of what others have said
    lines = approval.run(STATUS.replace("ann", "bea")).splitlines()
    assert lines == ["draw the chart: done", "delete the old invoices: not done (no)", "draw the map: done"]


def test_an_approval_is_given_by_who_is_attached(approval, begin_session):
    first, id = begin_session("dora")
    _, attach, _ = ATTACH.replace("ID", id).split()
    keyboard = Keyboard(approval.environment, attach, id)
    try:
        keyboard.see("it asks: dora wants me to delete the old invoices. May I?; type = and a value to answer\n")
        keyboard.type("draw the map\n=no\n")
        assert first.ends().endswith("\ndelete the old invoices: not done (no)\n")
        keyboard.see('"draw the map: done"')
    finally:
        keyboard.close()


def test_when_nobody_answers_it_is_a_no(approval, begin_session):
    _, id = begin_session("emmy", 'python approval.py say ann "draw the chart"')
    assert approval.run(PATIENCE.replace("5", "0.2").replace("ID", id)) == "null\n"

    assert begin_session("emmy")[0].ends().endswith("\ndelete the old invoices: not done (no answer)\n")


def test_a_session_ends_as_it_should_and_the_next_one_is_another(approval, begin_session):
    first, id = begin_session("fay")
    first.sees("waits for an answer$")

    assert re.fullmatch(rf"{id}  succeeded  by \S+: good night\n", approval.run(GOOD_NIGHT.replace("ID", id)))

    assert first.ends().endswith("\ndelete the old invoices: not done (no answer)\n")
    assert "no live task has the key 'user:fay'" in approval.begin(STATUS.replace("ann", "fay")).ends(1)
    assert begin_session("fay")[1] != id


def test_a_session_and_its_question_survive_its_worker(make_desk):
    desk = make_desk("survivors")
    worker = desk.worker(f"{APPROVAL_WORKER} --lease 1.5")
    first = desk.begin(SAY)
    first.sees("^delete the old invoices: waits for an answer$")

    worker.close()
    assert desk.run(ANSWER) == "ann wants me to delete the old invoices. May I?\n"  # while nobody runs it
    desk.worker(f"{APPROVAL_WORKER} --lease 1.5")

    assert first.ends().endswith("\ndelete the old invoices: done\n")
    assert first.screen.count("draw the chart: done") == 1


# -- as a tree ----------------------------------------------------------------------------------

SWEEP, LONG_SWEEP = said_by("sweep.py", "python")
TREE, STOP_TREE = said_by("sweep.py", "taskpy")
[SWEEP_WORKER] = said_by("sweep.py", "taskpy-worker")


@pytest.fixture(scope="module")
def sweeps(make_desk):
    """Where the sweep is run, and its worker."""
    desk = make_desk("sweeps")
    desk.worker(SWEEP_WORKER)
    return desk


def begin_sweep(desk, command):
    sweep = desk.begin(command)
    return sweep, sweep.sees("^[0-9a-f]{24}$")[0]


def branches(desk, id):
    """The simulations of a sweep, by the state that its tree shows."""
    shown = desk.run(TREE.replace("ID", id))
    return Counter(re.findall(r"^[├└]── [0-9a-f]{24}  (\w+)  sweep\.simulate", shown, re.MULTILINE))


def test_a_sweep_stops_its_losers_and_returns_the_best(sweeps, client_of):
    sweep, id = begin_sweep(sweeps, SWEEP)
    rounds = [eval(line) for line in sweep.ends().splitlines()[1:-1]]

    assert [round["left"] for round in rounds] == [25, 13, 7, 4, 2]
    found = re.search(r"^succeeded (\S+) at \[(.+)\]$", sweep.screen, re.MULTILINE)
    assert float(found[1]) == rounds[-1]["lowest"][0] < 8
    assert sum(10 + x * x - 10 * cos(2 * pi * x) for x in map(float, found[2].split(", "))) == pytest.approx(
        float(found[1]), abs=0.1
    )
    until(lambda: branches(sweeps, id) == {"stopped": 50}, "the end of all simulations")
    reasons = Counter("too high" in child.stop_reason for child in client_of("sweeps").attach(id).children())
    assert reasons == {True: 48, False: 2}  # the last two have ended with the sweep


@pytest.mark.parametrize("command", [STOP_TREE, STOP_TREE.replace("--tree ", "")], ids=["the tree", "its parent"])
def test_a_sweep_is_stopped_as_a_tree(sweeps, client_of, command):
    sweep, id = begin_sweep(sweeps, LONG_SWEEP)
    until(lambda: branches(sweeps, id) == {"running": 50}, "fifty simulations at once")

    assert re.match(rf"{id}  stopped  by \S+: enough\n", sweeps.run(command.replace("ID", id)))

    if "--tree" not in command:  # those below it were asked when it had ended
        until(lambda: branches(sweeps, id) == {"stopped": 50}, "the end of all simulations")
    assert branches(sweeps, id) == {"stopped": 50}
    assert sweep.ends() == f"{id}\nstopped enough\n"
    until(lambda: [worker.held for worker in client_of("sweeps").workers()] == [0], "nothing to run any more")


def test_a_sweep_whose_worker_is_lost_goes_on_with_the_simulations_that_are_there(make_desk):
    desk = make_desk("lost")
    worker = desk.worker(f"{SWEEP_WORKER} --lease 1.5")
    sweep, id = begin_sweep(desk, SWEEP)
    sweep.sees("'left': 25")
    worker.close()
    desk.worker(f"{SWEEP_WORKER} --lease 1.5")

    assert re.search("^succeeded ", sweep.ends(), re.MULTILINE)
    assert branches(desk, id).total() == 50


# -- from a checkpoint --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def training(make_desk):
    """Where the training example is run."""
    return make_desk("training")


def training_worker(desk):
    """A worker as the example says. Its lease is short: when it is lost it is soon missed."""
    [command] = said_by("training.py", "taskpy-worker")
    return desk.worker(f"{command} --lease 1.5")


def begin_training(desk, epochs):
    _, command = said_by("training.py", "python")
    running = desk.begin(command.replace("20000", str(epochs)))
    return running, running.sees("^[0-9a-f]{24}$")[0]


def losses(shown):
    """The loss of each epoch, as it is shown: to its last digit."""
    found = re.findall(r"^\{'epoch': (\d+), 'loss': (\S+)\}$", shown, re.MULTILINE)
    assert [int(epoch) for epoch, _ in found] == list(range(1, len(found) + 1))
    return [loss for _, loss in found]


EPOCHS = 400


@pytest.fixture(scope="module")
def undisturbed(desk):
    """What a training shows in which nothing happens, in a thread."""
    return desk.run(said_by("training.py", "python")[0].replace("20", str(EPOCHS)))


def test_a_model_learns(undisturbed):
    found = [float(loss) for loss in losses(undisturbed)]

    assert len(found) == EPOCHS
    assert found[:50] == sorted(found[:50], reverse=True)
    assert float(re.search(r"^right answers: (\S+)$", undisturbed, re.MULTILINE)[1]) > 0.9


def pid_of(client_of, id):
    """The process that runs this training."""
    client = client_of("training")
    wid = client.attach(id).snapshot().worker
    return next(worker.info.pid for worker in client.workers() if worker.wid == wid)


@pytest.mark.parametrize("whole_tree", [True, False], ids=["the whole worker", "its child"])
def test_a_training_that_is_killed_goes_on_elsewhere_as_if_nothing_had_been(
    training, client_of, undisturbed, whole_tree
):
    workers = [training_worker(training), training_worker(training)]
    try:
        running, id = begin_training(training, EPOCHS)
        running.sees("'epoch': 5,")
        [child] = [child for worker in workers for child in worker.children if child.pid == pid_of(client_of, id)]
        [doomed] = [worker for worker in workers if child in worker.children]
        if whole_tree:
            doomed.close()
        else:
            child.kill()
        assert len(losses(running.screen)) < EPOCHS, "it was quicker than we were"

        shown = running.ends()
    finally:
        for worker in workers:
            worker.close()
    snapshot = client_of("training").attach(id).snapshot()
    assert (snapshot.attempt, snapshot.lost) == (2, 1)
    assert shown.partition("\n")[2] == undisturbed.partition("\n")[2]


def is_flat(found):
    """Whether the last epoch has learned nothing: its loss is that before, but for another order of the sum."""
    return len(found) > 1 and abs(float(found[-1]) - float(found[-2])) < 1e-12


def test_a_training_is_steered(training, client_of):
    worker = training_worker(training)
    rate, save, stop = said_by("training.py", "taskpy")
    try:
        running, id = begin_training(training, 1_000_000)
        running.sees("'epoch': 1,")
        assert training.run(rate.replace("ID", id).replace("0.2", "0")) == ""
        task = client_of("training").attach(id)
        until(lambda: task.received(1), "the new rate to be taken")
        until(lambda: is_flat(losses(running.screen)), "the loss to stay as it is")
        assert training.run(save.replace("ID", id)) == ""
        running.sees(r"^saved after \d+ steps$")
        assert training.run(stop.replace("ID", id)).startswith(f"{id}  succeeded  by ")
        shown = running.ends()
    finally:
        worker.close()
    assert re.search(r"^right answers: 0\.\d+$", shown, re.MULTILINE)
    assert len(losses(shown)) == task.progress.done
    assert task.stop_reason == "good enough"


# -- in a web server ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def web(make_desk):
    """The FastAPI example, served by a real uvicorn, with a worker; an HTTP client of it."""
    desk = make_desk("web")
    port = free_port()
    server = desk.begin(f"{said_by('fastapi_app.py', 'uvicorn')[0]} --port {port}")
    desk.worker(said_by("fastapi_app.py", "taskpy-worker")[0])
    server.sees("running on")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield client
        client.close()
    server.interrupts()
    assert "Traceback" not in server.ends()


def begun_count(web, limit):
    """The address of a task that has been started by the example."""
    return f"/counts/{web.post('/counts', params={'limit': limit}).json()['id']}"


def events_of(answer):
    """The server-sent events of an answer, as they come: their id, their name and what they say."""
    event = {}
    for line in answer.iter_lines():
        if line:
            field, _, value = line.partition(": ")
            event[field] = value
        else:
            yield event.get("id"), event.get("event", "message"), event["data"]
            event = {}


def test_what_a_task_sends_comes_to_the_browser(web):
    address = begun_count(web, 3)

    with web.stream("GET", address) as answer:
        found = list(events_of(answer))
    assert answer.headers["content-type"].startswith("text/event-stream")
    messages = [(str(number), "message", str(number)) for number in (1, 2, 3)]
    assert found == [*messages, (None, "end", "succeeded")]
    with web.stream("GET", address) as answer:  # another browser, which comes late
        assert list(events_of(answer)) == found


@pytest.mark.parametrize("later", [False, True], ids=["while it runs", "after its end"])
def test_a_connection_that_breaks_is_gone_on_with(web, client_of, later):
    address = begun_count(web, 10)

    found, last = [], {}
    for part in (3, 1, 2):  # each time it breaks in the middle
        with web.stream("GET", address, headers=last) as answer:
            events = events_of(answer)
            found += [next(events) for _ in range(part)]
        last = {"Last-Event-ID": found[-1][0]}
    task = client_of("web").attach(address.rpartition("/")[2])
    assert task.state == "running"  # who leaves does not stop it
    if later:
        assert task.wait(20)
    with web.stream("GET", address, headers=last) as answer:
        found += events_of(answer)

    assert [data for _, _, data in found] == [*map(str, range(1, 11)), "succeeded"]


def test_a_browser_that_was_away_for_too_long_is_told(web, client_of):
    client = client_of("web")
    address = begun_count(web, 5)
    task = client.attach(address.rpartition("/")[2])
    assert task.wait(20)
    client.redis.ltrim(client.space.keys.outbox(task.id), 3, -1)  # as if they were too many

    with web.stream("GET", address, headers={"Last-Event-ID": "1"}) as answer:
        found = list(events_of(answer))
    assert found == [(None, "missed", "2"), ("4", "message", "4"), ("5", "message", "5"), (None, "end", "succeeded")]


def test_connections_that_break_at_once_leave_nothing_wrong(web, client_of):
    address = begun_count(web, 20)
    for _ in range(10):
        with web.stream("GET", address):
            pass

    with web.stream("GET", address) as answer:
        assert [data for _, _, data in events_of(answer)] == [*map(str, range(1, 21)), "succeeded"]


def test_a_page_that_is_closed_stops_its_task(web, client_of):
    address = begun_count(web, 100_000)
    with web.stream("GET", address) as answer:
        events = events_of(answer)
        assert next(events) == ("1", "message", "1")
        assert web.delete(address).status_code == 204
        assert list(events)[-1] == (None, "end", "the page was closed")
    task = client_of("web").attach(address.rpartition("/")[2])
    assert task.state == "succeeded"
    assert task.stop_reason == "the page was closed"


def test_the_page_follows_the_task(web):
    page = web.get("/")

    assert page.headers["content-type"].startswith("text/html")
    [begin] = re.findall(r'fetch\("(.+?)", \{ method: "POST"', page.text)
    id = web.post(begin).json()["id"]
    [address] = re.findall(r'address = "(.+?)" \+', page.text)
    with web.stream("GET", address + id) as answer:
        assert next(events_of(answer)) == ("1", "message", "1")
    assert web.delete(address + id).status_code == 204


# -- in a Django project ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(make_desk, tmp_path_factory):
    """The Django example, as the README says how to begin: its database, its people, and a worker."""
    folder = tmp_path_factory.mktemp("project") / "django_app"
    shutil.copytree(EXAMPLES / "django_app", folder)
    desk = make_desk("ignored", at=folder)  # the project has a namespace in its settings
    for command in django_commands("migrate", "loaddata"):
        desk.run(command)
    [worker] = [command for command in commands(README, "taskpy-worker") if "newsletter" in command]
    desk.mailed = desk.worker(worker)
    return desk


def django_commands(*verbs):
    said = commands(README, "python manage.py")
    return [next(command for command in said if f" {verb}" in command) for verb in verbs]


def begin_sending(project):
    [send] = django_commands("send")
    sending = project.begin(send)
    id = sending.sees("^task ([0-9a-f]{24})$")[1]
    sending.sees("^mailed to ada@example.com$")
    return sending, id


def test_a_task_that_uses_the_models_is_steered_by_a_command(project):
    sending, id = begin_sending(project)

    [pace] = django_commands("pace")
    project.run(pace.replace("ID", id))

    shown = sending.ends()
    people = ["ada@example.com", "edsger@example.com", "grace@example.com"]
    assert re.findall("^mailed to (.+)$", shown, re.MULTILINE) == people
    assert shown.endswith("\n3 mails\n")
    assert re.findall("^To: (.+)$", project.mailed.screen, re.MULTILINE) == people


def test_a_command_stops_it(project):
    sending, id = begin_sending(project)

    [stop] = django_commands("stop")
    project.run(stop.replace("ID", id))

    assert re.search("^[12] mails$", sending.ends(), re.MULTILINE)


def test_ctrl_c_stops_it(project, client_of):
    sending, id = begin_sending(project)

    sending.interrupts()

    assert re.search("^[12] mails$", sending.ends(), re.MULTILINE)
    assert [event.word for event in client_of("newsletter").events(id)] == ["stop"]


# -- what is said of them -----------------------------------------------------------------------


def sources():
    return [path for path in EXAMPLES.rglob("*.py") if "__pycache__" not in path.parts]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(EXAMPLES).as_posix())
def test_it_is_short(path):
    assert len(path.read_text().splitlines()) < LIMIT


def test_the_readme_lists_them_all():
    listed = set(re.findall(r"\[(\w+(?:\.py)?)\]\(\1\)", README))
    there = {path.relative_to(EXAMPLES).parts[0] for path in sources()}

    assert listed == there


def test_a_queue_without_a_worker_is_warned_of(without_worker):
    without_worker.sees("no worker serves the queue: queue=default")
