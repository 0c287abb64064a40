"""Our network and the plugin's, and our training and the stock tool's, on the same schedules."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hltune.cost_model.adams2019.network import predict
from hltune.cost_model.adams2019.options import TUNING, TrainingOptions
from hltune.cost_model.adams2019.train import TrainingState, train
from hltune.cost_model.adams2019.weights import Weights, read_weights, write_weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.features import operations
from hltune.machine.open import resolve
from hltune.pipeline.target import TargetInfo
from hltune.runtime import halide_wheel
from hltune.runtime.worker import Worker
from hltune.samples.sample_file import SampleFile
from hltune.search.autoschedulers import Adams2019Options
from hltune.search.jobs import ENVIRONMENT, SearchJob
from hltune.suite.catalog import FILTERS
from hltune.values.candidate import Candidate
from hltune.values.features import TYPES, Featurization, plausible
from hltune.values.pipeline import PipelineSpec
from tests.cache import CACHE
from tests.cost_model.conftest import loss_of, make_dataset, perturbed
from tests.loading import Unchecked

CORES = 2
PROBES = 4


@pytest.fixture(scope="module")
def target() -> TargetInfo:
    return resolve("host")


@pytest.fixture(scope="module")
def specs(target: TargetInfo) -> list[PipelineSpec]:
    with Worker(preload=("halide",)) as worker:
        return [
            worker.run(Unchecked(source=benchmark.source(512, 256), target=target.name, cache=CACHE))
            for benchmark in FILTERS
        ]


def search(specs: list[PipelineSpec], target: TargetInfo, weights: Path | None) -> list[Candidate]:
    options = [Adams2019Options(parallelism=CORES, beam_size=4, weights=weights)]
    options += [
        Adams2019Options(parallelism=CORES, beam_size=1, num_passes=1, random_dropout=1, seed=seed, weights=weights)
        for seed in range(PROBES)
    ]
    with Worker(environment=ENVIRONMENT, preload=("halide",)) as worker:
        jobs = [SearchJob(spec=spec, target=target.name, searches=tuple(options), timeout_s=60) for spec in specs]
        found = [outcome for job in jobs for outcome in worker.run(job)]
    assert all(isinstance(each, Candidate) for each in found)
    return found


def check_predictions(candidates: list[Candidate], weights: Weights) -> None:
    for candidate in candidates:
        featurization = candidate.features
        assert featurization is not None
        assert Featurization.from_halide(featurization.to_halide()) == featurization
        assert plausible(featurization.pipeline_array()) and plausible(featurization.schedule_array())
        assert predict_one(weights, featurization) == pytest.approx(candidate.predicted_ms, rel=1e-4)


def predict_one(weights: Weights, featurization: Featurization) -> float:
    pipeline, schedule = operations(featurization.pipeline_array()), featurization.schedule_array()
    (predicted_ms,) = predict(weights, pipeline, schedule[None], CORES)
    return float(predicted_ms)


def test_predictions_are_the_plugins(specs: list[PipelineSpec], target: TargetInfo, builtin: Weights) -> None:
    candidates = search(specs, target, None)
    assert len(candidates) == 6 * (1 + PROBES)
    check_predictions(candidates, builtin)


def test_plugin_takes_our_file(specs: list[PipelineSpec], target: TargetInfo, builtin: Weights, tmp_path: Path) -> None:
    path = tmp_path / "ours.weights"
    weights = perturbed(builtin, seed=1)
    write_weights(path, weights)
    candidates = search(specs[:3], target, path)
    check_predictions(candidates, weights)
    # The file was used at all: the built-in weights say something else.
    other_ms = predict_one(builtin, candidates[0].features)
    assert other_ms != pytest.approx(candidates[0].predicted_ms, rel=1e-3)


def write_samples(directory: Path, datasets: list[Dataset]) -> list[Path]:
    paths: list[Path] = []
    for pipeline_id, samples in enumerate(datasets):
        stages = len(samples.pipeline)
        types = np.zeros((stages, TYPES), dtype=np.float32)  # the tool ignores them as well
        pipeline_features = np.concatenate([types, samples.pipeline.reshape(stages, -1)], axis=1)
        for number, (schedule, runtime_s) in enumerate(zip(samples.schedules, samples.costs, strict=True)):
            featurization = Featurization(
                pipeline_features=pipeline_features.tobytes(), schedule_features=schedule.tobytes()
            )
            sample = SampleFile(
                featurization=featurization, runtime_s=runtime_s, pipeline_id=pipeline_id, schedule_id=number
            )
            paths.append(directory / f"{pipeline_id}-{number}.sample")
            paths[-1].write_bytes(sample.encode())
    return paths


def stock_training(directory: Path, datasets: list[Dataset], start: Path, options: TrainingOptions) -> Weights:
    wheel = halide_wheel.wheel_directory()
    out = directory / "stock.weights"
    command = {
        "epochs": options.epochs,
        "rates": options.learning_rate,
        "num_cores": CORES,
        "initial_weights": start,
        "weights_out": out,
        "best_benchmark": directory / "best.txt",
        "best_schedule": directory / "best.h",
    }
    subprocess.run(
        [wheel / "bin" / "adams2019_retrain_cost_model", *(f"--{key}={value}" for key, value in command.items())],
        input="\n".join(map(str, write_samples(directory, datasets))) + "\n",
        env={**os.environ, "LD_LIBRARY_PATH": str(halide_wheel.library_directory())},
        text=True,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return read_weights(out)


@pytest.mark.long
@pytest.mark.parametrize(("epochs", "rate", "pipelines"), [(1, 1e-3, 1), (60, 1e-3, 1), (40, 1e-3, 3)])
def test_training_is_no_worse_than_the_stock_tools(
    tmp_path: Path, builtin: Weights, epochs: int, rate: float, pipelines: int
) -> None:
    datasets = [make_dataset(seed, 40) for seed in range(pipelines)]
    start = tmp_path / "start.weights"
    write_weights(start, builtin)
    options = replace(TUNING, epochs=epochs, learning_rate=rate, l2_to_init=0, time_limit_s=None)
    ours = train(TrainingState.start(builtin), datasets, options, initial=builtin, seed=0).weights
    stock = stock_training(tmp_path, datasets, start, options)
    before, after, theirs = (sum(loss_of(w, each) for each in datasets) for w in (builtin, ours, stock))
    assert after < before
    assert after <= theirs * 1.02
    if (epochs, pipelines) == (1, 1):
        for name, values in ours.items():
            np.testing.assert_allclose(values, stock[name], atol=rate * 1e-2, err_msg=name)
