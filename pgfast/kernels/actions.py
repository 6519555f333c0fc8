"""Actions: a whole number, or real ones. What differs between the two in a kernel stands here.

What the environment takes is a `Choices` or a `Reals`; a kernel is compiled for one of them, as for an environment. A
policy of choices samples with a uniform number, one of real actions with a standard normal one for each of its K
numbers. S = `sharing` steps have theirs from blocks drawn at the first of these steps.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import by_precision, lane_kernel
from pgfast.kernels.lanes import whole
from pgfast.random import first_block, first_block_single, first_block_words, normal_block, normal_block_single


def draw_uniforms_single(n, counter, k0, k1, uniforms):
    """As `draw_uniforms` in single precision."""
    for i in range(n):
        uniforms[0, i], uniforms[1, i], uniforms[2, i], uniforms[3, i] = first_block_single(
            counter[0, i], counter[1, i], counter[2, i], counter[3, i], k0, k1
        )


@by_precision(draw_uniforms_single)
def draw_uniforms(n, counter, k0, k1, uniforms):
    """The numbers of the block at each lane's counter: two, or where there is room for four, four of 32 bits."""
    if uniforms.shape[0] == 4:
        for i in range(n):
            uniforms[0, i], uniforms[1, i], uniforms[2, i], uniforms[3, i] = first_block_words(
                counter[0, i], counter[1, i], counter[2, i], counter[3, i], k0, k1
            )
    else:
        for i in range(n):
            uniforms[0, i], uniforms[1, i] = first_block(
                counter[0, i], counter[1, i], counter[2, i], counter[3, i], k0, k1
            )


def draw_normals_single(n, count, counter, k0, k1, normals):
    """As `draw_normals` in single precision."""
    for b in range((count + 3) // 4):
        for i in range(n):
            normals[4 * b, i], normals[4 * b + 1, i], normals[4 * b + 2, i], normals[4 * b + 3, i] = (
                normal_block_single(counter[0, i], counter[1, i], counter[2, i], counter[3, i], k0, k1, b)
            )


@by_precision(draw_normals_single)
def draw_normals(n, count, counter, k0, k1, normals):
    """At least the first `count` of the policy's normal numbers at each lane's counter."""
    for b in range((count + 1) // 2):
        for i in range(n):
            normals[2 * b, i], normals[2 * b + 1, i] = normal_block(
                counter[0, i], counter[1, i], counter[2, i], counter[3, i], k0, k1, b
            )


@lane_kernel
def move_up(n, first, used, rows):
    """The numbers from row `first` on become those of this step, which uses `used` of them."""
    for r in range(used):
        for i in range(n):
            rows[r, i] = rows[first + r, i]


@lane_kernel
def hand_out_choices(n, first, lanes, out):
    """Entries first, … of `out` from n lanes; returns the last."""
    for i in range(n):
        out[first + i] = lanes.action[i]
    return lanes.action[n - 1]


@lane_kernel
def hand_out_reals(n, first, lanes, out):
    """Rows first, … of `out` from n lanes; returns 0."""
    for k in range(lanes.reals.shape[0]):
        for i in range(n):
            out[first + i, k] = lanes.reals[k, i]
    return 0


@lane_kernel
def accept_choices(n, first, smallest, given, lanes):
    """Entries first, … of `given` into n lanes."""
    for i in range(n):
        lanes.action[i] = given[first + i] - smallest


@lane_kernel
def accept_reals(n, first, given, lanes):
    """Rows first, … of `given` into n lanes."""
    for k in range(lanes.reals.shape[0]):
        for i in range(n):
            lanes.reals[k, i] = given[first + i, k]


class Choices(NamedTuple):
    """One of several actions: ``lanes.action``, counted from 0."""

    first: int  # what the environment calls action 0
    like: tuple[()] = ()  # no real numbers

    def draw(self, n, sharing, k0, k1, lanes):
        """The numbers of the steps that share a block, of which this is the first."""
        draw_uniforms(n, lanes.counter, k0, k1, lanes.uniforms)

    def advance(self, n, late, sharing, lanes):
        """The numbers of the step that is `late` steps after the first become those of this step: the policy's, and the
        environment's where it takes any."""
        used = lanes.uniforms.shape[0] >> (sharing >> 1)
        move_up(n, late * used, used, lanes.uniforms)

    def taken(self, chosen, real, beside):
        """The action as `step` has it, from what a lane has of either kind; an int as wide as the float `beside` it.
        (Numbers, no arrays: where a step looks up tables, LLVM would lose sight of what shares memory with what.)"""
        return whole(chosen + self.first, beside)

    def hand_out(self, n, first, lanes, out):
        """Actions of n lanes, to entries first, … of `out` (N,); returns the last."""
        return hand_out_choices(n, first, lanes, out)

    def accept(self, n, first, given, lanes):
        """Entries first, … of `given` (N,), as `step` has them, into n lanes."""
        accept_choices(n, first, self.first, given, lanes)

    def serve(self, i, lanes, out, k):
        """Lane i's action, as the environment calls it, to entry k of `out` (N,)."""
        out[k] = lanes.action[i] + self.first


class Reals(NamedTuple):
    """K real numbers: the rows of ``lanes.reals``."""

    like: Any  # an action as `step` has it: a float, or a tuple of floats

    def draw(self, n, sharing, k0, k1, lanes):
        """As of `Choices`; where the environment takes no numbers there are no uniform ones."""
        if sharing < lanes.uniforms.shape[0]:
            draw_uniforms(n, lanes.counter, k0, k1, lanes.uniforms)
        draw_normals(n, sharing * lanes.reals.shape[0], lanes.counter, k0, k1, lanes.normals)

    def advance(self, n, late, sharing, lanes):
        """As of `Choices`."""
        if sharing < lanes.uniforms.shape[0]:
            used = lanes.uniforms.shape[0] >> (sharing >> 1)
            move_up(n, late * used, used, lanes.uniforms)
        move_up(n, late * lanes.reals.shape[0], lanes.reals.shape[0], lanes.normals)

    def taken(self, chosen, real, beside):
        """As of `Choices`."""
        return real

    def hand_out(self, n, first, lanes, out):
        """Actions of n lanes, to rows first, … of `out` (N, K); returns 0."""
        return hand_out_reals(n, first, lanes, out)

    def accept(self, n, first, given, lanes):
        """Rows first, … of `given` (N, K) into n lanes."""
        accept_reals(n, first, given, lanes)

    def serve(self, i, lanes, out, k):
        """Lane i's action to row k of `out` (N, K)."""
        for r in range(lanes.reals.shape[0]):
            out[k, r] = lanes.reals[r, i]
