"""Sets the kernels up, as `index.minhash.ready` does."""

from __future__ import annotations

import pyarrow as pa

from index.passages.kernel import Question, fingerprints

fingerprints(pa.array(["a " * 20]))
Question("a " * 20).shared(Question("a " * 20).words)
