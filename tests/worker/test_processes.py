"""What the operating system says of real processes."""

import os
import signal
import subprocess
import sys
import time

import pytest
from taskpy_worker import processes

from tests.worker.waiting import until

ways = pytest.mark.parametrize("look", [processes.state_of, processes._state_by_ps], ids=["best", "ps"])


@pytest.fixture
def sleeper():
    """A process that does nothing."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process.pid
    process.kill()
    process.wait()
    process.stdin.close()


@ways
def test_a_stopped_process_is_told_from_a_sleeping_one(look, sleeper):
    assert look(sleeper).stopped is False

    os.kill(sleeper, signal.SIGSTOP)
    until(lambda: look(sleeper).stopped, "the process to be stopped")

    os.kill(sleeper, signal.SIGCONT)
    until(lambda: not look(sleeper).stopped, "the process to go on")


def test_cpu_time_grows_by_computing():
    before = processes.state_of(os.getpid()).cpu

    until(lambda: time.process_time() and processes.state_of(os.getpid()).cpu > before, "CPU time to be counted")


def test_both_ways_agree_about_cpu_time(sleeper):
    assert processes._state_by_ps(sleeper).cpu == pytest.approx(processes.state_of(sleeper).cpu, abs=1.5)


@ways
def test_of_a_process_that_is_not_there_nothing_is_said(look, sleeper):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    assert look(gone.pid) is None
