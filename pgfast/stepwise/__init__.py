"""Policies as functions, for a loop that is somebody's own: called from Python, or from functions compiled by Numba.

`softmax` chooses among actions, `gaussian` draws real ones. Nothing is allocated, nothing validated: what the
docstrings say of shapes has to hold, as for any compiled code.
"""

from pgfast.stepwise import gaussian, softmax

__all__ = ["gaussian", "softmax"]
