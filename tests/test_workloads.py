"""Workloads are learning tasks: a speed is only worth quoting of a run that learned."""

import pytest

from pgfast.workloads import WORKLOADS

# No other test compiles their kernels, and `pgfast bench` itself says when a workload isn't learned.
ALONE = ("cartpole-natural", "cartpole-runs", "cartpole-traces")


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_a_workload_has_its_precisions(name):
    workload = WORKLOADS[name]
    assert [workload.engine(precision=p).settings.precision for p in workload.precisions] == [*workload.precisions]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in WORKLOADS if name not in ALONE])
def test_a_workload_is_learned(name):
    workload = WORKLOADS[name]
    engine = workload.engine()
    untrained = engine.evaluate(max(1, 1000 // engine.settings.runs)).mean
    training = engine.learn(workload.episodes)
    assert untrained < workload.goal < training.final_return.mean
    assert workload.goal - untrained > 0.7 * (training.final_return.mean - untrained)  # most of the way


@pytest.mark.slow
def test_the_users_file_is_the_bundled_environment_bit_for_bit():
    digests = set()
    for name in ("cartpole", "user-file"):
        engine = WORKLOADS[name].engine()
        engine.learn(256 * 2)
        digests.add(engine.digest())
    assert len(digests) == 1
