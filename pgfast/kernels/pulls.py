"""The memory of the gradient bandit algorithm: a table's, of episodes of one step."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.kernels.statistics import CREDITED
from pgfast.kernels.tables import Table, see_episode


class Pulls(Table):
    """A lane's pull is its episode."""

    def end(self, algorithm, learner, w, accounts, account, i):
        """R − R̄ to the arm pulled; before the first pull has been learned from, R̄ is R."""
        m, sums, reward = w.memory, accounts.sums[account], w.lanes.returns[1, i]
        first = learner.runs[m.run[i], learner.played_at] == 0.0
        level = (reward if first else m.value[i]) if algorithm.baseline == 1 else 0.0
        if accounts.lists == 1:
            see_episode(self, i, w, accounts, account)
        sums[m.index[i]] += reward - level
        sums[accounts.stats_at + CREDITED] += reward
