"""nlme's names of Pars, the parameters behind ``apVar``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .parameters import free_cor
from .snapshot import FitSnapshot, VarFunc
from .unconstrained import LOG_RANGE, pd_class


def pars_names(snapshot: FitSnapshot, groups: Sequence[str]) -> tuple[str, ...]:
    """Names as R's ``unlist`` makes them of ``coef(fit$modelStruct)``, with ``lSigma``.

    Parameters
    ----------
    snapshot : FitSnapshot
        Its estimates are not used.
    groups : sequence of str
        The grouping factor of each level, outermost first; one that serves twice by one name.

    Notes
    -----
    They are not unique in general: decode by position.
    """
    names: list[str] = []
    for level, group in zip(snapshot.levels[::-1], groups[::-1]):
        size = sum(pd_class(block.pd_class).size(len(block.names)) for block in level.blocks)
        names += _numbered(f"reStruct.{group}", size)
    if cor := free_cor(snapshot):
        if cor.cor_class in LOG_RANGE:
            names += [f"corStruct.{name}" for name in cor.names]
        else:
            names += _numbered("corStruct", len(cor.names))
    for var in snapshot.var:
        names += _of_variance(var)
    return (*names, *([] if snapshot.fixed_sigma else ["lSigma"]))


def _of_variance(var: VarFunc) -> Iterator[str]:
    """varIdent loses the names of its strata."""
    stem = f"varStruct.{var.tag}" if var.tag else "varStruct"
    free = [name for name, is_free in zip(var.names, var.free.tolist()) if is_free]
    if var.var_class == "varIdent":
        yield from _numbered(stem, len(free))
    else:
        yield from (f"{stem}.{name}" for name in free)


def _numbered(stem: str, n: int) -> list[str]:
    return [stem] if n == 1 else [f"{stem}{i + 1}" for i in range(n)]
