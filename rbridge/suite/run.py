"""Running a suite: every model for itself, in this process or in several."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import pandas as pd

from ..api import fit_spec
from ..check.crosscheck import GAPS
from ..check.distance import farthest
from ..check.findings import FAILURE, MARKS, NOTE, OK, UNCHECKED, WARNING, Finding
from ..check.verdict import Verdict
from ..datasets.sources import load_data, sha256
from ..errors import FitError, RBridgeError, RecordError, TimeLimitError
from ..r.session import isolated_batch, set_isolation
from ..r.signals import sigint_held
from ..results import LmeResults
from .cases import Case
from .limit import within


class Named(Protocol):
    """A model to look at: of a suite or of a record."""

    @property
    def name(self) -> str:
        ...

    @property
    def where(self) -> str:
        ...

    @property
    def timeout(self) -> float | None:
        """Seconds that it may take."""


@dataclass(frozen=True)
class Outcome:
    """What came of one model.

    Attributes
    ----------
    name, where : str
    title : str
        The model in one line.
    findings : tuple of Finding
    table : DataFrame or None
        As :attr:`Crosscheck.table`.
    provenance : mapping of str to str
        Of a record: of the day when it was made.
    seconds : float
    today : mapping of str to str
        Of a record: the provenance of the fit that was held against it; empty without one.
    data : str
        Which data, with their rows and the start of their SHA-256.
    """

    name: str
    where: str
    title: str
    findings: tuple[Finding, ...]
    table: pd.DataFrame | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    today: Mapping[str, str] = field(default_factory=dict)
    data: str = ""

    @property
    def without_reference(self) -> bool:
        """It agrees as far as it goes, but lmeInfo had no answer to be held against."""
        lacks = any(f.code == "C" and f.size is None for f in self.findings)
        return lacks and self.code == Verdict.AGREE

    @property
    def warned(self) -> bool:
        """It agrees, and yet something is to be looked at."""
        return self.code == Verdict.AGREE and any(f.level == WARNING for f in self.findings)

    def words(self, n: int = 1) -> str:
        """The verdict on n such models."""
        return "without a reference" if self.without_reference else self.code.words(n)

    @property
    def mark(self) -> str:
        """✓, · without a reference, ✗ or ?; with ! where something is to be looked at."""
        mark = MARKS[NOTE] if self.without_reference else self.code.mark
        return f"{mark}{MARKS[WARNING]}" if self.warned else mark

    @property
    def code(self) -> Verdict:
        """0 agrees, 1 disagrees, 2 could not be checked."""
        return Verdict.of(self.findings)

    def size(self, code: str) -> float | None:
        """Size of the finding of that code, where there is one."""
        return next((f.size for f in self.findings if f.code == code), None)


def fit_case(case: Case) -> LmeResults:
    """Fit the model of a case on its data; R's warnings stay in the result."""
    data = load_data(case.data, case.folder, case.category)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit_spec(case.spec, data, case.engine)


def check_case(case: Case) -> Outcome:
    """Fit and cross-check one model; its failure is its own outcome."""
    start = time.perf_counter()
    try:
        fit = fit_case(case)
        check = fit.crosscheck()
        told = data_told(case.data, fit.nobs, sha256(case.data, case.folder))
        outcome = Outcome(
            *(case.name, case.where, check.title, check.findings, check.table, check.provenance),
            data=told,
        )
    except RBridgeError as error:
        outcome = failed(case, error)
    findings = judged(outcome.findings, case.tolerance, case.expect)
    findings = explained(findings, outcome.table)
    return replace(outcome, findings=findings, seconds=time.perf_counter() - start)


_CODES: dict[type[BaseException], str] = {TimeLimitError: "timeout", RecordError: "record"}


def data_told(data: str, rows: int, digest: str) -> str:
    """Which data a model was fitted on, in a line."""
    return f"{data}, {rows} rows, SHA-256 {digest[:12]}"


def failed(case: Named, error: BaseException) -> Outcome:
    """The outcome of a model that could not be fitted or read."""
    what = "nlme: " if isinstance(error, FitError) else ""
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), "fit")
    finding = Finding(code, UNCHECKED, None, f"{what}{error}")
    return Outcome(case.name, case.where, case.name, (finding,))


def judged(
    findings: Iterable[Finding], tolerance: Mapping[str, float], expect: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Findings by the suite's own tolerances and expectations."""
    found = [_by_tolerance(finding, tolerance) for finding in findings]
    return tuple(_by_expectation(found, expect))


def explained(findings: Iterable[Finding], table: pd.DataFrame | None) -> tuple[Finding, ...]:
    """What is wrong between two methods, with the components, and what each method says."""
    return tuple(_with_components(finding, table) for finding in findings)


def _with_components(finding: Finding, table: pd.DataFrame | None) -> Finding:
    bad = finding.level in (FAILURE, WARNING) and not finding.parameters
    if table is None or not bad or finding.code not in GAPS or finding.code not in table:
        return finding
    who = GAPS[finding.code]
    one, other = (table[method] for method in who)
    names, told = farthest(one, other, who, "standard error ")
    return replace(finding, text=f"{finding.text}; {told}", parameters=names)


def _by_tolerance(finding: Finding, tolerance: Mapping[str, float]) -> Finding:
    limit = tolerance.get(finding.code)
    if limit is None or finding.size is None:
        return finding
    if finding.size > limit:
        text = f"{finding.text} (the suite allows {limit:g})"
        unnamed = [name for name in finding.parameters if name not in text]
        text += f"; farthest: {', '.join(unnamed)}" if unnamed else ""
        return replace(finding, level=FAILURE, text=text)
    return replace(finding, level=OK if finding.level == FAILURE else finding.level)


def _by_expectation(found: Sequence[Finding], expect: Mapping[str, str]) -> Iterator[Finding]:
    """Known findings become notes; one that was expected and did not come is a failure."""
    for finding in found:
        text = expect.get(finding.code)
        known = text is not None and _says(finding, text)
        yield replace(finding, level=NOTE, text=f"known: {finding.text}") if known else finding
    for code, text in expect.items():
        if not any(f.code == code and _says(f, text) for f in found):
            said = "; ".join(f.text for f in found if f.code == code) or "nothing"
            message = f"{code} was expected to say {text!r} and says: {said}"
            yield Finding("expect", FAILURE, None, message)


def _says(finding: Finding, text: str) -> bool:
    wanted = text.removeprefix("known:").strip().lower()
    return finding.level != OK and wanted in finding.text.lower()


# --- several processes ------------------------------------------------------------------------

Item = TypeVar("Item", bound=Named)


def run(
    items: Sequence[Item],
    work: Callable[[Item], Outcome],
    jobs: int = 1,
    tick: Callable[[Outcome], object] = lambda outcome: None,
) -> tuple[Outcome, ...]:
    """Outcomes of all items, in their order.

    Parameters
    ----------
    items : sequence
    work : callable
        Importable by name, for it travels to other processes.
    jobs : int
        Processes; 1 works in this one.
    tick : callable
        Called with each outcome as it comes.
    """
    done: dict[int, Outcome] = {}
    stream = _one_by_one(items, work) if jobs == 1 else _parallel(items, work, jobs)
    for number, outcome in stream:
        done[number] = outcome
        tick(outcome)
    return tuple(done[number] for number in range(len(items)))


def _one_by_one(
    items: Sequence[Item], work: Callable[[Item], Outcome]
) -> Iterator[tuple[int, Outcome]]:
    with isolated_batch():
        for number, item in enumerate(items):
            yield number, guarded(work, item)


def guarded(work: Callable[[Item], Outcome], item: Item) -> Outcome:
    """The outcome, also where ``work`` has a bug or no end: one bad model costs that model only."""
    start = time.perf_counter()
    try:
        return within(item.timeout, lambda: work(item))
    except RBridgeError as error:
        return replace(failed(item, error), seconds=time.perf_counter() - start)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{last.filename}:{last.lineno}"
        return failed(item, RuntimeError(f"{type(error).__name__}: {error} ({place})"))


def _parallel(
    items: Sequence[Item], work: Callable[[Item], Outcome], jobs: int
) -> Iterator[tuple[int, Outcome]]:
    """Outcomes as they come. A process that dies takes its pool along: the rest is done alone."""
    left = dict(enumerate(items))
    yield from _pool(left, work, max(min(jobs, len(items)), 1))
    for number, item in list(left.items()):
        yield from _pool(left, work, 1, only=number)
        if number in left:
            yield number, failed(item, RuntimeError("its process died: R or a library crashed"))


def _begin(limited: bool) -> None:
    """In a process of the pool: Ctrl-C is the parent's to report, and reaches this one too."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # held while this one was starting
    if limited:
        set_isolation("process")  # an R that is to be stopped must not be this process's own


def _leave(got: int, _: object) -> None:
    """At once, R's temporary folder too: an exception would be one more outcome to send, and could
    wait for ever for the way that another process took along as it ended."""
    atexit._run_exitfuncs()
    os._exit(128 + got)


def _pool(
    left: dict[int, Item], work: Callable[[Item], Outcome], jobs: int, only: int | None = None
) -> Iterator[tuple[int, Outcome]]:
    # R must be started after the fork, and no fork is safe once it runs: fresh processes
    context = multiprocessing.get_context("spawn")
    limited = any(item.timeout is not None for item in left.values())
    pool = ProcessPoolExecutor(jobs, context, _begin, (limited,))
    try:
        numbers = list(left) if only is None else [only]
        with sigint_held():  # as it starts, a process can only show a traceback of its own
            futures: dict[Future[Outcome], int] = {
                pool.submit(guarded, work, left[n]): n for n in numbers
            }
        for future in as_completed(futures):
            try:
                outcome = future.result()
            except BrokenExecutor:
                continue
            del left[futures[future]]
            yield futures[future], outcome
    except BrokenExecutor:  # it broke while models were still being handed out
        return
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def versions(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """The provenance that the outcomes share."""
    return next((dict(o.provenance) for o in outcomes if o.provenance), {})
