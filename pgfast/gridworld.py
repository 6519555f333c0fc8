"""Environments on a map: where each state lies in the picture that the environment draws, and where actions lead.

An environment is on a map if all that its drawings of different states differ in is a disc, the agent.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.drawing import Circle, Shape
from pgfast.environments import Source
from pgfast.exact.enumeration import Enumeration
from pgfast.exact.model import model_of
from pgfast.probe import call_method

_MOST_STATES = 2500  # that a picture has room for
_JUMP = 2.5  # tiles: a step that goes as far is no move
_NOWHERE = 0.25  # of the longest mean move: a shorter one has no direction


class Gridworld(NamedTuple):
    """A map of S states, in the unit square."""

    background: list[Shape]
    place: np.ndarray  # (S, 2): the middle of each state's tile
    side: float  # of a tile
    moves: np.ndarray  # (A, 2): which way each action leads, of length 1; 0 if nowhere
    goes_on: np.ndarray  # bool (S,): whether something is done there


def gridworld(source: Source, table: Enumeration) -> Gridworld | None:
    """The map of an environment, None where it has none."""
    owner: Any = source.origin if source.origin is not None else source.env
    n = len(table.states)
    if not hasattr(owner, "draw") or not 2 <= n <= _MOST_STATES:
        return None
    drawn = [list(call_method(owner, source.label, "draw", state)) for state in table.states]
    background = drawn[0][:-1]
    if not all(shapes and isinstance(shapes[-1], Circle) and shapes[:-1] == background for shapes in drawn):
        return None
    place = np.array([shapes[-1].center for shapes in drawn])
    apart = np.linalg.norm(place[:, None] - place, axis=-1)
    apart[apart == 0.0] = np.inf
    if len({tuple(row) for row in np.round(place, 9).tolist()}) < n:
        return None
    side = float(apart.min())
    return Gridworld(background, place, side, _moves(table, place, side), _goes_on(table))


def _moves(table: Enumeration, place: np.ndarray, side: float) -> np.ndarray:
    """The mean way that an action leads beside the others, in the nearest of eight directions: what a wind adds to all
    of them says nothing, an edge bends the mean a little, and jumps are no moves."""
    o, n_actions = table.mdp.outcomes, table.mdp.n_actions
    state, action = np.divmod(o.rows(), n_actions)
    onward = place[o.following] - place[state]
    weight = np.where(np.linalg.norm(onward, axis=1) < _JUMP * side, o.probability, 0.0)
    sums = [np.bincount(action, weight * way, n_actions) for way in onward.T]
    mean = np.stack(sums, axis=1) / np.maximum(np.bincount(action, weight, n_actions), 1e-300)[:, None]
    mean -= mean.mean(axis=0)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    angle = np.round(np.arctan2(mean[:, 1], mean[:, 0]) / (np.pi / 4)) * (np.pi / 4)
    ways = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.where(length > max(_NOWHERE * float(length.max()), 1e-9 * side), ways, 0.0)


def _goes_on(table: Enumeration) -> np.ndarray:
    """The states in which something is done: not those in which it is all over, bool (S,)."""
    model = model_of(table.mdp)
    onward = np.asarray(model.steps.sum(axis=1)).reshape(model.shape)
    return np.asarray(np.any((onward > 0.0) | (model.reward != 0.0), axis=1))
