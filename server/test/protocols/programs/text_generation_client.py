"""Uses a server through the client text-generation, and prints what it received as JSON."""

import json
import sys

from text_generation import Client
from text_generation.errors import ValidationError

TEXT = "spell number: 48213"


def main() -> None:
    """Prints the answers of the client."""
    client = Client(sys.argv[1])
    answer = client.generate(TEXT, max_new_tokens=16, decoder_input_details=True, top_n_tokens=2)
    sampled = client.generate(TEXT, do_sample=True, temperature=0.7, top_k=5, seed=11, max_new_tokens=16)
    stopped = client.generate(TEXT, stop_sequences=["thousand"], max_new_tokens=16)
    stream = list(client.generate_stream(TEXT, max_new_tokens=16))
    try:
        client.generate(TEXT, max_new_tokens=100_000)
        refused = None
    except ValidationError as error:
        refused = str(error)
    results = {
        "answer": answer.model_dump(mode="json"),
        "sampled": sampled.model_dump(mode="json"),
        "stopped": stopped.model_dump(mode="json"),
        "stream": [event.model_dump(mode="json") for event in stream],
        "refused": refused,
    }
    print(json.dumps(results))


main()
