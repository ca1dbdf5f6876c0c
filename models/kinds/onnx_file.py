"""Graphs in ONNX, run by ONNX Runtime on one thread."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from models.artefact import Artefact
from models.kinds.estimator import EstimatorSpec, Floats, both_labels, corrupt, unread
from models.kinds.packages import require
from schemas.errors import ModelIncompatible

_INPUTS: Final[Mapping[str, type[np.floating[Any]]]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}


class OnnxEstimator:
    """An ONNX graph from one matrix of numbers to one of probabilities.

    Args:
        file: Path in the artefact, for messages.
        data: The file, with all its weights inside.
        output: Which output holds the probabilities; empty where only one is a matrix of numbers.

    Raises:
        ModelCorrupt: The file is no valid graph.
        ModelIncompatible: It reads or answers otherwise than with one matrix of numbers.
        ResourceMissing: ONNX Runtime is not installed.
    """

    # Its matrix products associate otherwise in a batch than for one row.
    is_batch_exact: Final = False

    def __init__(self, file: str, data: bytes, output: str) -> None:
        onnxruntime = require("onnxruntime", "onnxruntime")
        self._file = file
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        # Weights beside the graph would be read from wherever it says.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NOWHERE)
        try:
            self._session: Any = onnxruntime.InferenceSession(
                data, sess_options=options, providers=["CPUExecutionProvider"]
            )
        # Its exceptions have no common base but this.
        except Exception as error:
            raise corrupt(file, f"ONNX Runtime says: {error}") from error
        self._input, self._dtype, self.features_count = _input(file, self._session)
        self._output = _output(file, self._session, output)

    def probabilities(self, rows: Floats) -> Floats:
        """Return probabilities, see ``models.kinds.estimator.RowEstimator``."""
        try:
            [found] = self._session.run([self._output], {self._input: rows.astype(self._dtype)})
        # As in the constructor.
        except Exception as error:
            raise corrupt(self._file, f"ONNX Runtime says: {error}") from error
        matrix = np.asarray(found, dtype=np.float64).reshape(len(rows), -1)
        return both_labels(matrix[:, 0]) if matrix.shape[1] == 1 else matrix


_NOWHERE: Final = "/nonexistent"


def read_estimator(artefact: Artefact, spec: EstimatorSpec) -> OnnxEstimator:
    """Read the file that the spec names."""
    return OnnxEstimator(spec.file, artefact.file(spec.file), spec.output)


def _input(file: str, session: Any) -> tuple[str, type[np.floating[Any]], int | None]:
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _INPUTS or len(inputs[0].shape) != 2:
        told = ", ".join(f"{one.name}: {one.type}{one.shape}" for one in inputs)
        raise _incompatible(file, f"reads {told}", "one matrix of float or double")
    columns = inputs[0].shape[1]
    return inputs[0].name, _INPUTS[inputs[0].type], columns if isinstance(columns, int) else None


def _output(file: str, session: Any, wanted: str) -> str:
    outputs = session.get_outputs()
    matrices = [
        one.name
        for one in outputs
        if one.type in _INPUTS and (one.name == wanted if wanted else len(one.shape) == 2)
    ]
    if len(matrices) != 1:
        told = ", ".join(f"{one.name}: {one.type}{one.shape}" for one in outputs)
        raise _incompatible(
            file, f"answers {told}", f"one matrix of probabilities{f' named {wanted}' if wanted else ''}"
        )
    name: str = matrices[0]
    return name


def _incompatible(file: str, found: str, wanted: str) -> ModelIncompatible:
    return unread(
        file,
        f"{found}, where {wanted} is needed; export it anew (from scikit-learn, without "
        "ZipMap), or name the output in the manifest's estimator",
    )
