"""The run: what is needed is built, then every check runs in a process of its own, then the benchmarks run alone."""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gpu_check import carried, machine, programs, requirements
from gpu_check.checks import SEED, Check, has_umt5, plan
from gpu_check.paths import WORK
from gpu_check.report import PASSED, Report, Section

MODELS_DIRECTORY = WORK / "models"
BENCH_DIRECTORY = WORK / "bench"
BENCH_SUITES = ("forward", "generate")
BENCH_THREADS = min(8, os.cpu_count() or 1)
# Seconds, before `--patience`; several times what each should take on 16 cores.
BUILD_TIMEOUT = 420
MODELS_TIMEOUT = 240
CHECK_TIMEOUT = 240
BENCH_TIMEOUT = 360
TRIAL_TIMEOUT = 60
REPORT_TIMEOUT = 60
FAILED = "failed"
BROKEN = "**no:"
"""How the benchmarks' report marks results that are not what they were promised to be."""


class Run:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        carried.unpack(options.carried)
        self._options = options
        self._machine = machine.look(options.python)
        node = requirements.find_node(options.node, carried.NODE)
        # The Python's own programs come last: cmake and ninja may lie beside it alone.
        path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(options.python).parent)])
        requirements.check(self._machine, node, path)
        self._node = str(node)
        self._environment = {
            **os.environ,
            "PATH": path,
            "LIBTORCH": self._machine.directory,
            "TORCH_T5_PYTHON": options.python,
            # Nothing is asked of a hub.
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
        }
        names = tuple(options.checks)
        with_umt5 = has_umt5(self._machine.transformers)
        self._models = [name for name in options.models if with_umt5 or not name.startswith("umt5")]
        every = plan(options.precisions, with_umt5=with_umt5)
        self._checks = [check for check in every if check.name.startswith(names)]
        self._sections = {
            "device": Section("device", f"torch can use {options.device}"),
            "build": Section("build", "the addon, against this torch"),
            "models": Section("models", "random weights, exported by scripts/export"),
            **{check.name: Section(check.name, check.says) for check in self._checks},
        }
        if "bench".startswith(names):
            self._sections["bench"] = Section("bench", "times beside Hugging Face eager, trials interleaved")
        title = f"torch-t5 on {options.device}"
        facts = self._machine.facts()
        if not with_umt5:
            facts["left out"] = "UMT5, whose decoder isn't causal in this version of transformers"
        self._report = Report(options.output, title, facts, list(self._sections.values()))

    def perform(self) -> bool:
        """Run everything; return whether all passed."""
        if not self._perform("device", self._look_for_device):
            return False
        # An export computes with Hugging Face alone, so the models don't wait for the addon.
        with ThreadPoolExecutor() as pool:
            ready = [pool.submit(self._perform, "build", self._build), pool.submit(self._perform, "models", self._make)]
        is_built, _ = (step.result() for step in ready)  # the checks leave out what models couldn't be made
        if is_built:
            with ThreadPoolExecutor(self._options.jobs) as pool:
                list(pool.map(self._perform_check, self._checks))
            if "bench" in self._sections:
                self._perform("bench", self._bench)
        return self._report.has_passed

    def _perform(self, name: str, step: Callable[[Section], str]) -> bool:
        """Run a step, whose word is what failed, and tell of it."""
        section = self._sections[name]
        started = time.monotonic()
        section.outcome = "running"
        self._report.write()
        try:
            failure = step(section)
        except Exception as error:  # what a program left half written, say: the other steps go on
            failure = f"{type(error).__name__}: {error}"
        section.outcome = failure or PASSED
        section.seconds = time.monotonic() - started
        self._report.write()
        sys.stderr.write(f"{section.name}: {section.outcome} ({section.seconds:.0f} s)\n")
        return section.has_passed

    def _perform_check(self, check: Check) -> bool:
        return self._perform(check.name, lambda section: self._check(check, section))

    def _look_for_device(self, _: Section) -> str:
        name, _, ordinal = self._options.device.partition(":")
        has_device = name == "cpu" or int(ordinal or 0) < len(self._machine.gpus)
        return "" if has_device else "torch sees no such device"

    def _run(
        self, section: Section, timeout: float, *command: str, given: str = "", device: bool = False
    ) -> programs.Ended:
        environment = dict(self._environment)
        if device:
            environment["TORCH_T5_TEST_DEVICE"] = self._options.device
        ended = programs.run(command, environment, timeout * self._options.patience, given)
        section.tail = ended.tail if ended.failure else ""
        return ended

    def _build(self, section: Section) -> str:
        return self._run(section, BUILD_TIMEOUT, self._node, "scripts/setup.mjs", "offline").failure

    def _make(self, section: Section) -> str:
        """Make the families that an earlier run hasn't left."""
        MODELS_DIRECTORY.mkdir(parents=True, exist_ok=True)
        families = [
            name
            for name in self._models
            if name != "demo" and not (MODELS_DIRECTORY / f"{name}-exported" / "manifest.json").exists()
        ]
        requests = [{"id": name, "op": "make", "family": name, "seed": SEED} for name in families]
        given = "".join(f"{json.dumps(request)}\n" for request in requests)
        reference = [self._options.python, "test/parity/reference", str(MODELS_DIRECTORY)]
        ended = self._run(section, MODELS_TIMEOUT, *reference, given=given)
        replies = [json.loads(line) for line in ended.output.splitlines()]
        made = [reply["id"] for reply in replies if "error" not in reply]
        self._models = [name for name in self._models if name not in families or name in made]
        errors = [f"{reply['id']}: {reply['error']}" for reply in replies if "error" in reply]
        return ended.failure or "; ".join(errors)

    def _check(self, check: Check, section: Section) -> str:
        settings = {
            "models": self._models,
            "directory": str(MODELS_DIRECTORY),
            "tolerance": self._options.tolerance,
            **check.settings,
        }
        program = [self._node, "--import", "tsx", "test/gpu-check/checks/main.ts", check.program, json.dumps(settings)]
        ended = self._run(section, CHECK_TIMEOUT, *program, device=True)
        section.findings = [json.loads(line) for line in ended.output.splitlines() if line.startswith("{")]
        if ended.failure:
            return ended.failure
        return "" if section.findings and all(finding["passed"] for finding in section.findings) else FAILED

    def _bench(self, section: Section) -> str:
        options = {
            "peers": "hf",
            "device": self._options.device,
            "precisions": ",".join(self._options.precisions),
            "threads": BENCH_THREADS,
            "trials": self._options.trials,
            "timeout": TRIAL_TIMEOUT * self._options.patience,
            "output": BENCH_DIRECTORY,
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        # Of this run alone.
        shutil.rmtree(BENCH_DIRECTORY, ignore_errors=True)
        ended = self._run(section, BENCH_TIMEOUT, self._node, "bench/main.mjs", *BENCH_SUITES, *arguments)
        results = BENCH_DIRECTORY / "results.jsonl"
        if not results.exists():
            return ended.failure or FAILED
        # Anew, because a run that was late has measured something, too.
        told = programs.run([self._node, "bench/main.mjs", "report", str(results)], self._environment, REPORT_TIMEOUT)
        section.appendix = "\n".join(line for line in told.output.splitlines() if not line.startswith("!["))
        records = map(json.loads, results.read_text("utf-8").splitlines())
        failures = [record for record in records if record["type"] == "failure"]
        return ended.failure or told.failure or (FAILED if failures or BROKEN in section.appendix else "")


def run(options: argparse.Namespace) -> int:
    """Run the command; return the exit code."""
    has_passed = Run(options).perform()
    sys.stderr.write(f"Wrote {options.output.resolve()}\n")
    return 0 if has_passed else 1
