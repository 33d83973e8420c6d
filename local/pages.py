"""`make web`: the pages, built from web/ into build/web; `python -m local.pages check` checks their types.

Names in `assets/` carry a digest of what they name, so they may be kept for ever; the pages themselves may not.
"""

import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from local import packages, typings
from local.packages import MODULES, NODE
from local.problem import ProblemError
from local.site import FOLDER
from local.template import ROOT

SOURCE = ROOT / "web"

PAGES = ("index.html", "dashboard.html")
_REFERENCE = re.compile(r'(src|href)="/(src/[^"]+)"')
_LINK = '<link rel="modulepreload" href="{}">'

Outputs = dict[str, dict[str, Any]]


def build() -> None:
    """Writes `FOLDER` anew. Raises ProblemError."""
    packages.install(SOURCE / "build.lock")
    typings.write(SOURCE / "src" / "schema.d.ts")
    fresh = FOLDER.with_name("web.new")
    shutil.rmtree(fresh, ignore_errors=True)
    outputs = _bundled(fresh)
    for page in PAGES:
        (fresh / page).write_text(_page((SOURCE / page).read_text(), outputs))
    shutil.copy(SOURCE / "icon.svg", fresh)
    shutil.rmtree(FOLDER, ignore_errors=True)
    fresh.rename(FOLDER)


def check() -> None:
    """Raises ProblemError with what the compiler says."""
    packages.install(SOURCE / "build.lock")
    packages.install(SOURCE / "check.lock")
    typings.write(SOURCE / "src" / "schema.d.ts")
    command = [str(NODE), str(MODULES / "typescript" / "bin" / "tsc"), "--project", str(SOURCE)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise ProblemError(f"the pages do not fit together:\n{ran.stdout}")


def weight(page: str) -> int:
    """Bytes that a first visit to a page takes, compressed as any edge would."""
    named = set(re.findall(r'"/(assets/[^"]+|icon.svg)"', (FOLDER / page).read_text()))
    styles = [(FOLDER / name).read_text() for name in named if name.endswith(".css")]
    fonts = {name for style in styles for name in re.findall(r"assets/[\w-]+\.woff2", style)}
    return sum(_wire(FOLDER / name) for name in {page} | named | fonts)


def _wire(file: Path) -> int:
    return file.stat().st_size if file.suffix == ".woff2" else len(gzip.compress(file.read_bytes()))


def _bundled(folder: Path) -> Outputs:
    """Runs the bundler; what it made, by its path in `folder`."""
    entries = sorted({source for page in PAGES for _, source in _REFERENCE.findall((SOURCE / page).read_text())})
    meta = folder.with_name("web.json")
    command = [
        MODULES / _bundler() / "bin" / "esbuild",
        *entries,
        "--bundle",
        "--splitting",
        "--format=esm",
        "--minify",
        "--target=es2022",
        "--charset=utf8",
        "--jsx=automatic",
        "--jsx-import-source=preact",
        "--loader:.woff2=file",
        "--legal-comments=none",
        "--entry-names=assets/[name]-[hash]",
        "--chunk-names=assets/[name]-[hash]",
        "--asset-names=assets/[name]-[hash]",
        "--public-path=/",
        f"--outdir={folder}",
        f"--metafile={meta}",
        "--log-level=warning",
    ]
    ran = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True)
    if ran.returncode:
        raise ProblemError(f"the pages cannot be built:\n{ran.stderr}")
    found: Outputs = json.loads(meta.read_text().replace(f"../{folder.relative_to(ROOT)}/", ""))["outputs"]
    meta.unlink()
    return found


def _bundler() -> str:
    (pin,) = [pin for pin in packages.pins(SOURCE / "build.lock") if pin.name.startswith("@esbuild/")]
    return pin.name


def _page(text: str, outputs: Outputs) -> str:
    """A page that names what was built, and asks early for all that its scripts will import."""
    entries = {source: name for name, one in outputs.items() if (source := one.get("entryPoint"))}
    sources = [source for _, source in _REFERENCE.findall(text)]
    early = sorted(_imported([entries[source] for source in sources], outputs))
    page = _REFERENCE.sub(lambda found: f'{found[1]}="/{entries[found[2]]}"', text)
    return page.replace("  </head>", "".join(f"    {_LINK.format('/' + name)}\n" for name in early) + "  </head>")


def _imported(names: list[str], outputs: Outputs) -> set[str]:
    direct = {one["path"] for name in names for one in outputs[name]["imports"] if one["kind"] == "import-statement"}
    return direct | _imported(list(direct), outputs) if direct else direct


def main(arguments: list[str]) -> int:
    """Takes nothing, or `check`."""
    try:
        check() if arguments else build()
    except ProblemError as error:
        print(f"imagetrail: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
