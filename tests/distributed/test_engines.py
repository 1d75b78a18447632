"""The examples for Spark and Ray, on local clusters, against one process."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from sknc import NCReport, NeuralCollapseAnalyzer

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
N, K, D = 3000, 10, 16
_RNG = np.random.default_rng(0)
Y = np.sort(np.arange(N) % K)  # a file has some of the classes
X = 50 + _RNG.standard_normal((K, D))[Y] + 1.2 * _RNG.standard_normal((N, D))
HEAD = {"weights": _RNG.standard_normal((K, D)), "bias": _RNG.standard_normal(K)}
PARTS = [slice(a, a + 700) for a in range(0, N, 700)]

pytestmark = pytest.mark.engines


def check_script(name, *arguments, folder, **environment):
    """Run an example, and compare its report with the score of one process."""
    np.savez(folder / "head.npz", **HEAD)
    output = folder / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, str(EXAMPLES / name), *map(str, arguments)),
            *("--head", str(folder / "head.npz"), "--json", str(output)),
        ],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = NCReport.from_json(output.read_text())
    head = HEAD["weights"], HEAD["bias"]
    expected = NeuralCollapseAnalyzer(head).fit(X, Y).score(X, Y)
    assert f"{expected.nc1_cdnv:.4g}"[:4] in done.stdout
    assert found.n_samples == expected.n_samples == N
    assert found.to_dict().keys() == expected.to_dict().keys()
    assert 0.5 < found.nc4_ncc_accuracy < 0.99
    assert found.to_dict() == pytest.approx(expected.to_dict(), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("connect", [False, True], ids=["classic", "connect"])
def test_spark(tmp_path, connect):
    pytest.importorskip("pyspark", reason="needs pyspark")
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    if not shutil.which("java"):
        pytest.skip("needs Java")
    if connect:
        pytest.importorskip("grpc_status", reason="needs pyspark[connect]")
    data = tmp_path / "features"
    data.mkdir()
    for i, part in enumerate(PARTS):
        table = pa.table({"x": list(X[part]), "y": Y[part]})
        parquet.write_table(table, data / f"{i}.parquet")
    master = {"SPARK_REMOTE": "local[2]"} if connect else {"MASTER": "local[2]"}
    check_script(
        "spark_report.py",
        data,
        "--merging-tasks",
        2,
        folder=tmp_path,
        PYSPARK_PYTHON=sys.executable,
        SPARK_LOCAL_IP="127.0.0.1",
        PYSPARK_SUBMIT_ARGS=(
            f"{'' if connect else '--master local[2] '}--driver-memory 1g "
            "--conf spark.ui.enabled=false "
            # several batches a partition, the last one short
            "--conf spark.sql.execution.arrow.maxRecordsPerBatch=300 "
            "--conf spark.sql.files.maxPartitionBytes=64k pyspark-shell"
        ),
        **master,
    )


def test_ray(tmp_path):
    pytest.importorskip("ray", reason="needs ray")
    for i, part in enumerate(PARTS):
        np.save(tmp_path / f"features_{i}.npy", X[part])
        np.save(tmp_path / f"labels_{i}.npy", Y[part])
    check_script(
        "ray_report.py",
        tmp_path / "features_*.npy",
        tmp_path / "labels_*.npy",
        folder=tmp_path,
        RAY_TMPDIR=tempfile.gettempdir(),  # paths of sockets must be short
        RAY_USAGE_STATS_ENABLED="0",
    )
