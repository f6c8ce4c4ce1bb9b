"""Known advisories against what occlumark depends on: `make lint`, or python -m robustness.audit.

First pyproject.toml's lower bounds against the list below. Then pip-audit asks PyPI about the versions that are
installed; where it is missing, or no database answers, a line says so, and that is no failure.
"""

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
#: The first version without a fault that was made public, of packages that older versions of would be allowed.
FIRST_WITHOUT = {
    "pillow": ("10.3", "CVE-2024-28219"),
    "setuptools": ("78.1.1", "CVE-2025-47273"),
    "torch": ("2.6", "CVE-2025-32434"),
    "tqdm": ("4.66.3", "CVE-2024-34062"),
}
_MOST_SECONDS = 30


def lower_bounds(pyproject: str) -> dict[str, str]:
    """Every dependency's lower bound by its name; with extras."""
    project = tomllib.loads(pyproject)["project"]
    extras = project.get("optional-dependencies", {}).values()
    wanted = [*project["dependencies"], *(requirement for extra in extras for requirement in extra)]
    return {match[1]: match[2] for each in wanted if (match := re.match(r"([\w-]+)>=([\d.]+)", each))}


def bounds_below(bounds: dict[str, str]) -> list[str]:
    """A line for each lower bound that allows a version with a fault of the list."""
    return [
        f"{name}>={bounds[name]} allows versions with {advisory}; the first without is {first}"
        for name, (first, advisory) in FIRST_WITHOUT.items()
        if name in bounds and _numbers(bounds[name]) < _numbers(first)
    ]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def installed_faults(names: list[str], command: list[str]) -> tuple[list[str], str]:
    """What pip-audit says of the installed versions.

    Args:
        names: of packages; those that are not installed are left out.
        command: pip-audit.

    Returns:
        A line for each fault, and why nothing could be asked; empty where all was.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "installed.txt")
        versions = {}
        for name in names:
            if any(True for _ in importlib.metadata.distributions(name=name)):
                versions[name] = importlib.metadata.version(name).partition("+")[0]
        file.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()), encoding="utf-8")
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--timeout", "5"]
        try:
            asked = [*command, "-r", str(file), *options]
            done = subprocess.run(asked, capture_output=True, text=True, timeout=_MOST_SECONDS, check=False)
            if "No module named" in done.stderr:
                return [], "pip-audit is not installed"
            found = json.loads(done.stdout)["dependencies"]
        except (subprocess.TimeoutExpired, json.JSONDecodeError):
            return [], "no database of advisories can be reached"
    faults = [f"{each['name']} {each['version']}: {fault['id']}" for each in found for fault in each.get("vulns", ())]
    unknown = [each["name"] for each in found if "skip_reason" in each]
    if len(unknown) == len(found):
        return [], "no database of advisories knows them"
    return faults, f"{', '.join(unknown)} could not be asked for" if unknown else ""


def main() -> int:
    """Check; returns 1 where a bound or an installed version has a known fault."""
    bounds = lower_bounds(PYPROJECT.read_text(encoding="utf-8"))
    problems = bounds_below(bounds)
    faults, reason = installed_faults(sorted(bounds), [sys.executable, "-m", "pip_audit"])
    problems += faults
    if reason:
        print(f"advisories: lower bounds alone were checked: {reason}")
    print("\n".join(problems), end="\n" if problems else "")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
