import inspect
import traceback

import msgpack
import pytest

from taskpy import errors, failure, values, wire


class Refused(Exception):
    pass


class Picky(Exception):
    def __init__(self, code, why):
        super().__init__(f"{code}: {why}")
        self.code, self.why = code, why


class Pickled(Picky):
    def __reduce__(self):
        return type(self), (self.code, self.why)


class Liar(Exception):
    honest = True

    def __new__(cls, *args):
        return super().__new__(cls, *args) if cls.honest else "no exception"


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    def __reduce__(self):
        raise RuntimeError("no arguments")


@pytest.fixture(autouse=True)
def own_registrations(monkeypatch):
    monkeypatch.setattr(failure, "_registered", dict(failure._registered))
    monkeypatch.setattr(failure, "_names", {})


def raised(exc):
    with pytest.raises(type(exc)):
        raise exc
    return exc


def there_and_back(exc, **options):
    return failure.load_exception(failure.dump_exception(exc, **options))


@pytest.mark.parametrize(
    "exc",
    [
        ValueError(),
        ValueError("text", 5, [(1, {2})]),
        KeyError("key"),
        StopIteration(5),
        ZeroDivisionError("division by zero"),
        FileNotFoundError(2, "No such file", "a.txt"),
        OSError("plain"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        TimeoutError("late"),
        DeprecationWarning("old"),
    ],
    ids=repr,
)
def test_builtin_exceptions_come_back(exc):
    back = there_and_back(exc)

    assert type(exc) is type(back)
    assert exc.args == back.args
    assert str(exc) == str(back)


def test_an_os_error_keeps_its_file_names():
    back = there_and_back(raised(OSError(17, "File exists", "a", None, "b")))

    assert (FileExistsError, "a", "b") == (type(back), back.filename, back.filename2)


OURS = [
    cls
    for cls in vars(errors).values()
    if inspect.isclass(cls) and issubclass(cls, Exception) and cls.__module__ == "taskpy.errors"
]
SPECIAL = {
    errors.SubmitUncertain: ("some-id", "the text"),
    errors.KeyTaken: ("some-id", "the text"),
    errors.TaskEnded: ("stopped",),
    errors.MessagesMissed: (5,),
    errors.RemoteError: ("app.Error", "the text", "the traceback"),
}


@pytest.mark.parametrize("cls", OURS)
def test_our_own_exceptions_come_back(cls):
    exc = raised(cls(*SPECIAL.get(cls, ("the text",))))
    back = there_and_back(exc)

    assert type(exc) is type(back)
    assert str(exc) == str(back)
    assert vars(exc) == vars(back)


def test_a_registered_exception_comes_back():
    failure.register_exception(Refused)
    failure.register_exception(Pickled, name="pickled")
    back = there_and_back(Pickled(5, "because"))

    assert (Refused, ("a", 1)) == (type(there_and_back(Refused("a", 1))), there_and_back(Refused("a", 1)).args)
    assert (Pickled, 5, "because") == (type(back), back.code, back.why)
    assert b"pickled" in failure.dump_exception(Pickled(5, "because"))


def test_an_exception_that_pickles_by_a_function_comes_back_from_its_arguments(monkeypatch):
    monkeypatch.setattr(Refused, "__reduce__", lambda _: (print, ("a",)), raising=False)
    failure.register_exception(Refused)

    assert there_and_back(Refused("b")).args == ("b",)


def test_only_the_reader_needs_the_registration():
    data = failure.dump_exception(Refused("a"))
    failure.register_exception(Refused)

    assert isinstance(failure.load_exception(data), Refused)


@pytest.mark.parametrize(
    "exc",
    [
        Refused("a"),
        Picky(5, "because"),
        Broken(),
        Liar(),
        ValueError(object()),
        ValueError("\ud800"),
        KeyboardInterrupt(),
    ],
    ids=lambda exc: type(exc).__name__,
)
def test_the_rest_is_a_remote_error(exc, monkeypatch):
    monkeypatch.setattr(Liar, "honest", False)
    for cls in (Picky, Broken, Liar):
        failure.register_exception(cls)
    back = there_and_back(raised(exc))

    assert type(back) is errors.RemoteError
    assert back.type_name in (type(exc).__name__, f"{__name__}.{type(exc).__name__}")
    assert "Traceback" in back.traceback


@pytest.mark.parametrize(
    "exc", [SystemExit(3), GeneratorExit(), errors.Stopped("s"), errors.Retry("r", delay=1)], ids=repr
)
def test_no_base_exception_comes_back(exc):
    back = there_and_back(exc)

    assert type(back) is errors.RemoteError
    assert type(exc).__name__ == back.type_name.rpartition(".")[2]
    assert str(exc) == back.text


def test_a_group_is_told_as_text():
    back = there_and_back(raised(ExceptionGroup("several", [ValueError("one"), KeyError("two")])))

    assert (back.type_name, back.text) == ("ExceptionGroup", "several (2 sub-exceptions)")
    assert "ValueError: one" in back.traceback


def test_a_remote_error_goes_on_as_what_it_was():
    once = there_and_back(raised(Refused("a")))
    twice = there_and_back(once)
    failure.register_exception(Refused)

    assert vars(once) == vars(twice)
    assert once.type_name == wire.loads(failure.dump_exception(once))["t"]
    assert "Refused: a" in str(twice)


# -- tracebacks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("exc", [ValueError("a"), Refused("a")], ids=repr)
def test_the_remote_traceback_is_the_cause(exc):
    back = there_and_back(raised(exc))

    assert isinstance(back.__cause__, failure.RemoteTraceback)
    assert str(back.__cause__) == "".join(traceback.format_exception(exc))
    assert "in raised" in "".join(traceback.format_exception(back))


def test_without_a_traceback_there_is_no_cause():
    assert there_and_back(ValueError("a")).__cause__ is None


def test_a_traceback_may_be_given():
    assert str(there_and_back(ValueError("a"), traceback="the story").__cause__) == "the story"


def test_the_traceback_travels_on():
    once = there_and_back(raised(ValueError("a")))

    assert str(once.__cause__) == str(there_and_back(once).__cause__)
    assert str(once.__cause__) in str(there_and_back(raised(once)).__cause__)


# -- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "exc",
    [
        ValueError("é" * 100_000),
        ValueError("é" * 11_000),
        ValueError(b"a" * 20_000, "text"),
        type("E" * 100_000, (Exception,), {})("text"),
        Broken(),
    ],
    ids=lambda exc: type(exc).__name__[:10],
)
def test_the_limit_is_kept(exc):
    data = failure.dump_exception(exc, traceback="start" + "é" * 100_000 + "end")
    back = failure.load_exception(data)

    assert wire.EXCEPTION_LIMIT - 10 <= len(data) <= wire.EXCEPTION_LIMIT
    assert str(back.__cause__).startswith("[...]é")
    assert str(back.__cause__).endswith("end")


def test_the_text_keeps_its_beginning():
    back = there_and_back(ValueError("start" + "é" * 100_000))

    assert back.text.startswith("starté")
    assert back.text.endswith("é[...]")


def test_arguments_of_some_size_still_come_back():
    assert there_and_back(ValueError("é" * 11_000)).args[0] == "é" * 11_000


def test_broken_text_is_escaped():
    assert there_and_back(raised(Refused("a\ud800"))).text == r"a\ud800"


def test_a_broken_exception_is_told_all_the_same():
    back = there_and_back(raised(Broken("a")))

    assert (f"{__name__}.Broken", "<its text cannot be shown>") == (back.type_name, back.text)


# -- what others may write ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", b"WorkerLost", b"\xc1", None, msgpack.packb([]), msgpack.packb({}), msgpack.packb({"t": 5}), bytes(70_000)],
    ids=lambda data: repr(data)[:20],
)
def test_garbage_is_a_remote_error(data):
    back = failure.load_exception(data)

    assert (errors.RemoteError, "taskpy.errors.Malformed") == (type(back), back.type_name)


def test_a_newer_version_is_a_remote_error():
    back = failure.load_exception(msgpack.packb({"v": wire.VERSION + 1, "t": "ValueError", "a": b"\x90"}))

    assert (errors.RemoteError, "taskpy.errors.NewerVersion") == (type(back), back.type_name)


@pytest.mark.parametrize("version", [{}, {"v": wire.VERSION - 1}, {"v": wire.VERSION, "new": 1}])
def test_older_versions_and_unknown_fields_are_read(version):
    assert isinstance(failure.load_exception(msgpack.packb({"t": "ValueError", "a": b"\x90", **version})), ValueError)


@pytest.mark.parametrize(
    "name",
    ["os.system", "eval", "__import__", "SystemExit", "BaseException", "object", "builtins.ValueError", "", "a\nb"],
)
@pytest.mark.parametrize("args", [b"\x90", b"\x91\xa1a", b"\xc1", 5, None])
def test_nothing_is_built_because_bytes_say_so(name, args):
    back = failure.load_exception(msgpack.packb({"t": name, "a": args}))

    assert (errors.RemoteError, name) == (type(back), back.type_name)


@pytest.mark.parametrize("args", [b"", b"\x01", b"\xc1", 5, None, "a", values.pack(["too", "many", "args"])])
def test_arguments_that_do_not_fit_make_a_remote_error(args):
    back = failure.load_exception(msgpack.packb({"t": "taskpy.errors.MessagesMissed", "x": "text", "a": args}))

    assert (errors.RemoteError, "text") == (type(back), back.text)


# -- registration -------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [object, BaseException, errors.Stopped, ValueError("a"), "ValueError"], ids=repr)
def test_only_exceptions_are_registered(cls):
    with pytest.raises(errors.BadArguments):
        failure.register_exception(cls)


@pytest.mark.parametrize("name", ["ValueError", "taskpy.errors.Busy", "taken"])
def test_a_name_stands_for_one_exception(name):
    failure.register_exception(Picky, name="taken")
    with pytest.raises(errors.BadName, match=name):
        failure.register_exception(Refused, name=name)


def test_a_class_loaded_again_replaces_itself():
    failure.register_exception(Refused)
    again = type("Refused", (Exception,), {"__module__": Refused.__module__})
    failure.register_exception(again)

    assert type(there_and_back(Refused("a"))) is again


def test_a_builtin_may_be_registered_and_keeps_its_name():
    failure.register_exception(ValueError)

    assert isinstance(there_and_back(ValueError("a")), ValueError)
    assert b"builtins" not in failure.dump_exception(ValueError("a"))
