"""Validates files of deploy/ by published schemas, and prints the errors as JSON: `<kind> <file> [<schema>]`."""

import json
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft7Validator

KUBERNETES = "1.37"


def kubernetes_errors(document: dict[str, Any]) -> list[str]:
    """Return what Kubernetes' schema of the document's kind refuses; unknown fields, too."""
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [error.message]
    return []


def pod_of(runtime: dict[str, Any]) -> dict[str, Any]:
    """Return a pod with the containers of a ServingRuntime, as KServe makes one."""
    spec = {"containers": runtime["spec"]["containers"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": runtime["metadata"], "spec": spec}


def errors_of(kind: str, path: Path, schema: str | None) -> list[str]:
    """Return the errors of a file of one kind: `compose` by the given schema, `kubernetes`, or `kserve`."""
    documents = list(yaml.safe_load_all(path.read_text()))
    if kind == "compose" and schema is not None:
        validator = Draft7Validator(json.loads(Path(schema).read_text()))
        return [error.message for document in documents for error in validator.iter_errors(document)]
    if kind == "kserve":
        documents = [pod_of(document) for document in documents if document["kind"] == "ServingRuntime"]
    return [error for document in documents for error in kubernetes_errors(document)]


if __name__ == "__main__":
    kind, path, *schemas = sys.argv[1:]
    print(json.dumps(errors_of(kind, Path(path), next(iter(schemas), None))))
