"""transformers, as `index.hugging_face` imports it."""

from __future__ import annotations

from index.hugging_face import import_transformers, make_torchvision_importable

__all__ = ["import_transformers", "make_torchvision_importable"]
