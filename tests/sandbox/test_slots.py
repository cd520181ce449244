# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import threading
import time

from verl_sdpo.sandbox.slots import Slots


def test_no_more_than_its_number_are_in_at_once():
    slots, inside, most = Slots(3), [], []

    def work():
        for _ in range(50):
            with slots:
                inside.append(1)
                most.append(len(inside))
                time.sleep(0)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 3


def test_who_waits_longest_is_next_even_before_the_one_that_comes_back():
    slots, order = Slots(1), []

    def waiter(name):
        with slots:
            order.append(name)

    with slots:
        threads = []
        for name in "abc":
            threads.append(threading.Thread(target=waiter, args=(name,)))
            threads[-1].start()
            while len(slots._waiting) < len(threads):
                time.sleep(0.001)
    waiter("back")
    for thread in threads:
        thread.join()
    assert order == ["a", "b", "c", "back"]


def test_a_failure_gives_its_slot_back():
    slots = Slots(1)
    for _ in range(2):
        try:
            with slots:
                raise KeyError
        except KeyError:
            pass
    with slots:
        pass
