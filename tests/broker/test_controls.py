"""Can the tests of this folder fail? Each safety is taken out of its script once; then the test named must notice."""

import pytest

from taskpy import errors
from taskpy.keys import Keys
from taskpy.spec import State
from tests.broker import test_attempts as attempts
from tests.broker import test_checkpoints as checkpoints
from tests.broker import test_keyed as keyed
from tests.broker import test_messages as messages
from tests.broker import test_pausing as pauses
from tests.broker import test_questions as questions
from tests.broker import test_queues as queues
from tests.broker import test_receipts as receipts
from tests.broker import test_recover as recovers
from tests.broker import test_reports as reports
from tests.broker import test_stop as stops
from tests.broker import test_submit as submits
from tests.broker import test_take as takes
from tests.broker import test_trees as trees
from tests.broker import test_workers as workers
from tests.broker.test_walk import STEPS, Walk

CONTROLS = {
    "an accepted id is accepted again": (
        "submit",
        "if state then return state end",
        "",
        submits.test_a_task_submitted_twice_is_there_once,
    ),
    "an accepted id is accepted again among many": (
        "submit_many",
        "if answers[n] == 'new' then",
        "if true then",
        submits.test_many_submitted_twice_are_there_once,
    ),
    "the end does not free the key": (
        "settle",
        "if key then vacate(keys.keyed, keys.later, key, id) end",
        "",
        lambda rig: keyed.test_the_end_frees_the_key(rig, "succeeded"),
    ),
    "a replaced task need not have ended": (
        "submit_keyed",
        "if not runs then",
        "if true then",
        keyed.test_one_that_runs_is_asked_and_the_next_one_begins_after_its_end,
    ),
    "a key is not looked at": (
        "submit_keyed",
        "local live, successor = entry_of(keyed, key)",
        "local live, successor = nil, ''",
        lambda rig: keyed.test_a_taken_key_is_told(rig, "join", "joined", False),
    ),
    "a refused submission is not remembered": (
        "submit_keyed",
        "or redis.call('GET', reply)",
        "",
        lambda rig: keyed.test_a_late_copy_of_a_refused_submission_submits_nothing(rig, "join"),
    ),
    "one that waits for its turn keeps it after its end": (
        "stop",
        "elseif successor == id then",
        "elseif false then",
        keyed.test_a_stop_takes_one_that_waits_for_its_turn_out,
    ),
    "a revival does not look at the key": (
        "revive",
        "  if live then\n",
        "  if false then\n",
        keyed.test_it_is_refused_while_another_has_the_key,
    ),
    "a namespace that has tasks is cut": (
        "divide",
        "or redis.call('EXISTS', queues) == 1",
        "",
        submits.test_a_namespace_that_has_tasks_is_not_cut,
    ),
    "no fence": (
        "settle",
        "state == 'running' and current == token then",
        "state == 'running' then",
        recovers.test_recover_starts_the_task_elsewhere_and_fences_the_old_attempt,
    ),
    "start does not look into held": (
        "start",
        "not closed and claimed[i + 1] == token",
        "not closed",
        workers.test_a_late_start_of_a_claim_that_was_given_back_does_nothing,
    ),
    "the claim number is not closed": (
        "lose",
        "redis.call('HSET', held, '#', '9007199254740991')",
        "",
        workers.test_start_after_the_worker_was_lost_does_nothing,
    ),
    "a late claim is not refused": (
        "claim",
        "if not last or number < last then return 0 end",
        "if not last then return 0 end",
        workers.test_a_late_copy_of_an_earlier_claim_is_refused,
    ),
    "an id twice in one claim is kept": (
        "claim",
        "not seen[id] and",
        "",
        workers.test_an_id_twice_in_one_claim_is_started_once,
    ),
    "no guard against outages in due": (
        "due",
        "time >= hold and time or 0",
        "time",
        recovers.test_after_an_outage_every_worker_gets_one_lease_to_be_heard,
    ),
    "no guard against outages in lose": (
        "lose",
        "tonumber(score) > time or held_up",
        "tonumber(score) > time",
        recovers.test_after_an_outage_every_worker_gets_one_lease_to_be_heard,
    ),
    "a clean-up does not look at the token": (
        "giveback",
        "redis.call('HGET', held, id) == token",
        "true",
        lambda rig: attempts.test_a_late_end_does_not_touch_a_newer_claim_that_has_not_started(rig, "giveback"),
    ),
    "recover does not look at the mark of death": (
        "recover",
        "if tonumber(redis.call('ZSCORE', lease, wid) or 0) ~= 0 then return 0 end",
        "",
        recovers.test_recover_touches_nothing_of_a_living_worker,
    ),
    "a lost worker can be renewed by due": (
        "due",
        "redis.call('ZSCORE', lease, wid) or 0) == 0",
        "redis.call('ZSCORE', lease, wid) or 1) == -1",
        workers.test_due_renews_several_at_once_and_says_who_is_not_known,
    ),
    "who is renewed by due is looked at before": (
        "due",
        "for i = 4, #ARGV do",
        "for i = 4, 0 do",
        workers.test_who_is_renewed_by_due_is_not_called_silent_by_it,
    ),
    "a lost worker can be renewed": (
        "renew",
        "redis.call('ZSCORE', lease, wid) or 0) == 0",
        "redis.call('ZSCORE', lease, wid) or 1) == -1",
        workers.test_a_lost_worker_never_comes_back,
    ),
    "no gravestone": (
        "join",
        "redis.call('GET', worker) == 'dead'",
        "false",
        workers.test_a_join_on_its_way_does_not_come_after_the_death,
    ),
    "no restored entry": (
        "start",
        "redis.call('HSET', held, id, current)",
        "",
        workers.test_a_second_entry_in_the_queue_leaves_the_running_attempt_protected,
    ),
    "no restored entry in giveback": (
        "giveback",
        "redis.call('HSET', held, id, current)",
        "",
        workers.test_giving_a_second_entry_back_leaves_the_running_attempt_protected,
    ),
    "messages are not numbered": (
        "send",
        "tonumber(counted or 0) >= tonumber(number)",
        "false",
        messages.test_a_message_sent_twice_arrives_once,
    ),
    "outgoing messages have no place": (
        "mark",
        "math.max(0, sent - before)",
        "0",
        messages.test_a_late_copy_sends_nothing,
    ),
    "reports have no number": (
        "report",
        "if by == token and tonumber(before) >= tonumber(number) then return 1 end",
        "",
        reports.test_a_repeated_report_adds_nothing,
    ),
    "a late report counts": (
        "report",
        "tonumber(before) >= tonumber(number)",
        "tonumber(before) == tonumber(number)",
        reports.test_an_old_report_that_arrives_late_changes_nothing,
    ),
    "a report has no fence": (
        "report",
        "if state ~= 'running' or current ~= token then return 0 end",
        "",
        lambda rig: reports.test_only_the_attempt_that_owns_the_task_reports(rig, "started again"),
    ),
    "lines are kept for ever": (
        "report",
        "if #old > 0 then redis.call('HDEL', task, unpack(old)) end",
        "",
        reports.test_the_last_lines_are_kept,
    ),
    "a revival is not remembered": (
        "revive",
        "redis.call('HSET', task, 'heir', new_id)",
        "",
        submits.test_revive_after_the_heir_has_expired_starts_nothing,
    ),
    "a pause is not looked at": (
        "claim",
        "if since[(i - 1) / 2] then",
        "if false then",
        queues.test_nothing_is_claimed_from_a_paused_queue,
    ),
    "the bell of a paused queue rings on": (
        "claim",
        "redis.call('DEL', bell)",
        "redis.call('HDEL', held, '')",
        queues.test_a_paused_queue_takes_tasks_and_wakes_nobody_for_long,
    ),
    "a purge does not look whether the task waits": (
        "purge",
        "removed > 0 and values[1] == 'queued'",
        "values[1] == 'queued'",
        queues.test_only_what_waits_is_ended,
    ),
    "a purge does not look whether the task has ended": (
        "purge",
        "removed > 0 and values[1] == 'queued'",
        "removed > 0",
        queues.test_an_entry_of_an_ended_task_goes_too,
    ),
    "a late take is not noticed": (
        "take",
        "if number > last then",
        "if true then",
        takes.test_a_late_copy_takes_nothing,
    ),
    "a lost worker may take": (
        "take",
        "if not last or last >= 9007199254740991 then",
        "if not last then",
        takes.test_a_worker_that_is_not_known_or_lost_takes_nothing,
    ),
    "a late mark is not noticed": (
        "mark",
        "if number > tonumber(last or 0) then",
        "if number > 0 then",
        checkpoints.test_a_late_copy_of_a_checkpoint_changes_nothing,
    ),
    "a mark takes back what was acknowledged": (
        "mark",
        "math.max(acknowledged, math.min(done, received))",
        "math.min(done, received)",
        checkpoints.test_a_task_that_knows_of_less_than_redis_takes_nothing_back,
    ),
    "a mark acknowledges what was never sent": (
        "mark",
        "math.max(acknowledged, math.min(done, received))",
        "math.max(acknowledged, done)",
        checkpoints.test_a_task_that_knows_of_more_messages_than_redis_loses_none,
    ),
    "no fence for a mark": (
        "mark",
        "if state ~= 'running' or current ~= token then return 0 end",
        "if not state then return 0 end",
        lambda rig: checkpoints.test_a_checkpoint_is_fenced(rig, "lost"),
    ),
    "every lost worker counts": (
        "recover",
        "lost - (before or 0)",
        "lost",
        checkpoints.test_lost_workers_are_counted_since_the_last_checkpoint,
    ),
    "every mark is progress": (
        "mark",
        "if with_state then redis.call('HSET', task, 'cp', ARGV[6], 'cb', lost or 0) end",
        "redis.call('HSET', task, 'cp', ARGV[6], 'cb', lost or 0)",
        lambda rig: checkpoints.test_only_a_checkpoint_says_that_it_has_come_further(rig, "an acknowledgement"),
    ),
    "a state stays after the end": (
        "settle",
        "redis.call('HDEL', keys.task, 'cp')",
        "",
        lambda rig: checkpoints.test_only_a_failed_task_keeps_its_state(rig, State.SUCCEEDED),
    ),
    "no fence for an answer": (
        "seen",
        "if state ~= 'running' or current ~= ARGV[1] then return 0 end",
        "if not state then return 0 end",
        lambda rig: receipts.test_an_answer_is_fenced(rig, "running elsewhere"),
    ),
    "an answer does not look whether the task runs": (
        "seen",
        "if state ~= 'running' or current ~= ARGV[1] then return 0 end",
        "if current ~= ARGV[1] then return 0 end",
        lambda rig: receipts.test_an_answer_is_fenced(rig, "ended"),
    ),
    "no fence for options": (
        "adopt",
        "if state ~= 'running' or current ~= token then return 0 end",
        "if not state then return 0 end",
        stops.test_adopt_is_fenced,
    ),
    "a stop can become milder": (
        "stop",
        "known == 'kill' and known or follows",
        "follows",
        lambda rig: stops.test_asked_again_it_can_only_become_stricter(
            rig, ("kill", 60.0), ("raise", 60.0), ("kill", 60.0)
        ),
    ),
    "a stop can be put off": (
        "stop",
        "math.min(deadline or math.huge, now() + grace)",
        "now() + grace",
        lambda rig: stops.test_asked_again_it_can_only_become_stricter(
            rig, ("kill", 30.0), ("kill", 60.0), ("kill", 30.0)
        ),
    ),
    "the last to ask counts": (
        "stop",
        "if not asked then",
        "if true then",
        stops.test_who_asked_and_why_stays_as_it_was_first,
    ),
    "an event is written each time": (
        "stop",
        "if not asked then",
        "if true then",
        stops.test_a_running_task_is_asked,
    ),
    "spawn does not look at the tree stop": (
        "spawn",
        "if tree then return 'stopping' end",
        "",
        trees.test_nothing_is_spawned_once_the_tree_is_to_stop,
    ),
    "spawn is not fenced": (
        "spawn",
        "if state ~= 'running' or token ~= ARGV[9] then return 'fenced' end",
        "",
        trees.test_only_the_running_attempt_spawns,
    ),
    "a child is spawned twice": (
        "spawn",
        "if known then return known end",
        "",
        trees.test_a_child_is_spawned_once,
    ),
    "an end forgets its children": (
        "settle",
        "fell(keys.task, keys.felling, id, ended)",
        "",
        lambda rig: trees.test_an_end_remembers_whose_children_are_to_stop(rig, "stop", "succeeded", True),
    ),
    "a stop of the tree forgets the children": (
        "stop",
        "if children then fell(task, felling, id, now()) end",
        "",
        trees.test_a_tree_that_is_to_stop_is_remembered_until_all_were_asked,
    ),
    "a stop of the tree can become milder": (
        "stop",
        "before == 'kill' and before or follows",
        "follows",
        trees.test_what_follows_only_becomes_stricter,
    ),
    "a late word that all were asked counts": (
        "felled",
        "(redis.call('HGET', task, 'fell') or 'gone') == ARGV[2] and id or ''",
        "id",
        trees.test_a_late_word_that_all_were_asked_does_not_count,
    ),
    "a question is put twice": (
        "ask",
        "tonumber(counted or 0) >= tonumber(number)",
        "false",
        questions.test_a_running_task_is_asked_and_answers,
    ),
    "there is no end of questions": (
        "ask",
        "if #all >= tonumber(limit) then return 'full' end",
        "",
        questions.test_so_many_may_wait,
    ),
    "no fence for replies": (
        "respond",
        "if state ~= 'running' or current ~= token then return 0 end",
        "if not state then return 0 end",
        lambda rig: questions.test_answers_are_fenced(rig, "started again"),
    ),
    "a question is replied to twice": (
        "respond",
        "if rest then -- else: answered before, or retracted",
        "rest = rest or open or ''; do",
        questions.test_a_question_is_answered_once,
    ),
    "replies are kept for ever": (
        "respond",
        "if #all > limit then redis.call('HDEL', task, 'a:' .. table.remove(all, 1)) end",
        "",
        questions.test_so_many_answers_are_kept_that_nobody_fetches,
    ),
    "an answer is told to who has not asked": (
        "orders",
        "string.match(posed_by or '', '^(.*) %d+$') == token",
        "true",
        lambda rig: questions.test_the_question_of_a_lost_attempt_goes_on(rig, answered=True),
    ),
    "no fence for a question": (
        "pose",
        "if state ~= 'running' or current ~= token then return 0 end",
        "if not state then return 0 end",
        lambda rig: questions.test_answers_are_fenced(rig, "started again"),
    ),
    "a late question counts": (
        "pose",
        "if by == token and tonumber(last) > count then return 0 end",
        "",
        questions.test_a_late_copy_of_a_question_asks_nothing,
    ),
    "a question is asked twice": (
        "pose",
        "if not (by == token and tonumber(last) == count) then",
        "if true then",
        questions.test_a_task_asks_and_is_answered,
    ),
    "the question of a lost attempt is forgotten": (
        "pose",
        "if by == token or known ~= question then",
        "if true then",
        lambda rig: questions.test_the_question_of_a_lost_attempt_goes_on(rig, answered=True),
    ),
    "any question of a lost attempt goes on": (
        "pose",
        "if by == token or known ~= question then",
        "if by == token then",
        questions.test_another_question_of_the_next_attempt_is_another,
    ),
    "the last answer counts": (
        "answer",
        "if answered then return 'answered' end",
        "",
        questions.test_the_first_answer_counts,
    ),
    "an answer is for any question": (
        "answer",
        "if asked ~= number or not question then",
        "if not question then",
        questions.test_an_answer_is_for_the_question_of_that_number,
    ),
    "an answer is not known again": (
        "answer",
        "if asked == number and known == name then return 'accepted' end",
        "",
        questions.test_a_task_asks_and_is_answered,
    ),
    "no fence for a withdrawal": (
        "withdraw",
        "if state ~= 'running' or current ~= token then return 0 end",
        "if not state then return 0 end",
        lambda rig: questions.test_answers_are_fenced(rig, "started again"),
    ),
    "no fence for a park": (
        "park",
        "if state ~= 'running' or current ~= token then return 0 end",
        "if not state then return 0 end",
        pauses.test_a_park_is_fenced,
    ),
    "a late park counts": (
        "park",
        "or orders ~= known then",
        "then",
        pauses.test_a_late_copy_of_a_park_does_not_count_for_another_pause,
    ),
    "who was not asked stands still": (
        "park",
        "if not since or orders",
        "if orders",
        pauses.test_who_was_not_asked_does_not_stand_still,
    ),
    "a child of a tree at rest runs": (
        "spawn",
        "if paused_by then",
        "if false then",
        pauses.test_what_a_task_spawns_begins_at_rest_where_its_tree_does,
    ),
    "a late pause counts": (
        "pause_task",
        "if last and not since then",
        "if not since then",
        lambda rig: pauses.test_a_late_copy_of_a_pause_changes_nothing(rig, effect=True),
    ),
    "a pause that changes nothing is not remembered": (
        "pause_task",
        "if last then redis.call('HSET', task, 'pl', last) end",
        "if last and not since then redis.call('HSET', task, 'pl', last) end",
        lambda rig: pauses.test_a_late_copy_of_a_pause_changes_nothing(rig, effect=False),
    ),
    "the second pause counts": (
        "pause_task",
        "if last and not since then",
        "if last then",
        pauses.test_asked_again_it_is_asked_once,
    ),
    "a late resume counts": (
        "resume_task",
        "last = remembered(last, name)",
        "last = name",
        lambda rig: pauses.test_a_late_copy_of_a_resume_changes_nothing(rig, effect=True),
    ),
    "an answer that has come is withdrawn": (
        "withdraw",
        "if answer then return { answer } end",
        "",
        questions.test_what_is_answered_is_not_withdrawn,
    ),
    "a late withdrawal counts": (
        "withdraw",
        "if last ~= number then return 1 end",
        "",
        questions.test_a_late_copy_of_a_question_asks_nothing,
    ),
    "a checkpoint takes any answer out": (
        "mark",
        "if settled and redis.call('HGET', task, 'pn') == settled then",
        "if settled then",
        lambda rig: questions.test_a_checkpoint_with_the_answer_takes_it_out(rig, 2),
    ),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_without_the_safety_its_test_fails(fake_rig, name):
    verb, safety, nothing, test = CONTROLS[name]
    fake_rig.break_script(verb, safety, nothing)

    with pytest.raises(AssertionError):
        test(fake_rig)


def test_the_guard_notices_a_first_write_that_needs_memory(fake_rig):
    fake_rig.break_script("renew", "redis.call('ZREM', lease, '')", "")
    fake_rig.join()

    with pytest.raises(errors.Refused, match="the first write needs memory: ZADD"):
        fake_rig.renew()


def test_the_guard_notices_a_key_that_is_not_declared(fake_rig):
    fake_rig.break_script("ring", "return 0", "return redis.call('GET', 'foreign')")

    with pytest.raises(errors.Refused, match="key is not declared: foreign"):
        fake_rig.ring()


#: What a walk notices, and the seed of one that does so soon; after a change to the walk others are tried, too.
WALKS = {
    "an accepted id is accepted again": 3,
    "start does not look into held": 1,
    "the claim number is not closed": 19,
    "an id twice in one claim is kept": 18,
    "a pause is not looked at": 22,
    "no restored entry": 6,
    "messages are not numbered": 8,
    "outgoing messages have no place": 6,
    "reports have no number": 5,
    "an event is written each time": 6,
    "no fence for a mark": 2,
    "a state stays after the end": 5,
    "a stop can be put off": 2,
    "the last to ask counts": 2,
}


@pytest.mark.parametrize("name", WALKS)
def test_without_the_safety_a_walk_ends_badly(fake_rig, name):
    verb, safety, nothing, _ = CONTROLS[name]
    fake_rig.break_script(verb, safety, nothing)

    with pytest.raises(AssertionError, match=r"I\d+: "):
        for seed in (WALKS[name], *range(1, 8)):  # one walk may miss it
            fake_rig.keys = Keys(f"walk-{seed}")
            walk = Walk(fake_rig, seed=seed)
            for _ in range(STEPS):
                walk.step()
