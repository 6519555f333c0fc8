"""Which states an update goes through: those that were visited, in order where they are many, neighbours together."""

import numpy as np
import pytest

from pgfast.kernels.accounts import add_span, find_spans, make_accounts, see


def account(visits, n_states=64, n_actions=2, lists=True):
    """An account with one visit of each of these states, in this order."""
    accounts = make_accounts(1, n_states * n_actions, 0, counts=False, width=n_actions, lists=lists)
    count = 0
    for s in visits:
        accounts.sums[0, s * n_actions] = 1.0
        count = see(accounts, 0, s, count) if lists else 0
    if lists:
        accounts.seen[0, 0] = count
    return accounts


def spans_of(accounts):
    spans = np.zeros((66, 2), np.int64)
    find_spans(accounts, 0, spans)
    return spans[1 : spans[0, 0] + 1].tolist()


@pytest.mark.parametrize("lists", [True, False])
def test_neighbours_are_one_span(lists):
    visits = [7, 3, 5, 4, 7, 63, 0, 3]
    assert spans_of(account(visits, lists=lists)) == [[0, 2], [6, 12], [14, 16], [126, 128]]


def test_few_states_stay_in_the_order_of_their_first_visit():
    assert spans_of(account([7, 3, 7, 4])) == [[14, 16], [6, 10]]


def test_nothing_was_visited():
    assert spans_of(account([])) == []


def test_all_were():
    """…so that the list is full."""
    assert spans_of(account(range(63, -1, -1))) == [[0, 128]]


def test_spans_that_do_not_touch():
    spans = np.zeros((5, 2), np.int64)
    for first, stop in ((4, 8), (0, 4), (6, 7)):
        add_span(spans, first, stop)
    assert spans[: spans[0, 0] + 1].tolist() == [[3, 0], [4, 8], [0, 4], [6, 7]]
