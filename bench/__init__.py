"""Peers of pgfast on the same work, and what measures them."""
