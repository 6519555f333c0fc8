"""Feature maps: from an observation, or an observation and an action, to the numbers a linear policy weighs."""

from pgfast.features.action import ActionOneHot, EnvironmentFeatures, Products
from pgfast.features.catalogue import FEATURES
from pgfast.features.observation import Observation, OneHot

__all__ = ["FEATURES", "ActionOneHot", "EnvironmentFeatures", "Observation", "OneHot", "Products"]
