"""Uses a server through tritonclient, over HTTP and gRPC, and prints what it received as JSON."""

import base64
import json
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

IDS = np.array([[3, 41, 7, 1], [9, 1, 0, 0]], dtype=np.int64)
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=np.int64)
DECODER = np.array([[0, 64], [0, 63]], dtype=np.int64)
TEXTS = np.array(["spell number: 7", "date to iso: 5.3.2021 ü"], dtype=object)


def as_json(array: np.ndarray) -> dict[str, object]:
    """A tensor with its bytes in base64."""
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "bytes": base64.b64encode(array.tobytes()).decode(),
    }


def tensor(module: ModuleType, name: str, array: np.ndarray, datatype: str, **options: bool) -> object:
    """An input of one of the clients."""
    made = module.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, **options)
    return made


def error_of(call: Callable[[], object]) -> dict[str, str]:
    """The error of a call, which has to fail."""
    try:
        call()
    except InferenceServerException as error:
        return {"status": str(error.status()), "message": str(error.message())}
    raise AssertionError("an error is expected")


def answers(module: ModuleType, client: object, *, json_inputs: bool) -> dict[str, object]:
    """Every answer of one of the clients, by its name."""

    def ids(dtype: type = np.int64, datatype: str = "INT64", **options: bool) -> list[object]:
        return [
            tensor(module, "input_ids", IDS.astype(dtype), datatype, **options),
            tensor(module, "attention_mask", MASK.astype(dtype), datatype, **options),
            tensor(module, "decoder_input_ids", DECODER.astype(dtype), datatype, **options),
        ]

    def outputs(*names: str, **options: bool) -> list[object]:
        return [module.InferRequestedOutput(name, **options) for name in names]

    texts = tensor(module, "text", TEXTS, "BYTES")
    by_ids = client.infer("demo", ids(), request_id="first")
    found = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model": client.is_model_ready("demo"),
        "version": client.is_model_ready("demo", "1"),
        "ids": as_json(by_ids.as_numpy("logits")),
        "int32": as_json(client.infer("demo", ids(np.int32, "INT32")).as_numpy("logits")),
        "texts": as_json(client.infer("demo", [texts], model_version="1").as_numpy("logits")),
    }
    top = client.infer("demo", [texts], outputs=outputs("values", "indices"), parameters={"top_k": 3})
    found["values"] = as_json(top.as_numpy("values"))
    found["indices"] = as_json(top.as_numpy("indices"))
    selected = client.infer("demo", ids(), parameters={"positions": "last", "tokens": "[64, 63, 1]"})
    found["selected"] = as_json(selected.as_numpy("logits"))
    states = client.infer("demo", ids(), outputs=outputs("encoder_last_hidden_state", "decoder_last_hidden_state"))
    found["states"] = as_json(states.as_numpy("encoder_last_hidden_state"))
    found["decoder_states"] = as_json(states.as_numpy("decoder_last_hidden_state"))
    if json_inputs:
        plain = client.infer("demo", ids(binary_data=False), outputs=outputs("logits", binary_data=False))
        found["json"] = as_json(plain.as_numpy("logits"))
    found["unknown_model"] = error_of(lambda: client.infer("nobody", [texts]))
    found["unknown_output"] = error_of(lambda: client.infer("demo", [texts], outputs=outputs("nothing")))
    found["wrong_type"] = error_of(
        lambda: client.infer("demo", [tensor(module, "input_ids", IDS.astype(np.float32), "FP32")])
    )
    found["wrong_id"] = error_of(lambda: client.infer("demo", [tensor(module, "input_ids", IDS + 1000, "INT64")]))
    return found


def main() -> None:
    """Prints the answers of both clients."""
    http_address, grpc_address = sys.argv[1:]
    http = tritonclient.http.InferenceServerClient(http_address)
    grpc = tritonclient.grpc.InferenceServerClient(grpc_address)
    over_http = answers(tritonclient.http, http, json_inputs=True)
    over_grpc = answers(tritonclient.grpc, grpc, json_inputs=False)
    over_http["server"] = http.get_server_metadata()
    over_http["metadata"] = http.get_model_metadata("demo")
    over_grpc["server"] = grpc.get_server_metadata(as_json=True)
    over_grpc["metadata"] = grpc.get_model_metadata("demo", as_json=True)
    print(json.dumps({"http": over_http, "grpc": over_grpc}))


main()
