"""Which messages were taken: a count, and some beyond it, whatever the order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from taskpy.taken import Taken

QUICK = settings(database=None, deadline=None, max_examples=200)
NUMBERS = st.sets(st.integers(1, 60))


def taken_of(numbers):
    taken = Taken()
    for number in numbers:
        taken.add(number)
    return taken


def numbers_of(taken):
    return {number for number in range(1, 80) if number in taken}


def test_nothing_is_taken_at_first():
    taken = Taken()

    assert (taken.upto, taken.beyond, taken.dump(), taken.ranges()) == (0, set(), "0", "")
    assert 1 not in taken


def test_it_is_written_as_a_count_and_ranges():
    taken = Taken(12, [15, 16, 17, 20])

    assert taken.dump() == "12 15-17 20"
    assert taken.ranges() == "15-17 20"
    assert repr(taken) == "<taken: 12 15-17 20>"
    assert Taken(3).dump() == "3"
    assert Taken(0, [2, 3]).dump() == "0 2-3"


def test_the_gap_that_is_filled_is_gone():
    taken = Taken(1, [3, 4, 6])

    taken.add(2)

    assert (taken.upto, taken.beyond) == (4, {6})


@QUICK
@given(NUMBERS, st.randoms())
def test_the_order_of_taking_makes_no_difference(numbers, random):
    ordered, mixed = sorted(numbers), sorted(numbers)
    random.shuffle(mixed)

    one, other = taken_of(ordered), taken_of(mixed)

    assert one.dump() == other.dump()
    assert numbers_of(one) == numbers
    assert one.upto + 1 not in one
    assert all(number > one.upto + 1 for number in one.beyond)


@QUICK
@given(st.lists(st.integers(1, 12)))
def test_a_message_that_is_noted_twice_is_taken_once(numbers):
    assert taken_of(numbers).dump() == taken_of(sorted(set(numbers))).dump()


@QUICK
@given(NUMBERS)
def test_what_is_written_is_read(numbers):
    taken = taken_of(numbers)

    read = Taken.load(taken.dump())

    assert (read.upto, read.beyond) == (taken.upto, taken.beyond)
    assert Taken.load(f"{taken.upto} {taken.ranges()}").dump() == taken.dump()


@QUICK
@given(NUMBERS, NUMBERS)
def test_both_together(some, others):
    one, other = taken_of(some), taken_of(others)
    before = one.dump(), other.dump()

    both = one | other

    assert numbers_of(both) == some | others
    assert both.dump() == (other | one).dump() == taken_of(some | others).dump()
    assert (one.dump(), other.dump()) == before


def test_a_copy_is_on_its_own():
    taken = Taken(1, [3])
    copy = taken.copy()

    copy.add(2)
    taken.add(5)

    assert (taken.dump(), copy.dump()) == ("1 3 5", "3")


def test_many_out_of_order_are_cheap():
    taken = Taken()
    for number in range(100_000, 0, -1):
        taken.add(number)

    assert (taken.upto, taken.beyond) == (100_000, set())
