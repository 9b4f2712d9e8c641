"""What the texts of a lake are about, when each topic was first seen, and what a set has less of than the lake.

`index.topics` makes the topics; `run` asks, `missing` compares, `show` and `out` print and write.
"""

from __future__ import annotations

from query.topics.result import Example, Missing, Topic, TopicsResult
from query.topics.run import topics

__all__ = ["Example", "Missing", "Topic", "TopicsResult", "topics"]
