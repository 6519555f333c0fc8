"""Symmetric systems M x = b, damped: (M + λ diag M) x = b.

M is what moments of scores make, positive and maybe singular; its lower triangle stands row after row, entry (r, c) at
r (r + 1)/2 + c. λ is relative to each diagonal entry, so that x doesn't depend on the unit of any parameter (Levenberg–
Marquardt damping in Marquardt's form, 1963). A parameter whose diagonal entry is 0 has never had a score: its x is 0.

Cholesky factors and conjugate gradients (Hestenes & Stiefel 1952) both work on D⁻½ M D⁻½, D = diag M, whose diagonal
is 1. N unknowns.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import sqrt

from pgfast.compiler import leaf, routine

LEAST_DAMPING = 1e-10  # tried first where there is none and M is singular; then ten times as much
_PIVOT = 1e-14  # below which, times N, a pivot of the scaled matrix is a rounding error
_TOLERANCE = 1e-12  # of conjugate gradients: ‖b − M x‖ / ‖b‖


def room_for(n: int) -> int:
    """Numbers that `solve` works on."""
    return n * (n + 1) + 5 * n


@leaf
def place(r, c):
    """Where entry (r, c), c ≤ r, of a triangle stands."""
    return r * (r + 1) // 2 + c


@leaf
def size(n):
    """Entries of a triangle."""
    return n * (n + 1) // 2


@routine
def normalise(numbers, matrix, n, x, scales):
    """M becomes D⁻½ M D⁻½ and b, at numbers[x], …, D⁻½ b; numbers[scales], … are D⁻½, 0 where D is."""
    for r in range(n):
        d = numbers[matrix + place(r, r)]
        numbers[scales + r] = 1.0 / sqrt(d) if d > 0.0 else 0.0
        numbers[x + r] *= numbers[scales + r]
        for c in range(r):
            numbers[matrix + place(r, c)] *= numbers[scales + r] * numbers[scales + c]
        numbers[matrix + place(r, r)] = 1.0


@routine
def factor(numbers, source, n, damping, target):
    """The Cholesky factor of the scaled matrix with `damping` on its diagonal; False where that is singular."""
    for r in range(n):
        row = target + place(r, 0)
        for c in range(r + 1):
            column = target + place(c, 0)
            total = numbers[source + place(r, c)] + (damping if r == c else 0.0)
            for k in range(c):
                total -= numbers[row + k] * numbers[column + k]
            if r == c:
                if not total > n * _PIVOT:
                    return False
                numbers[row + c] = sqrt(total)
            else:
                numbers[row + c] = total / numbers[column + c]
    return True


@routine
def substitute(numbers, factor_at, n, x):
    """x becomes (L Lᵀ)⁻¹ x."""
    for r in range(n):
        total = numbers[x + r]
        for k in range(r):
            total -= numbers[factor_at + place(r, k)] * numbers[x + k]
        numbers[x + r] = total / numbers[factor_at + place(r, r)]
    for r in range(n - 1, -1, -1):
        total = numbers[x + r]
        for k in range(r + 1, n):
            total -= numbers[factor_at + place(k, r)] * numbers[x + k]
        numbers[x + r] = total / numbers[factor_at + place(r, r)]


@routine
def multiply(numbers, matrix, n, damping, p, out):
    """out = (M + λ) p, M scaled."""
    for r in range(n):
        numbers[out + r] = damping * numbers[p + r]
    for r in range(n):
        for c in range(r + 1):
            entry = numbers[matrix + place(r, c)]
            numbers[out + r] += entry * numbers[p + c]
            if c < r:
                numbers[out + c] += entry * numbers[p + r]


@leaf
def dot(numbers, n, p, q):
    """Σ p_r q_r."""
    total = 0.0
    for r in range(n):
        total += numbers[p + r] * numbers[q + r]
    return total


@routine
def conjugate_gradients(numbers, matrix, n, damping, x, room):
    """x becomes (M + λ)⁻¹ x, M scaled; of a singular M the least such x in norm. Room for 3 N numbers."""
    rest, p, product = room, room + n, room + 2 * n
    for r in range(n):
        numbers[rest + r] = numbers[x + r]
        numbers[p + r] = numbers[x + r]
        numbers[x + r] = 0.0
    left = dot(numbers, n, rest, rest)
    goal = _TOLERANCE * _TOLERANCE * left
    for _ in range(10 * n):
        multiply(numbers, matrix, n, damping, p, product)
        curvature = dot(numbers, n, p, product)
        if left <= goal or curvature <= 0.0:
            break
        step = left / curvature
        for r in range(n):
            numbers[x + r] += step * numbers[p + r]
            numbers[rest + r] -= step * numbers[product + r]
        new = dot(numbers, n, rest, rest)
        for r in range(n):
            numbers[p + r] = numbers[rest + r] + new / left * numbers[p + r]
        left = new


@routine
def solve(conjugate, numbers, matrix, n, x, damping):
    """numbers[x], … become (M + λ diag M)⁻¹ of themselves; M, at numbers[matrix], …, and what follows it are used up
    (`room_for`). Returns the λ that it took: more than `damping` where Cholesky factors don't exist without."""
    scales, target = matrix + size(n), matrix + size(n) + n
    normalise(numbers, matrix, n, x, scales)
    if conjugate == 1:
        conjugate_gradients(numbers, matrix, n, damping, x, target)
    else:
        while not factor(numbers, matrix, n, damping, target):
            damping = max(LEAST_DAMPING, 10.0 * damping)
        substitute(numbers, target, n, x)
    for r in range(n):
        numbers[x + r] *= numbers[scales + r]
    return damping
