"""Copies an exported archive with an edit of its code that an attacker would make.

argv: archive, new archive, name of the edit, path of the file that the edited code would write.
"""

import re
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

Code = dict[str, str]

WRAPPER = "__torch__/t5_export/wrapper.py"
WRAPPER_CLASS = "__torch__.t5_export.wrapper.ExportedT5"
LINEAR = "__torch__/torch/nn/modules/linear.py"
HELPER = "__torch__/helper.py"
NEVER = "torch.gt(torch.size(attention_mask, 0), 1000000)"


def insert(statements: str) -> Callable[[Code, str], None]:
    """Return an edit that inserts statements at the beginning of every method of the wrapper."""
    return lambda code, target: insert_into(code, WRAPPER, statements.replace("TARGET", repr(target)))


def insert_into(code: Code, name: str, statements: str) -> None:
    """Insert statements at the beginning of every method of a file."""
    lines = "".join(f"    {line}\n" for line in statements.splitlines())
    code[name], count = re.subn(r"(  def [^:]*\(self[^>]*-> [^\n]*:\n)", lambda found: found[0] + lines, code[name])
    if count == 0:
        raise ValueError(f"no method in {name}")


def edit_submodule(code: Code, target: str) -> None:
    """Write the file in the method of a linear layer."""
    insert_into(code, LINEAR, f"torch.save(1, {target!r})")


def call_helper(code: Code, target: str) -> None:
    """Write the file in a function that forward calls."""
    code[HELPER] = f"def write(value: int) -> int:\n  torch.save(value, {target!r})\n  return value\n"
    insert_into(code, WRAPPER, "_t = __torch__.helper.write(1, )")


def add_method(code: Code, target: str) -> None:
    """Write the file in a method that nothing calls."""
    code[WRAPPER] += f"  def unused(self: {WRAPPER_CLASS}) -> int:\n    torch.save(1, {target!r})\n    return 1\n"


def add_setstate(code: Code, target: str) -> None:
    """Write the file while the archive is loaded."""
    code[WRAPPER] += (
        f"  def __setstate__(self: {WRAPPER_CLASS}, state: int) -> NoneType:\n"
        f"    torch.save(1, {target!r})\n    return None\n"
    )


def add_harmless_setstate(code: Code, _: str) -> None:
    """Run allowed code while the archive is loaded."""
    code[WRAPPER] += f"  def __setstate__(self: {WRAPPER_CLASS}, state: int) -> NoneType:\n    return None\n"


def chain(code: Code, _: str) -> None:
    """Call functions, each of which calls the next one."""
    bodies = [f"__torch__.helper.f{n + 1}(value, )" for n in range(2000)] + ["value"]
    code[HELPER] = "".join(f"def f{n}(value: Tensor) -> Tensor:\n  return {body}\n" for n, body in enumerate(bodies))
    insert_into(code, WRAPPER, "_t = __torch__.helper.f0(attention_mask, )")


def recurse(code: Code, _: str) -> None:
    """Call two functions that call each other."""
    code[HELPER] = "".join(
        f"def {name}(value: int) -> int:\n  return __torch__.helper.{other}(value, )\n"
        for name, other in (("one", "two"), ("two", "one"))
    )
    insert_into(code, WRAPPER, "_t = __torch__.helper.one(1, )")


def multiply(code: Code, _: str) -> None:
    """Call functions, each of which calls the next one twice: 2^40 calls."""
    bodies = [f"__torch__.helper.f{n + 1}(__torch__.helper.f{n + 1}(value, ), )" for n in range(40)] + ["value"]
    code[HELPER] = "".join(f"def f{n}(value: Tensor) -> Tensor:\n  return {body}\n" for n, body in enumerate(bodies))
    insert_into(code, WRAPPER, "_t = __torch__.helper.f0(attention_mask, )")


EDITS: Mapping[str, Callable[[Code, str], None]] = {
    "forward": insert("torch.save(1, TARGET)"),
    "branch": insert(f"if {NEVER}:\n  torch.save(1, TARGET)\nelse:\n  pass"),
    "map": insert("attention_mask = torch.from_file(TARGET, True, 16)"),
    "print": insert("print(1)"),
    "seed": insert("torch.manual_seed(1)"),
    "raise": insert(f'if {NEVER}:\n  ops.prim.RaiseException("x", "builtins.ValueError")\nelse:\n  pass'),
    "long": insert("_t = [" + "1, " * 100_000 + "1]"),
    "print at once": insert('torch._print("x")'),
    "divide": insert("_t = torch.remainder(1, 0)"),
    "divide later": insert("_t = torch.floordiv(torch.size(attention_mask, 0), torch.size(attention_mask, 1))"),
    "divide by name": insert('_t = getattr(1, "remain" "der")(0)'),
    "hang": insert('_t = "".count("")'),
    "strided": insert("attention_mask = torch.as_strided(attention_mask, [1000000], [1])"),
    "nested": insert("_t = " + "(" * 100_000 + "1" + ")" * 100_000),
    "chain": insert("_t = " + "-" * 100_000 + "1"),
    "sum": insert("_t = " + "1 + " * 100_000 + "1"),
    "blank": insert("\n" * 100_000),
    "loop": insert("_t = True\nwhile _t:\n  _t = torch.gt(torch.size(attention_mask, 0), 0)"),
    "custom": insert("attention_mask = ops.quantized.relu6(attention_mask)"),
    "submodule": edit_submodule,
    "helper": call_helper,
    "unused": add_method,
    "setstate": add_setstate,
    "harmless setstate": add_harmless_setstate,
    "chained": chain,
    "recursion": recurse,
    "multiplied": multiply,
}


def main(source: Path, copy: Path, edit: str, target: str) -> None:
    """Write the copy."""
    with zipfile.ZipFile(source) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(records)).split("/")[0]
    folder = f"{root}/code/"
    code = {name.removeprefix(folder): data.decode() for name, data in records.items() if name.endswith(".py")}
    EDITS[edit](code, target)
    records |= {folder + name: text.encode() for name, text in code.items()}
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records.items():
            archive.writestr(name, data)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
