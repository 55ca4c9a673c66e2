"""What is inside the image, as SPDX 2.3 JSON on standard output: packages of Debian, Python and R.

Python's and R's own records are read only where Debian's package manager does not own them, so that
nothing is listed twice. Standard library alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

R_LIBRARIES = ("/usr/local/lib/R/site-library",)
PYTHON_LIBRARIES = ("/opt/rbridge/lib",)


def debian() -> list[dict]:
    fields = (
        "db:Status-Status",
        "Package",
        "Version",
        "Architecture",
        "Maintainer",
        "source:Package",
    )
    form = "\\t".join(f"${{{field}}}" for field in fields) + "\\n"
    told = subprocess.run(["dpkg-query", "-W", "-f", form], stdout=subprocess.PIPE, check=True)
    rows = [line.split("\t") for line in told.stdout.decode().splitlines()]
    return [
        package(
            "deb",
            name,
            version,
            f"pkg:deb/debian/{name}@{version}?arch={arch}",
            arch=arch,
            supplier=f"Organization: {maintainer}",
            comment=f"source package {source}; licence: /usr/share/doc/{name}/copyright",
        )
        for status, name, version, arch, maintainer, source in rows
        if status == "installed"
    ]


def python() -> list[dict]:
    folders = [str(p) for top in PYTHON_LIBRARIES for p in Path(top).glob("python*/site-packages")]
    found = []
    for each in metadata.distributions(path=folders):
        name, version = each.metadata["Name"], each.version
        licence = each.metadata.get("License-Expression") or classified(each) or "NOASSERTION"
        found.append(package("pypi", name, version, f"pkg:pypi/{name.lower()}@{version}", licence))
    return found


def classified(each: metadata.Distribution) -> str:
    """The licence that the classifiers name, where it is ours."""
    marks = each.metadata.get_all("Classifier") or []
    return "MIT" if "License :: OSI Approved :: MIT License" in marks else ""


def r() -> list[dict]:
    found = []
    for path in (p for top in R_LIBRARIES for p in Path(top).glob("*/DESCRIPTION")):
        fields = dict(
            line.split(": ", 1)
            for line in path.read_text("utf-8").splitlines()
            if ": " in line and not line.startswith((" ", "\t"))
        )
        name, version = fields["Package"], fields["Version"]
        comment = f"licence as declared: {fields.get('License', 'none')}"
        found.append(package("cran", name, version, f"pkg:cran/{name}@{version}", comment=comment))
    return found


def package(
    kind: str, name: str, version: str, purl: str, licence: str = "NOASSERTION", **more: str
) -> dict:
    own = f"{kind}-{name}" + (f"-{more.pop('arch')}" if "arch" in more else "")
    safe = "".join(c if c.isalnum() or c in ".-" else "-" for c in own)
    reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl"}
    return {
        "SPDXID": f"SPDXRef-{safe}",
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "externalRefs": [{**reference, "referenceLocator": purl}],
        **more,
    }


def document(packages: list[dict]) -> dict:
    """The whole: the same packages at the same moment give the same text."""
    moment = int(os.environ.get("SOURCE_DATE_EPOCH") or datetime.now(timezone.utc).timestamp())
    created = datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    image = package("image", "rbridge", metadata.version("rbridge"), "pkg:oci/rbridge")
    content = json.dumps([created, packages], sort_keys=True)
    links = [("SPDXRef-DOCUMENT", "DESCRIBES", image["SPDXID"])]
    links += [(image["SPDXID"], "CONTAINS", each["SPDXID"]) for each in packages]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "rbridge image",
        "documentNamespace": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "creationInfo": {"created": created, "creators": ["Tool: rbridge-docker-sbom.py"]},
        "packages": [image, *packages],
        "relationships": [
            {"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b}
            for a, kind, b in links
        ],
    }


if __name__ == "__main__":
    everything = sorted([*debian(), *python(), *r()], key=lambda each: str(each["SPDXID"]))
    print(json.dumps(document(everything), indent=1, ensure_ascii=False))
