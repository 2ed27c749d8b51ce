# SPDX-License-Identifier: GPL-2.0
"""How often an operation was tried, where, and what for: in every order that the engines have."""

import os
import unittest

from timeline.model import build
from timeline.parse import parse
from timeline.rules import rule
from timeline.sentences import course, explain, result

from .made import Made
from .test_parse import recording

CALLING = "in the calling thread"
WAITING = "in the waiting thread, made 10"


class Orders(unittest.TestCase):
    def told(self, made):
        path = made.write()
        self.addCleanup(os.unlink, path)
        run = build(parse(path))
        return course(run, run.by_end[-1])

    def ends(self, made, words):
        text = self.told(made)
        self.assertTrue(text.endswith(words), text)

    def submitted(self, engine="poll", **about):
        """With a worker, where 20 is the other end."""
        return Made(engine).worker(5).attach(10).submit(20, **about)

    def waiting(self, engine="poll"):
        """Tried once by its submitter, and armed."""
        return self.submitted(engine).attempt(21).arm(22)


class AtOnce(Orders):
    def test_one_attempt(self):
        made = self.submitted().attempt(21, ret=0, moved=5).complete(22, moved=5)
        self.ends(made, f"made 10 submitted it, and its first attempt, {CALLING}, ended it")

    def test_an_event_during_the_first(self):
        made = self.submitted().attempt(21).attempt(23, ret=0, moved=5).complete(24, moved=5)
        self.ends(made, "made 10 submitted it; an event came during its first attempt, and its "
                        f"second attempt, {CALLING}, ended it")

    def test_an_event_during_the_second(self):
        made = self.submitted().attempt(21).attempt(23).attempt(25, ret=-104)
        self.ends(made.complete(26, "error", -104), "an event came during its second attempt, and "
                  f"its third attempt, {CALLING}, ended it")

    def test_a_part_each_time(self):
        made = self.submitted(opcode="send").attempt(21, ret=1, moved=30)
        made.attempt(22, ret=0, moved=64).complete(23, moved=64, opcode="send")
        self.ends(made, "its first attempt had moved a part of it, and its second attempt, "
                        f"{CALLING}, ended it")

    def test_room_that_no_event_tells_of(self):
        made = self.submitted(opcode="send").attempt(21, ret=2).attempt(22, ret=0, moved=64)
        self.ends(made.complete(23, moved=64, opcode="send"), "there could be room again right "
                  f"after its first attempt, and its second attempt, {CALLING}, ended it")

    def test_more_often_than_there_are_words(self):
        made = self.submitted()
        for n in range(11):
            made.attempt(21 + n)
        made.attempt(40, ret=0, moved=5).complete(41, moved=5)
        self.ends(made, f"came during its attempt 11, and its attempt 12, {CALLING}, ended it")

    def test_ended_during_an_attempt(self):
        for reason, error, words in (("deadline", -62, "the deadline passed"),
                                     ("canceled", -125, "the cancel came"),
                                     ("closed", -9, "the close came")):
            self.ends(self.submitted().attempt(21).complete(22, reason, error),
                      f"made 10 submitted it, and {words} during its first attempt, {CALLING}")
            self.ends(self.submitted().attempt(21).attempt(23).complete(24, reason, error),
                      "an event came during its first attempt, and "
                      f"{words} during its second attempt, {CALLING}")


class Polled(Orders):
    def test_its_thread_tries_again(self):
        made = self.waiting().ready(30).taken(40).attempt(41, ret=0, moved=5)
        self.ends(made.complete(42, moved=5), "with no thread asleep for it; peer 20 made it "
                  f"ready, and its second attempt, {WAITING}, ended it")

    def test_a_worker_tries_again(self):
        made = self.waiting().ready(30).taken(40, pid=11).attempt(41, ret=0, moved=5, pid=11)
        self.ends(made.complete(42, moved=5, pid=11), "peer 20 made it ready, and its second "
                  "attempt, in worker 11, ended it")

    def test_ready_twice(self):
        made = self.waiting().ready(30).taken(40).attempt(41).arm(42)
        made.ready(50).taken(60, pid=11).attempt(61, ret=0, moved=5, pid=11)
        self.ends(made.complete(62, moved=5, pid=11), "peer 20 made it ready, and its third "
                  "attempt, in worker 11, ended it")

    def test_an_event_during_the_second(self):
        made = self.waiting().ready(30).taken(40).attempt(41).attempt(42, ret=0, moved=5)
        self.ends(made.complete(43, moved=5), "an event came during its second attempt, and its "
                  f"third attempt, {WAITING}, ended it")

    def test_its_turn_was_over(self):
        made = self.submitted(opcode="send").attempt(21, ret=1, moved=30).arm(22, side="write")
        made.ready(22, side="write", pid=10).taken(40, pid=11)
        made.attempt(41, ret=0, moved=64, pid=11).complete(42, moved=64, opcode="send", pid=11)
        self.ends(made, "the turn of its first attempt was over, and its second attempt, "
                        "in worker 11, ended it")

    def test_its_turn_came(self):
        made = self.waiting().submit(30, id=2).arm(31, id=2).ready(40)
        made.taken(50).attempt(51, ret=0, moved=5).complete(52, moved=5)
        made.taken(53, id=2).attempt(54, id=2, ret=0, moved=5).complete(55, id=2, moved=5)
        self.ends(made, f"its turn came, and its first attempt, {WAITING}, ended it")

    def test_ended_while_it_waited_anew(self):
        made = self.waiting().ready(30).taken(40).attempt(41).arm(42)
        self.ends(made.complete(60, "deadline", -62, pid=0, flags="d.h1."),
                  "the timer's interrupt ended it then and there")

    def test_too_late_for_another_attempt(self):
        made = self.waiting().ready(30).taken(40).complete(41, "deadline", -62)
        self.ends(made, "made 10 took it, and the deadline passed before another attempt")


class Threads(Orders):
    def handed_over(self):
        """To worker 11, as each that waits is."""
        return self.waiting("thread").ready(23, pid=10).taken(30, pid=11)

    def asleep(self):
        return self.handed_over().attempt(31, pid=11).arm(32, pid=11).block(33)

    def test_the_look_after_the_arming(self):
        made = self.handed_over().attempt(31, ret=0, moved=5, pid=11)
        self.ends(made.complete(32, moved=5, pid=11), "with no thread asleep for it; the socket was "
                  "looked at once more now that it was armed, and its second attempt, in worker "
                  "11, ended it")

    def test_an_event_during_that_look(self):
        made = self.handed_over().attempt(31, pid=11).attempt(32, ret=0, moved=5, pid=11)
        self.ends(made.complete(33, moved=5, pid=11), "an event came during its second attempt, "
                  "and its third attempt, in worker 11, ended it")

    def test_news_wake_the_worker(self):
        made = self.asleep().wake(50).taken(60, pid=11).attempt(61, ret=0, moved=5, pid=11)
        self.ends(made.complete(62, moved=5, pid=11), "worker 11 slept for it, interruptible, 17 us; "
                  "peer 20 woke it with news from the socket, and its third attempt, in worker "
                  "11, ended it")

    def test_an_event_before_it_slept(self):
        made = self.asleep().taken(35, pid=11).attempt(36, ret=0, moved=5, pid=11)
        self.ends(made.complete(37, moved=5, pid=11), "worker 11 was about to sleep for it; an "
                  "event came before it slept, and its third attempt, in worker 11, ended it")

    def test_woken_in_vain_and_then_interrupted(self):
        made = self.asleep().wake(50).taken(60, pid=11).attempt(61, pid=11).arm(62, pid=11)
        made.block(63).add(80, "cio_interrupt: conn=1 id=1 pid=11", 12).wake(81, pid=12)
        self.ends(made.complete(90, "canceled", -125, pid=11), "interruptible, 2 times, the last "
                  "time 18 us; other 12 won it and sent the worker SIGHUP, which woke it; the worker "
                  "ended it 10 us later")

    def test_interrupted_before_it_slept(self):
        made = self.asleep().add(34, "cio_interrupt: conn=1 id=1 pid=11", 12)
        self.ends(made.complete(36, "canceled", -125, pid=11), "worker 11 was about to sleep for "
                  "it; other 12 won it and sent the worker SIGHUP before it slept; the worker ended "
                  "it 2 us later")

    def test_ended_between_two_sleeps(self):
        made = self.asleep().wake(50).taken(60, pid=11).attempt(61, pid=11).arm(62, pid=11)
        self.ends(made.complete(63, "deadline", -62, pid=0, flags="d.h1."),
                  "17 us; the timer's interrupt ended it then and there")


class Steps(Orders):
    """What is a step, and of what."""

    def steps(self, made):
        path = made.write()
        self.addCleanup(os.unlink, path)
        run = build(parse(path))
        return run, [explain(run, step) for step in run.steps]

    def sleeps(self, made, us, woken):
        """Task 10, until an interrupt wakes it that is no timer of ours."""
        made.switch(us, prev=10).irq(woken, "sched_waking: comm=made pid=10 prio=120")
        return made.switch(woken + 1, following=10)

    def test_a_timer_of_others_wakes_it_in_vain(self):
        made = self.sleeps(self.sleeps(self.waiting(), 30, 40), 50, 60)
        made.attempt(65, ret=0, moved=5).complete(66, moved=5)
        run, said = self.steps(made)
        self.assertEqual(len([text for text in said if "sleeps for read 1" in text]), 1)
        self.assertEqual([step.t for step in run.steps if step.kind in ("wake", "wakes_up")],
                         [60_000, 61_000])
        self.assertEqual([arrow.ops for arrow in run.arrows], [(), (1,)])

    def test_one_that_does_something_in_between_sleeps_twice(self):
        made = self.sleeps(self.waiting(), 30, 40).attempt(45).arm(46)
        _, said = self.steps(self.sleeps(made, 50, 60).complete(66, moved=5))
        self.assertEqual(len([text for text in said if "sleeps for read 1" in text]), 2)

    def test_a_worker_without_work_sleeps_for_nothing(self):
        made = self.waiting().ready(30).taken(40, pid=11).attempt(41, pid=11).arm(42, pid=11)
        run, said = self.steps(made.switch(50, prev=11, state="I").complete(60, moved=5))
        self.assertIn("Worker 11 leaves the processor: there is no more work for it.", said)
        self.assertFalse(any("Worker 11" in text and "sleeps for" in text for text in said))

    def test_what_came_during_its_attempt_is_its_data(self):
        run = build(parse(recording("event-during-try")))
        self.assertIn("its data came, 16 bytes", result(run, run.ops[0]))
        self.assertEqual(rule(run.ops[0]), "C1")
