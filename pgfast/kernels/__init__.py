"""The compiled loops: rollout, returns, estimators, optimisers and the schedules that run them over lanes."""
