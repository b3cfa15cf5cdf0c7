import copy
import inspect
import pickle
import queue
import re

import pytest

from taskpy import errors

ALL = [cls for cls in vars(errors).values() if inspect.isclass(cls) and issubclass(cls, BaseException)]
ARGUMENTS = {
    errors.SubmitUncertain: ("some-id", "the text"),
    errors.KeyTaken: ("some-id", "the text"),
    errors.TaskEnded: ("stopped", "the text"),
    errors.MessagesMissed: (5,),
    errors.RemoteError: ("app.Error", "the text", "the traceback"),
}
PLAIN = [cls for cls in ALL if "__init__" not in vars(cls)]


def drawn():
    """The pairs of class and base in the drawing at the top of the module, and what it says each also is."""
    above, pairs, also = [], {}, {}
    for line in errors.__doc__.splitlines():
        if not (found := re.match(r"([│├└─ ]*)([A-Z]\w+)(?:\(|  | \.\.\. )", line)):
            continue
        depth = len(found[1]) // 4
        above[depth:] = [found[2]]
        pairs[found[2]] = above[depth - 1] if depth else None
        also[found[2]] = re.findall(r"\(also (?:an? )?([\w.]+)\)", line)
    return pairs, also


def test_the_drawing_shows_every_exception_below_its_base():
    pairs, also = drawn()

    assert {cls.__name__ for cls in ALL} == set(pairs)
    for name, base in pairs.items():
        bases = [parent.__name__ for parent in vars(errors)[name].__bases__]
        assert (base or bases[-1]) in bases
        assert [other.rpartition(".")[2] for other in also[name]] == (bases[1:] if base else [])


@pytest.mark.parametrize("cls", PLAIN)
def test_the_docstring_is_the_message(cls):
    assert cls.__doc__.splitlines()[0] == str(cls())
    assert str(cls("the text")) == "the text"


@pytest.mark.parametrize("cls", ALL)
def test_all_can_be_pickled_and_copied(cls):
    exc = cls(*ARGUMENTS.get(cls, ("the text",)))
    for back in (pickle.loads(pickle.dumps(exc)), copy.copy(exc)):
        assert type(exc) is type(back)
        assert (str(exc), vars(exc)) == (str(back), vars(back))


def test_signals_pass_except_exception():
    signals = {cls for cls in ALL if not issubclass(cls, Exception)}

    assert {errors.TaskSignal, *errors.TaskSignal.__subclasses__()} == signals
    assert all(issubclass(cls, errors.TaskpyError) for cls in ALL if cls not in signals)


def test_the_queue_modules_names_work():
    with pytest.raises(queue.Empty):
        raise errors.Empty
    with pytest.raises(queue.Full):
        raise errors.Full


def test_what_an_exception_carries():
    assert errors.SubmitUncertain("some-id").id == "some-id"
    assert str(errors.SubmitUncertain("some-id")) == errors.SubmitUncertain.__doc__
    assert errors.TaskEnded("stopped").state == "stopped"
    assert str(errors.TaskEnded("stopped")) == "the task has ended (stopped)"
    assert errors.MessagesMissed(5).count == 5
    assert str(errors.RemoteError("app.Error")) == "app.Error"
    assert str(errors.RemoteError("app.Error", "text")) == "app.Error: text"
    assert errors.Retry(delay=5).delay == 5


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), "5"])
def test_a_retry_after_no_time_at_all_is_refused(delay):
    with pytest.raises(errors.BadArguments, match="delay must be a number of seconds"):
        errors.Retry(delay=delay)
