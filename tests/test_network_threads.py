import os
import subprocess
import sys

import pytest

from occlumark import network_file
from occlumark.network_file import cpu_quota, default_threads, open_network, usable_cpus


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/pod/box\n", {"pod/cpu.max": "200000 100000\n", "pod/box/cpu.max": "300000 100000\n"}, 2.0),
        ("0::/of/the/host\n", {"cpu.max": "50000 100000\n"}, 0.5),
        (
            "5:cpu,cpuacct:/box\n",
            {"cpu/box/cpu.cfs_quota_us": "400000\n", "cpu/box/cpu.cfs_period_us": "100000\n"},
            4.0,
        ),
        ("5:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("5:cpuset:/\n", {"cpu.max": "100000 100000\n"}, None),
        ("0::/\n", {"cpu.max": "nonsense\n"}, None),
        ("0::/\n", {"cpu.max": "100000 0\n"}, None),
        ("\n:\n", {}, None),
    ],
)
def test_the_quota_of_control_groups(tmp_path, own, files, quota):
    write(tmp_path / "cgroup", files)
    (tmp_path / "own").write_text(own)
    assert cpu_quota(tmp_path / "cgroup", tmp_path / "own") == quota


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert cpu_quota(tmp_path, tmp_path / "none") is None


@pytest.mark.parametrize(("quota", "cpus"), [(None, 8), (2.9, 2), (0.5, 1), (100.0, 8)])
def test_the_least_of_affinity_and_quota(monkeypatch, quota, cpus):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(network_file, "cpu_quota", lambda cgroups, own: quota)
    assert usable_cpus() == cpus and default_threads() == min(4, cpus)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system with CPU affinity")
def test_a_process_on_one_cpu_runs_a_network_by_one_thread(dot_network):
    code = """
import os, sys
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from pathlib import Path
from occlumark.network_file import open_network
print(open_network(Path(sys.argv[1]))[0].get_session_options().intra_op_num_threads)
"""
    done = subprocess.run([sys.executable, "-c", code, str(dot_network)], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_threads_do_not_spin_while_they_wait(dot_network):
    options = open_network(dot_network, threads=2)[0].get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
