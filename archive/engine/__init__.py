"""How work is run: a function and its tasks go in, results come out in the order in which they end.

`local` runs them in processes of this machine; `sandbox` extracts a page in a child that may hang or die.
"""

from __future__ import annotations

from archive.engine.local import Context, Done, Engine, Failed, preload, results, run_all

__all__ = ["Context", "Done", "Engine", "Failed", "preload", "results", "run_all"]
