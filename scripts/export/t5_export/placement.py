"""Where weights lie in memory, noted in the archive and restored from it.

MKL's matrix-vector product begins with the elements up to the next 64-byte boundary, so the last bits of its sums
depend on its matrix's address. `from_pretrained` maps weights from a safetensors file at any offset, the same one at
every load; an archive's weights are allocated. Put back to the same place between two boundaries they give the same
bits.
"""

import torch
from torch import Tensor, nn

BOUNDARY_BYTES = 64
RECORD = "weight_placement.txt"


def note_placement(module: nn.Module) -> str:
    """Return a line `<address modulo 64> <name>` for each weight that does not begin at a boundary."""
    weights = module.named_parameters(remove_duplicate=False)
    places = [(weight.data_ptr() % BOUNDARY_BYTES, name) for name, weight in weights]
    return "".join(f"{place} {name}\n" for place, name in places if place != 0)


def place_weights(module: nn.Module, notes: str) -> None:
    """Move the noted weights of a module on the CPU; weights that share memory go on sharing it."""
    wanted = {name: int(place) for place, name in (line.split(" ", 1) for line in notes.splitlines())}
    moved: dict[int, Tensor] = {}
    with torch.no_grad():
        for name, weight in module.named_parameters(remove_duplicate=False):
            place = wanted.get(name)
            if place is None or weight.data_ptr() % BOUNDARY_BYTES == place:
                continue
            address = weight.data_ptr()
            if address not in moved:
                moved[address] = _copy_to(weight, place)
            weight.data = moved[address]


def _copy_to(weight: Tensor, place: int) -> Tensor:
    memory = torch.empty(weight.numel() + BOUNDARY_BYTES // weight.element_size(), dtype=weight.dtype)
    ahead = (place - memory.data_ptr()) % BOUNDARY_BYTES // weight.element_size()
    return memory[ahead : ahead + weight.numel()].view(weight.shape).copy_(weight)
