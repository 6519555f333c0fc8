"""Policies: how an observation becomes an action, and what the gradient of its log-probability is."""
