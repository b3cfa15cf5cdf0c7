import pytest

from taskpy import retry
from taskpy.retry import Backoff


def delays(backoff, used, times=200):
    return [backoff.delay(used) for _ in range(times)]


def test_pauses_double_up_to_the_cap():
    backoff = Backoff(first=1, factor=2, cap=10, jitter=0)

    assert [backoff.delay(used) for used in range(6)] == [1, 2, 4, 8, 10, 10]


def test_no_number_of_retries_overflows():
    assert Backoff(jitter=0).delay(10**9) == Backoff().cap


def test_jitter_only_shortens_a_pause_and_by_its_share_at_most():
    pauses = delays(Backoff(first=100, jitter=0.2), 0)

    assert all(80 <= pause <= 100 for pause in pauses)
    assert max(pauses) - min(pauses) > 10


def test_a_number_is_a_constant_pause():
    assert {5.0} == {retry.backoff_of(5).delay(used) for used in range(10)}


def test_a_backoff_is_itself_and_none_is_the_default():
    backoff = Backoff(first=3)

    assert retry.backoff_of(backoff) is backoff
    assert Backoff() == retry.backoff_of(None)


@pytest.mark.parametrize(("failures", "longest"), [(0, 0.02), (3, 0.16), (6, 1.0), (10**6, 1.0)])
def test_reconnecting_spreads_out_and_stays_short(failures, longest):
    pauses = [retry.reconnect_delay(failures) for _ in range(200)]

    assert all(0 <= pause <= longest <= retry.RECONNECT_CAP_SECONDS for pause in pauses)
    assert max(pauses) - min(pauses) > longest / 2
