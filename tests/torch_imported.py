"""Import and compile what `archive collapse` uses, once, in the process that the tests fork its commands from."""

from collapse import api, command, json_form  # noqa: F401
from collapse.corpus import Document
from collapse.corpus.overlap import without_overlap
from collapse.run import estimate, experiment, generation  # noqa: F401
from index.embeddings import ready  # noqa: F401
from index.vectors import run  # noqa: F401
from query.formats.hugging_face import import_transformers

_transformers = import_transformers()
for _name in ("GPT2LMHeadModel", "AutoModelForCausalLM", "AutoTokenizer", "PreTrainedTokenizerFast"):
    getattr(_transformers, _name)
without_overlap([Document("a b")], [Document("c d")])
