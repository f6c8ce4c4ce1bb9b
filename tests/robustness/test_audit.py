"""Known advisories: old bounds are named, and where nobody can be asked a line says so."""

import json
import sys
from pathlib import Path

import pytest

from robustness import audit


def answering(tmp_path: Path, answer: str) -> list[str]:
    script = tmp_path / "pip_audit.py"
    script.write_text(f"import sys\n{answer}")
    return [sys.executable, str(script)]


def test_a_bound_below_the_first_version_without_a_fault_is_named() -> None:
    bounds = audit.lower_bounds(
        '[project]\ndependencies = ["tqdm>=4.66,<5", "numpy>=1.26"]\n'
        '[project.optional-dependencies]\na = ["torch>=2.10"]'
    )
    assert bounds == {"tqdm": "4.66", "numpy": "1.26", "torch": "2.10"}
    message = "tqdm>=4.66 allows versions with CVE-2024-34062; the first without is 4.66.3"
    assert audit.bounds_below(bounds) == [message]


def test_our_own_bounds_are_above() -> None:
    bounds = audit.lower_bounds(audit.PYPROJECT.read_text(encoding="utf-8"))
    assert audit.bounds_below(bounds) == [] and audit.FIRST_WITHOUT.keys() <= bounds.keys()


def test_faults_of_what_is_installed_are_named(tmp_path: Path) -> None:
    found = [{"name": "numpy", "version": "1.0", "vulns": [{"id": "X-1"}]}, {"name": "pytest", "skip_reason": "?"}]
    command = answering(tmp_path, f"print({json.dumps({'dependencies': found})!r}); sys.exit(1)")
    faults, reason = audit.installed_faults(["numpy", "pytest", "no-such-package"], command)
    assert faults == ["numpy 1.0: X-1"] and reason == "pytest could not be asked for"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("sys.exit('ConnectionError')", "no database of advisories can be reached"),
        ("import time; time.sleep(60)", "no database of advisories can be reached"),
        ("import no_such_pip_audit", "pip-audit is not installed"),
        (
            'print(\'{"dependencies": [{"name": "numpy", "skip_reason": "?"}]}\')',
            "no database of advisories knows them",
        ),
    ],
)
def test_offline_it_says_so_and_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, reason: str
) -> None:
    monkeypatch.setattr(audit, "_MOST_SECONDS", 2)
    assert audit.installed_faults(["numpy"], answering(tmp_path, answer)) == ([], reason)


def test_the_command_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(audit, "installed_faults", lambda names, command: ([], "pip-audit is not installed"))
    assert audit.main() == 0
    assert capsys.readouterr().out == "advisories: lower bounds alone were checked: pip-audit is not installed\n"
    monkeypatch.setattr(audit, "installed_faults", lambda names, command: (["numpy 1.0: X-1"], ""))
    assert audit.main() == 1
    assert capsys.readouterr().out == "numpy 1.0: X-1\n"
