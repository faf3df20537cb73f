"""What counts as hung: beats, phases and partitions against a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.takeover.joining import PATIENT_SESSIONS, Joining
from streams.engine.watch.lag import Lags, Place, judge
from streams.engine.watch.marks import Marks, Phase
from streams.engine.watch.supervisor import Patience

pytestmark = pytest.mark.urs("M4.4")

KEY = ("orders", 0)


def test_a_phase_may_take_its_own_waits_and_the_limit_and_no_more() -> None:
    marks = Marks(60)
    assert marks.overdue(1e9) == "", "nothing has begun"
    marks.enter(Phase.COMMITTING, 100.0, waits_s=90)
    assert marks.overdue(250.0) == ""
    assert marks.overdue(250.1) == "committing for 150.1 s (allowed: 150 s)"
    assert marks.overdue(220.1, 0.5) == "committing for 120.1 s (allowed: 120 s)"
    marks.enter(Phase.STAGES, 251.0)
    assert marks.overdue(311.0) == ""
    assert marks.overdue(311.5) == "running the stages for 60.5 s (allowed: 60 s)"


def test_without_a_limit_nothing_is_overdue() -> None:
    marks = Marks(0)
    marks.enter(Phase.POLLING, 1.0)
    assert marks.overdue(1e9) == ""


def test_who_waits_in_a_commit_is_held_up_and_who_polls_is_not() -> None:
    marks = Marks(5.0)
    marks.enter(Phase.COMMITTING, 10.0, waits_s=30.0)
    assert not marks.is_held_up(10.5)
    assert marks.is_held_up(11.5)
    marks.enter(Phase.POLLING, 11.6)
    assert not marks.is_held_up(60.0)


def test_a_process_that_stood_still_blames_no_phase() -> None:
    marks = Marks(5)
    marks.enter(Phase.POLLING, 9.0)
    assert not marks.beat(10.0, 0.5)
    assert not marks.beat(11.0, 0.5), "half a second late is a busy machine"
    assert marks.beat(60.0, 0.5)
    assert marks.overdue(64.9) == ""
    assert marks.overdue(65.1) != ""


@given(
    pauses=st.lists(st.floats(0.01, 1.4), max_size=60),
    limit=st.floats(3, 60),
)
def test_a_worker_that_beats_in_time_is_never_silent(pauses: list[float], limit: float) -> None:
    now = 100.0
    patience = Patience(limit, now)
    for pause in pauses:
        now += pause
        assert patience.silence(now - 0.5, now, 0.4) <= limit


def test_silence_is_counted_from_the_last_beat_once_beating_began() -> None:
    patience = Patience(5, 0.0)
    looks = [x / 2 for x in range(1, 100)]
    assert all(patience.silence(0.0, now, 0.5) == 0.0 for now in looks), "a start is not judged"
    silent = [patience.silence(50.0, 50.0 + now, 0.5) for now in looks]
    assert silent[9] == pytest.approx(5.0)
    assert silent[10] > 5


@given(asleep=st.floats(2, 10_000), before=st.floats(0, 4))
def test_a_supervisor_that_slept_too_long_counts_anew(asleep: float, before: float) -> None:
    patience = Patience(5, 0.0)
    patience.silence(1.0, 1.0 + before, before)
    assert patience.silence(1.0, 1.0 + before + asleep, 0.5) == 0.0
    assert patience.silence(1.0, 1.5 + before + asleep, 0.5) == pytest.approx(0.5)


def test_a_stopped_worker_is_excused() -> None:
    patience = Patience(5, 0.0)
    for second in range(1, 100):
        patience.silence(1.0, float(second), 1.0)
        patience.excuse(float(second))
    assert patience.silence(1.0, 100.0, 1.0) == pytest.approx(1.0)


def observed(*places: tuple[float, int, int]) -> Lags:
    lags = Lags()
    for now, position, end in places:
        lags.observe({KEY: (position, end)}, now)
    return lags


def test_a_partition_that_moves_is_no_suspect() -> None:
    lags = observed(*((float(n), n, 1_000) for n in range(100)))
    assert lags.suspects(100.0, 5) == {}
    assert lags.places[KEY].lag == 901


def test_a_partition_that_stands_is_asked_about_even_without_a_known_lag() -> None:
    lags = observed((0.0, 10, 10), (9.0, 10, 10))
    assert lags.suspects(5.0, 5) == {}
    assert lags.suspects(5.1, 5) == {KEY: lags.places[KEY]}


def test_nothing_to_read_excuses() -> None:
    place = Place(10, -1, 0.0)
    assert not judge(place, 10, 50.0)
    assert (place.since, place.lag) == (50.0, 0)


def test_a_silent_broker_excuses() -> None:
    place = Place(10, 20, 0.0)
    assert not judge(place, None, 50.0)
    assert place.since == 50.0
    assert place.lag == 10, "what is known is kept"


def test_markers_at_the_end_are_found_out_once() -> None:
    place = Place(10, 12, 0.0)
    assert judge(place, 12, 50.0), "only a reading can tell"
    assert not judge(place, 12, 51.0, is_readable=False)
    assert (place.lag, place.since) == (0, 51.0)
    assert not judge(place, 12, 90.0), "the same end needs no second reading"
    assert judge(place, 13, 130.0)


def test_a_record_that_the_cycle_did_not_get_is_stuck_until_it_moves() -> None:
    lags = observed((0.0, 10, 12))
    place = lags.places[KEY]
    assert not judge(place, 12, 31.0, is_readable=True)
    assert lags.stuck(40.0) == ["orders[0] stands at 10 for 40 s, its end is 12"]
    assert lags.stuck(90.9, 60) == [], "the time before the broker showed the record is excused"
    assert lags.stuck(91.1, 60) != []
    lags.observe({KEY: (11, 12)}, 92.0)
    assert lags.stuck(200.0) == []


def test_whoever_waits_for_others_is_not_stuck_and_what_left_is_forgotten() -> None:
    lags = observed((0.0, 10, 12))
    judge(lags.places[KEY], 12, 31.0, is_readable=True)
    lags.excuse(70.0)
    assert lags.stuck(75.0) == []
    assert lags.suspects(75.0, 5) == {}
    lags.observe({}, 80.0)
    assert lags.places == {}


def test_a_group_that_does_not_answer_is_asked_anew_and_that_is_told() -> None:
    joining = Joining(session_s=10)
    joining.asks(100)
    assert not joining.is_forgotten(100 + 10 * PATIENT_SESSIONS)
    assert joining.waiting == ""
    assert joining.is_forgotten(131)
    assert "no assignment for 31 s" in joining.waiting
    assert joining.rest_s(131) <= 0, "at once"
    # Told until there is an answer, and counted from the new consumer's question on.
    assert not joining.is_forgotten(500)
    joining.asks(131)
    assert not joining.is_forgotten(150)
    assert joining.is_forgotten(162)
    joining.asks(162)
    joining.answered()
    assert (joining.waiting, joining.is_forgotten(1_000)) == ("", False)


def test_a_member_that_is_refused_asks_again_after_a_pause_longer_each_time() -> None:
    joining, now, pauses = Joining(session_s=10), 100.0, []
    for _ in range(8):
        joining.asks(now)
        joining.refused("still taken", now)
        assert not joining.is_forgotten(now + 1_000)
        pauses.append(joining.rest_s(now))
        now += pauses[-1]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    assert joining.waiting == "still taken"
    joining.answered()
    joining.refused("taken again", now)
    assert joining.rest_s(now) == pytest.approx(0.1)
