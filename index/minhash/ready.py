"""Sets numba up, which takes half a second at the first call of a kernel, in the process that workers fork from."""

from __future__ import annotations

from index.minhash.kernel import shingle_set

shingle_set("a")
