"""The ONNX files that detection runs: checked, opened, run."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from occlumark.config import parse_json
from occlumark.errors import CheckpointError, ConfigError, one_line
from occlumark.onnx_check import check_onnx

#: Where an ONNX file's metadata keeps the JSON that detection reads.
METADATA_KEY = "occlumark"
#: Ten times our largest network.
MOST_BYTES = 1 << 28
#: More threads than any machine has.
MOST_THREADS = 1024

#: More threads than this are hardly faster on one crop.
MOST_BY_DEFAULT = 4

# Where Linux says how much of its CPUs a container leaves to this process.
_CGROUPS, _OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")

#: What runs a network: a provider of ONNX Runtime, "CUDAExecutionProvider" or in short "cuda", alone or with options.
Provider = str | tuple[str, dict[str, Any]]

#: A value's element type and shape: a number is the axis's length, None one that is free, "any" either.
Form = tuple[str, Sequence[int | str | None]]

_UNREADABLE = (
    MemoryError,
    RuntimeError,
    ValueError,  # UnicodeDecodeError: names in a damaged file are no text
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NoModel,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)


class NetworkSession(onnxruntime.InferenceSession):
    """An ONNX Runtime session that checks what it gives, and can be pickled: the copy opens the same file again."""

    def __init__(
        self, path: Path, content: bytes, threads: int | None, providers: Sequence[Provider] | None = None
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or default_threads()
        # A thread that waits for work turns in a circle else, and takes the CPU from whoever has some.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # what goes wrong is raised; nothing is printed
        # No second try, which ONNX Runtime would announce on standard output.
        super().__init__(content, options, providers=named_providers(providers), enable_fallback=0)
        self.path = path
        self._opened_by = (path.absolute(), hashlib.sha256(content).hexdigest(), threads, providers)

    def check_forms(self, inputs: Mapping[str, Form], outputs: Mapping[str, Form]) -> None:
        """Check what the network takes and gives, as its file declares it.

        Args:
            inputs: all of them, by name.
            outputs: those that are needed; there may be more.

        Raises:
            CheckpointError: one is missing, or of another type or shape; an input more is there.
        """
        try:
            takes = {node.name: (node.type, node.shape) for node in self.get_inputs()}
            gives = {node.name: (node.type, node.shape) for node in self.get_outputs()}
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{self.path} is damaged: a name in it is no text; export it again") from error
        if unknown := sorted(takes.keys() - inputs.keys()):
            raise CheckpointError(f"{self.path} has an input too many, {unknown[0]!r}; export it again")
        for word, found, expected in (("input", takes, inputs), ("output", gives, outputs)):
            for name, form in expected.items():
                if name not in found or not _fits(found[name], form):
                    came = _words(found[name]) if name in found else "none"
                    wrong = f"the wrong {word} {name!r}: expected {_words(form)}, came {came}"
                    raise CheckpointError(f"{self.path} has {wrong}; export it again")

    def outputs(self, names: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Run the network.

        Args:
            names: of the outputs.
            inputs: by name.

        Raises:
            CheckpointError: it fails while it runs, or answers in another shape than its file declares or with numbers
                that are not finite.
        """
        try:
            values = self.run(list(names), dict(inputs))
        except _UNREADABLE as error:
            raise CheckpointError(f"{self.path} fails while it runs: {one_line(str(error))[:200]}") from error
        declared = {node.name: node.shape for node in self.get_outputs()}
        for name, value in zip(names, values, strict=True):
            # ONNX Runtime lets a network answer in another shape than its file declares.
            if not _fits(("", value.shape), ("", [n if isinstance(n, int) else "any" for n in declared[name]])):
                came = f"{name} of shape {list(value.shape)}, not {declared[name]}"
                raise CheckpointError(f"{self.path} answers with {came}; export it again")
            if not np.isfinite(value).all():
                raise CheckpointError(f"{self.path} answers with numbers that are not finite ({name}); export it again")
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, self._opened_by


def open_network(
    path: Path,
    *,
    sha256: str | None = None,
    threads: int | None = None,
    providers: Sequence[Provider] | None = None,
) -> tuple[NetworkSession, dict[str, Any]]:
    """Open an exported network.

    Args:
        path: an ONNX file that `occlumark export` wrote.
        sha256: what the file's SHA-256 must be; None: not known, so what the file holds is checked (onnx_check).
        threads: of ONNX Runtime within one run; None: the CPUs that the process may use, at most 4.
        providers: what runs it, the first that can each operator; None: the CPU, which does what the others leave.

    Returns:
        The session, and what the file's metadata says of the network.

    Raises:
        CheckpointError: the file is missing, truncated, altered, not ours or holds what no export of ours does.
        ConfigError: this ONNX Runtime has no such provider, or it does not start.
        ValueError: threads out of 1..1024.
    """
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"threads is in 1..{MOST_THREADS}, not {threads}")
    content = read_checked(path) if sha256 is None else _read(path)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise CheckpointError(f"{path} is altered: its SHA-256 is not the recorded one; install the package again")
    try:
        session = NetworkSession(path, content, threads, providers)
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    except _UNREADABLE as error:
        if providers is not None:
            asked = ", ".join(_name(provider) for provider in named_providers(providers))
            raise ConfigError(f"cannot open {path} with {asked}: {one_line(str(error))[:200]}") from error
        raise CheckpointError(f"{path} is no ONNX file, or a damaged one; export it again") from error
    if missing := [name for each in named_providers(providers) if (name := _name(each)) not in session.get_providers()]:
        raise ConfigError(f"{missing[0]} does not start: its device, driver or libraries are missing; leave it out")
    if text is None:
        raise CheckpointError(f"{path} is not ours: it lacks the metadata that `occlumark export` writes")
    try:
        return session, parse_json(text, "metadata")
    except ConfigError as error:
        raise CheckpointError(f"{path} has broken metadata ({error}); export it again") from error


def named_providers(providers: Sequence[Provider] | None) -> list[Provider]:
    """Providers as ONNX Runtime names them; None, or none: the CPU.

    Raises:
        ConfigError: this ONNX Runtime has no provider of a name.
    """
    there = onnxruntime.get_available_providers()
    known = {key: name for name in there for key in (name.lower(), name.removesuffix("ExecutionProvider").lower())}
    named: list[Provider] = []
    for provider in providers or ["CPUExecutionProvider"]:
        name = known.get(_name(provider).lower())
        if name is None:
            raise ConfigError(
                f"this ONNX Runtime has no provider '{_name(provider)}', only {', '.join(there)}; "
                "install its build for your device instead, such as onnxruntime-gpu"
            )
        named.append(name if isinstance(provider, str) else (name, provider[1]))
    return named


def _name(provider: Provider) -> str:
    return provider if isinstance(provider, str) else provider[0]


def _fits(found: tuple[str, Sequence[int | str | None]], form: Form) -> bool:
    (kind, shape), (expected_kind, expected) = found, form
    return (
        kind in (expected_kind, f"tensor({expected_kind})")
        and len(shape) == len(expected)
        and all(map(_axis_fits, shape, expected))
    )


def _axis_fits(length: int | str | None, expected: int | str | None) -> bool:
    """Whether an axis is as expected; ONNX Runtime gives a free one as its name or None."""
    if expected is None:
        return not isinstance(length, int)
    return expected in ("any", length)


def _words(form: Form) -> str:
    kind, shape = form
    return f"{kind.removeprefix('tensor(').removesuffix(')')} {[axis if axis is not None else '?' for axis in shape]}"


def read_checked(path: Path) -> bytes:
    """The bytes of an ONNX file that holds nothing that our exports do without.

    Raises:
        CheckpointError: the file is missing, too large, truncated or holds something else (onnx_check).
    """
    content = _read(path)
    try:
        check_onnx(content)
    except ValueError as error:
        raise CheckpointError(f"{path} is no network of ours: {error}; export it again") from error
    return content


def _open_again(path: Path, sha256: str, threads: int | None, providers: Sequence[Provider] | None) -> NetworkSession:
    return open_network(path, sha256=sha256, threads=threads, providers=providers)[0]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"cannot read weights {path}: {error.strerror}") from error
    except ValueError as error:  # a null byte in the name
        raise CheckpointError(f"cannot read weights {path}: {error}") from error
    if len(content) > MOST_BYTES:
        raise CheckpointError(f"{path} is larger than {MOST_BYTES >> 20} MB, which no network of ours is")
    return content


def default_threads() -> int:
    """The CPUs that this process may use, at most MOST_BY_DEFAULT."""
    return min(MOST_BY_DEFAULT, usable_cpus())


def usable_cpus() -> int:
    """The CPUs that this process may use: of the machine's those of its affinity, and no more than a container's quota.

    A quota of one and a half CPUs is one: a second thread would mostly wait.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(_CGROUPS, _OWN_CGROUP)
    return affinity if quota is None else max(1, min(affinity, int(quota)))


def cpu_quota(cgroups: Path, own: Path) -> float | None:
    """The CPUs' worth of time that control groups leave this process; None: no limit, or no control groups.

    Args:
        cgroups: where they are mounted, version 2 or version 1 with cpu/.
        own: what names the process's own, as /proc/self/cgroup does: ID:CONTROLLERS:PATH a line.
    """
    try:
        lines = own.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = cgroups if not controllers else cgroups / "cpu"
        # In a container the path may be the host's, and only the root is there.
        for place in (root / path.lstrip("/"), *(root / parent for parent in Path(path.lstrip("/")).parents), root):
            quotas.append(_quota_of_2(place) if not controllers else _quota_of_1(place))
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_of_2(place: Path) -> float | None:
    """cpu.max: "QUOTA PERIOD" in microseconds, or "max PERIOD"."""
    return _share(_text(place / "cpu.max").split())


def _quota_of_1(place: Path) -> float | None:
    """The same in two files; a quota of -1 is none."""
    return _share([_text(place / "cpu.cfs_quota_us").strip(), _text(place / "cpu.cfs_period_us").strip()])


def _share(words: list[str]) -> float | None:
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
