"""Algorithms: what signal meets the score, and when θ moves."""
