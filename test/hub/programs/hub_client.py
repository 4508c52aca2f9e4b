"""Runs steps of huggingface_hub, which come as JSON in the argument. Prints their results as JSON."""

import json
import sys

import huggingface_hub


def scan(cache: str) -> object:
    """What `hf cache ls` knows."""
    found = huggingface_hub.scan_cache_dir(cache)
    return {
        "warnings": [str(warning) for warning in found.warnings],
        "repositories": [
            {
                "name": repository.repo_id,
                "files": sorted({file.file_name for revision in repository.revisions for file in revision.files}),
                "refs": sorted(name for revision in repository.revisions for name in revision.refs),
            }
            for repository in found.repos
        ],
    }


def tokenize(name: str, text: str) -> object:
    """The ids of transformers' tokenizer, and the size of the model in its configuration."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    return {"ids": tokenizer(text).input_ids, "d_model": transformers.AutoConfig.from_pretrained(name).d_model}


def share(cache: str, blob: str, xet_hash: str, size: int) -> object:
    """Moves a blob to where models share contents, as a download by Xet does."""
    from huggingface_hub.utils import _shared_blobs

    return _shared_blobs.publish_blob_to_shared_store(
        blob_path=blob, xet_hash=xet_hash, cache_dir=cache, expected_size=size
    )


STEPS = {
    "share": share,
    "file": huggingface_hub.hf_hub_download,
    "snapshot": huggingface_hub.snapshot_download,
    "scan": scan,
    "tokenize": tokenize,
}

results = [STEPS[name](**arguments) for name, arguments in json.loads(sys.argv[1])]
print(json.dumps(results))
