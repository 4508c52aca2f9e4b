"""Builds the addon and the models, measures while nothing else runs, then runs each check in its own process."""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gpu_check import built, carried, machine, profile, programs, requirements
from gpu_check.checks import SEED, Check, has_umt5, plan
from gpu_check.paths import WORK
from gpu_check.report import PASSED, Report, Section

MODELS_DIRECTORY = WORK / "models"
BENCH_DIRECTORY = WORK / "bench"
LOAD = 'import("torch-t5").then(({ runtimeInfo }) => runtimeInfo())'
LOAD_TIMEOUT = 60
BENCH_SUITE = "gpu"
CALLERS_SUITE = "gpu-callers"
BENCH_PEERS = "hf,graphs"
BENCH_THREADS = min(8, os.cpu_count() or 1)
# Seconds, multiplied by `--patience`. Each step takes a fraction of its limit on 16 cores.
BUILD_TIMEOUT = 420
MODELS_TIMEOUT = 240
CHECK_TIMEOUT = 240
BENCH_TIMEOUT = 180
CALLERS_TIMEOUT = 90
TRIAL_TIMEOUT = 60
BENCH_MODELS_TIMEOUT = 180
REPORT_TIMEOUT = 60
MEASURED = {
    "bench": "goals, and times of torch-t5 and Hugging Face, trials interleaved",
    "callers": "64 callers at the same time, as one batch, and one after another, with `batching: true`",
    "profile": "the kernels of a decoding step, and the time between them",
}
FAILED = "failed"
BROKEN = "**no:"
"""Marks wrong results in the benchmarks' report."""


class Run:
    """A run of the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        carried.unpack(options.carried)
        self._options = options
        inherited = dict(os.environ)
        if carried.SITE.exists():
            inherited["PYTHONPATH"] = os.pathsep.join(
                [str(carried.SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
            )
        self._machine = machine.inspect(options.python, inherited)
        node = requirements.find_node(options.node, carried.NODE)
        # cmake and ninja may be installed only in the Python's folder.
        path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(options.python).parent)])
        requirements.check(self._machine, node, path)
        self._node = str(node)
        self._environment = {
            **inherited,
            "PATH": path,
            "LIBTORCH": self._machine.directory,
            "TORCH_T5_PYTHON": options.python,
            # No access to the Hub.
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
        }
        names = tuple(options.checks)
        with_umt5 = has_umt5(self._machine.transformers)
        self._models = [name for name in options.models if with_umt5 or not name.startswith("umt5")]
        checker = profile.find_tool("compute-sanitizer", path)
        on_gpu = options.device != "cpu"
        all_checks = plan(options.precisions, with_umt5=with_umt5, on_gpu=on_gpu, checker=checker)
        self._checks = [check for check in all_checks if check.name.startswith(names)]
        self._sections = {
            "device": Section("device", f"torch can use {options.device}"),
            "build": Section("build", "the addon, built with this torch"),
            "models": Section("models", "random weights, exported by scripts/export"),
        }
        # What is measured comes first: a run that is cut short has it.
        self._measured = [name for name in MEASURED if name.startswith(names)]
        if self._measured:
            self._sections["bench-models"] = Section("bench-models", "t5-small with random weights")
        self._sections |= {name: Section(name, MEASURED[name]) for name in self._measured}
        self._sections |= {check.name: Section(check.name, check.title) for check in self._checks}
        title = f"torch-t5 on {options.device}"
        facts = self._machine.facts()
        if carried.SITE.exists():
            facts["transformers"] += ", carried"
        if not with_umt5:
            facts["left out"] = "UMT5, whose decoder isn't causal in this version of transformers"
        self._report = Report(options.output, title, facts, list(self._sections.values()))

    def run(self) -> bool:
        """Run every step. Returns whether all have passed."""
        if not self._run_step("device", self._check_device):
            return False
        # The exporter doesn't use the addon, so models are exported while it is built.
        with ThreadPoolExecutor() as pool:
            ready = [
                pool.submit(self._run_step, "build", self._build),
                pool.submit(self._run_step, "models", self._make_models),
            ]
            if self._measured:
                pool.submit(self._run_step, "bench-models", self._make_bench_models)
        is_built, _ = (step.result() for step in ready)  # the checks run on the models that were made
        if is_built:
            steps = {"bench": self._bench, "callers": self._callers, "profile": self._profile}
            for name in self._measured:
                self._run_step(name, steps[name])
            with ThreadPoolExecutor(self._options.jobs) as pool:
                list(pool.map(self._run_check, [check for check in self._checks if not check.is_alone]))
            for check in self._checks:
                if check.is_alone:
                    self._run_check(check)
        return self._report.has_passed

    def _run_step(self, name: str, step: Callable[[Section], str]) -> bool:
        """Run a step, which returns a description of its failure, and report the outcome."""
        section = self._sections[name]
        started = time.monotonic()
        section.outcome = "running"
        self._report.write()
        try:
            failure = step(section)
        except Exception as error:  # for instance incomplete output of a program; the other steps continue
            failure = f"{type(error).__name__}: {error}"
        section.outcome = failure or PASSED
        section.seconds = time.monotonic() - started
        self._report.write()
        sys.stderr.write(f"{section.name}: {section.outcome} ({section.seconds:.0f} s)\n")
        return section.has_passed

    def _run_check(self, check: Check) -> bool:
        return self._run_step(check.name, lambda section: self._check(check, section))

    def _check_device(self, _: Section) -> str:
        name, _, ordinal = self._options.device.partition(":")
        has_device = name == "cpu" or int(ordinal or 0) < len(self._machine.gpus)
        return "" if has_device else "torch sees no such device"

    def _run(
        self, section: Section, timeout: float, *command: str, stdin: str = "", device: bool = False
    ) -> programs.Finished:
        environment = dict(self._environment)
        if device:
            environment["TORCH_T5_TEST_DEVICE"] = self._options.device
        finished = programs.run(command, environment, timeout * self._options.patience, stdin)
        section.tail = finished.tail if finished.failure else ""
        return finished

    def _build(self, section: Section) -> str:
        """Use a carried build if it fits and can be loaded, else build."""
        origin = built.place(self._machine.torch)
        if origin:
            loads = self._run(section, LOAD_TIMEOUT, self._node, "--eval", LOAD)
            if not loads.failure:
                section.appendix = f"Built on another machine: {origin}."
                return ""
            section.appendix = f"The carried build can't be loaded here, so that the addon was built: {loads.tail}"
            built.remove()
        return self._run(section, BUILD_TIMEOUT, self._node, "scripts/setup.mjs", "offline").failure

    def _make_models(self, section: Section) -> str:
        """Make the models that no earlier run has made."""
        MODELS_DIRECTORY.mkdir(parents=True, exist_ok=True)
        families = [
            name
            for name in self._models
            if name != "demo" and not (MODELS_DIRECTORY / f"{name}-exported" / "manifest.json").exists()
        ]
        if not families:
            return ""
        requests = [{"id": name, "op": "make", "family": name, "seed": SEED} for name in families]
        stdin = "".join(f"{json.dumps(request)}\n" for request in requests)
        reference = [self._options.python, "test/parity/reference", str(MODELS_DIRECTORY)]
        finished = self._run(section, MODELS_TIMEOUT, *reference, stdin=stdin)
        replies = [json.loads(line) for line in finished.output.splitlines()]
        made = [reply["id"] for reply in replies if "error" not in reply]
        self._models = [name for name in self._models if name not in families or name in made]
        errors = [f"{reply['id']}: {reply['error']}" for reply in replies if "error" in reply]
        return finished.failure or "; ".join(errors)

    def _check(self, check: Check, section: Section) -> str:
        settings = {
            "models": self._models,
            "directory": str(MODELS_DIRECTORY),
            "tolerance": self._options.tolerance,
            **check.settings,
        }
        program = [self._node, "--import", "tsx", "test/gpu-check/checks/main.ts", check.program, json.dumps(settings)]
        finished = self._run(section, CHECK_TIMEOUT, *program, device=True)
        section.findings = [json.loads(line) for line in finished.output.splitlines() if line.startswith("{")]
        if finished.failure:
            return finished.failure
        return "" if section.findings and all(finding["passed"] for finding in section.findings) else FAILED

    def _make_bench_models(self, section: Section) -> str:
        command = [self._node, "bench/main.mjs", "prepare", BENCH_SUITE, "--peers", BENCH_PEERS]
        return self._run(section, BENCH_MODELS_TIMEOUT, *command).failure

    def _profile(self, section: Section) -> str:
        def run(timeout: float, *command: str) -> programs.Finished:
            return programs.run(command, self._environment, timeout)

        profiler = profile.find_tool("ncu", self._environment["PATH"]) if self._options.device != "cpu" else None
        settings = {"device": self._options.device}
        return profile.profile(section, run, self._node, profiler, settings, self._options.patience)

    def _bench(self, section: Section) -> str:
        return self._measure(section, BENCH_SUITE, BENCH_TIMEOUT, self._options.precisions)

    def _callers(self, section: Section) -> str:
        return self._measure(section, CALLERS_SUITE, CALLERS_TIMEOUT, set(self._options.precisions) - {"exact"})

    def _measure(self, section: Section, suite: str, timeout: float, precisions: Collection[str]) -> str:
        directory = BENCH_DIRECTORY / suite
        options = {
            "peers": BENCH_PEERS,
            "device": self._options.device,
            "precisions": ",".join(sorted(precisions)),
            "threads": BENCH_THREADS,
            "trials": self._options.trials,
            "timeout": TRIAL_TIMEOUT * self._options.patience,
            "output": directory,
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        # Without the results of earlier runs.
        shutil.rmtree(directory, ignore_errors=True)
        finished = self._run(section, timeout, self._node, "bench/main.mjs", suite, *arguments)
        results = directory / "results.jsonl"
        if not results.exists():
            return finished.failure or FAILED
        # The report is made here, because a run that exceeded its time limit has results, too.
        report = programs.run([self._node, "bench/main.mjs", "report", str(results)], self._environment, REPORT_TIMEOUT)
        section.appendix = "\n".join(line for line in report.output.splitlines() if not line.startswith("!["))
        records = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
        ours = [record for record in records if record.get("peer") == "torch-t5"]
        # A peer that fails is in the report, and doesn't fail the check.
        is_broken = any(record["type"] == "failure" for record in ours) or BROKEN in section.appendix
        # A run that is cut short has what it needs if only series are missing that run after all others.
        measured = {record["precision"] for record in ours if record["type"] == "sample"}
        is_cut_short = not measured.issuperset(set(precisions) - {"exact"})
        return report.failure or (FAILED if is_broken else finished.failure if is_cut_short else "")


def run(options: argparse.Namespace) -> int:
    """Run the command. Returns the exit code."""
    has_passed = Run(options).run()
    sys.stderr.write(f"Wrote {options.output.resolve()}\n")
    return 0 if has_passed else 1
