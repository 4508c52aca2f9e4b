"""The command line: reads the arguments, and reports an expected failure in one line without a stack."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

FAILURE = 1
SIGNAL_BASE = 128
OUT_OF_MEMORY = "can't allocate memory"  # part of PyTorch's message


def main(arguments: Sequence[str]) -> int:
    """Run the exporter; return the exit code."""
    options = _parser().parse_args(arguments)
    # The libraries are imported late: they take seconds, may be missing, and read these variables when imported.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from t5_export import exporting, loading
        from t5_export.errors import ExportError, Interrupted, one_line
        from t5_export.progress import StderrProgress
    except ModuleNotFoundError as error:
        return _fail(
            f"Expected the Python package {error.name} but it is not installed: run `npx torch-t5 setup --export`"
        )
    except KeyboardInterrupt:
        return _fail("Interrupted", SIGNAL_BASE + signal.SIGINT)
    loading.quiet_libraries()
    try:
        exporting.export_source(
            options.source,
            options.directory,
            with_tokenizer=options.with_tokenizer,
            tokenizer_origin=options.tokenizer,
            revision=options.revision,
            encoder_only=options.encoder_only,
            with_modules=options.with_modules,
            overwrite=options.overwrite,
            progress=StderrProgress(exporting.STAGES),
        )
    except ExportError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(one_line(error))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and OUT_OF_MEMORY not in str(error):
            raise
        return _fail("Expected memory for two copies of the weights but it ran out")
    except Interrupted as interrupted:
        return _fail("Interrupted: nothing was written", SIGNAL_BASE + interrupted.signal_number)
    except KeyboardInterrupt:
        return _fail("Interrupted", SIGNAL_BASE + signal.SIGINT)
    _write(f"Wrote {options.directory}: every output is bitwise equal to Hugging Face's")
    return 0


def _fail(message: str, code: int = FAILURE) -> int:
    _write(f"torch-t5 export: {message}")
    return code


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torch-t5 export",
        description="Export a T5, T5 v1.1, Flan-T5, mT5, UMT5 or ByT5 of Hugging Face, an encoder or a classifier of "
        "these, for torch-t5. Keeps the export only if every output of it is bitwise equal to the original's.",
    )
    parser.add_argument("source", help="a Hugging Face directory, or a name on the Hub")
    parser.add_argument("directory", type=Path, help="the directory to write")
    tokenizer = parser.add_mutually_exclusive_group()
    tokenizer.add_argument(
        "--no-tokenizer", dest="with_tokenizer", action="store_false", help="export a model that takes only token ids"
    )
    tokenizer.add_argument(
        "--tokenizer",
        choices=("transformers", "file"),
        default="transformers",
        help="export the tokenizer that transformers makes of the checkpoint (the default), or tokenizer.json as it is",
    )
    parser.add_argument("--encoder-only", action="store_true", help="export the encoder of a whole model")
    parser.add_argument(
        "--no-modules",
        dest="with_modules",
        action="store_false",
        help="export the encoder of a sentence-transformers directory without its pooling and other modules",
    )
    parser.add_argument("--revision", help="a branch, tag or commit of the repository on the Hub")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier export")
    return parser
