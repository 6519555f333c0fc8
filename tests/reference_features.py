"""Feature maps once more, as their sources write them: one observation at a time, in NumPy."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

import numpy as np

# ---- Sutton's tiles3, after its description in Sutton & Barto (2018), section 9.5.4


class IndexTable:
    """Gives each new thing the next number."""

    def __init__(self):
        self.numbers = {}

    def number(self, thing):
        return self.numbers.setdefault(thing, len(self.numbers))


def tile_coordinates(tilings, floats, wraps):
    """For each tiling its number and the tile's coordinates: the number k of those in `floats`, measured in tiles, is
    cut into `tilings` parts a tile, and tiling t shifted by t (1 + 2k) of them. `wraps`: after how many tiles each
    begins anew, or None."""
    parts = [int(np.floor(f * tilings)) for f in floats]
    found = []
    for tiling in range(tilings):
        coordinates = [tiling]
        for k, (part, wrap) in enumerate(zip(parts, wraps, strict=True)):
            shift = tiling * (1 + 2 * k)
            if wrap is None:
                coordinates.append((part + shift) // tilings)
            else:
                coordinates.append((part + shift % tilings) // tilings % wrap)
        found.append(tuple(coordinates))
    return found


def tiles3(table, tilings, floats, wraps):
    """The number of a tile in each tiling."""
    return [table.number(c) for c in tile_coordinates(tilings, floats, wraps)]


# ---- all maps, as functions of the scaled observation u


def fourier(u, order=3, scaling=True):
    x = []
    for c in product(range(order + 1), repeat=len(u)):
        norm = np.linalg.norm(c)
        x.append(np.cos(np.pi * np.dot(c, u)) / (np.sqrt(norm) if scaling and norm > 0 else 1.0))
    return np.array(x)


def polynomial(u, degree=2):
    s = 2 * u - 1
    return np.array(
        [np.prod(s[list(c)]) for d in range(degree + 1) for c in combinations_with_replacement(range(len(u)), d)]
    )


def rbf(u, centres=5, width=1.0):
    bumps = []
    for c in product(np.linspace(0, 1, centres), repeat=len(u)):
        z = (u - c) / (width / (centres - 1))
        bumps.append(np.exp(-0.5 * z @ z))
    return np.array([*bumps, 1.0])


def tiles(u, tilings=8, bins=8, wrap=None):
    wrap = wrap or [False] * len(u)
    along = [bins if around else bins + 1 for around in wrap]
    x = np.zeros(tilings * int(np.prod(along)))
    u = np.where(wrap, u, np.clip(u, 0.0, 1.0))
    for t, *c in tile_coordinates(tilings, u * bins, [bins if around else None for around in wrap]):
        own = [
            a if around else a - t * (1 + 2 * k) // tilings for k, (a, around) in enumerate(zip(c, wrap, strict=True))
        ]
        x[t * int(np.prod(along)) + np.dot(own, np.cumprod([1, *along[:-1]]))] = 1.0
    return x


def aggregation(u, bins=10):
    x = np.zeros(bins ** len(u))
    x[np.dot(np.minimum((u * bins).astype(int), bins - 1), bins ** np.arange(len(u)))] = 1.0
    return x


MAPS = {"fourier": fourier, "polynomial": polynomial, "rbf": rbf, "tiles": tiles, "aggregation": aggregation}


def values(engine, observation):
    """x(s), (D,), of an engine with features of a name."""
    settings, space = engine.settings, engine.source.env.observation_space
    given = dict(settings.feature_parameters)
    low, high = (np.array(given.pop(name, getattr(space, name)), float) for name in ("low", "high"))
    u = (np.array(observation) - low) / (high - low)
    return MAPS[settings.features](u if settings.features == "tiles" else np.clip(u, 0.0, 1.0), **given)
