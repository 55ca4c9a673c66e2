"""Makes the shipped fits again, with today's R: ``python -m rbridge.qualify.record``."""

from __future__ import annotations

from pathlib import Path

from ..r.session import isolated_batch
from .figures import load_figures
from .fits import RECORDED, FitStore, live


def record(folder: Path) -> list[str]:
    """Write every fit of figures.toml there, and remove the others; the names that were written."""
    figures = load_figures()
    store = FitStore(figures, live(figures))
    folder.mkdir(exist_ok=True)
    with isolated_batch():
        for name in figures.fits:
            store(name).save(folder / f"{name}.zip")
    for path in folder.glob("*.zip"):
        if path.stem not in figures.fits:
            path.unlink()
    return list(figures.fits)


if __name__ == "__main__":
    print(*record(Path(__file__).parent / RECORDED), sep="\n")
