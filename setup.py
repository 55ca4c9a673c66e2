"""Which rpy2 this machine needs; everything else stands in pyproject.toml.

Only rpy2's rinterface is used. The Python index has it by itself as ``rpy2-rinterface``, from 3.6.6
on for R 4.5 or newer alone; Debian 12 and 13 have all of rpy2 as one distribution of that name,
which serves where the build sees it. A build from source looks at what is there; RBRIDGE_PORTABLE=1
builds for any machine, as the released wheel is.
"""

import os
import re
import shutil
import subprocess
from importlib import metadata

from setuptools import setup

REQUIRED = ["numpy>=1.24", "pandas>=1.5", "scipy>=1.10", "click>=8", "rich>=12"]
REQUIRED += ["tomli; python_version < '3.11'"]
BY_ITSELF = "rpy2-rinterface>=3.6"
WHOLE = "rpy2>=3.5.9"
FOR_OLD_R = f"{BY_ITSELF},<=3.6.5"
NEEDS_R = (4, 5)  # of rpy2-rinterface 3.6.6 and newer


def rpy2_requirement():
    """The requirement in the words of pip."""
    if os.environ.get("RBRIDGE_PORTABLE"):
        return BY_ITSELF
    if is_installed("rpy2") and not is_installed("rpy2-rinterface"):
        return WHOLE
    found = r_version()
    return FOR_OLD_R if found and found < NEEDS_R else BY_ITSELF


def is_installed(distribution):
    try:
        return bool(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return False


def r_version():
    """(major, minor) of the R that would be used; None where there is none."""
    home = os.environ.get("R_HOME")
    program = os.path.join(home, "bin", "R") if home else shutil.which("R")
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, TypeError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"R version (\d+)\.(\d+)", told.stdout)
    return tuple(map(int, found.groups())) if found else None


if __name__ == "__main__":
    setup(install_requires=[*REQUIRED, rpy2_requirement()])
