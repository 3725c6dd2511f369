"""Random configurations, flags and damaged files: a valid result or one clear line, nothing else.

Every example that a strategy draws is a bad input in most cases; all are the same in every run.
"""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import ConSinGAN
from ConSinGAN import ask, beginning, files, launch, modes, saved, training
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import MAX_MESSAGE, UsageError
from ConSinGAN.evaluation import SCHEMA as EVALUATION
from ConSinGAN.evaluation import EvalConfig
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.model import ImageModel
from ConSinGAN.presets.base import Configure, Values
from ConSinGAN.presets.draft import Draft
from ConSinGAN.run import RunDirectory
from ConSinGAN.state import Diverged
from main_train import make_train_parser

MEBIBYTES = 200  # that the refusal of a file may take at most


def fuzz(examples: int, deadline: int = 2000) -> settings:
    """Settings of a fuzz test: so many examples, each within `deadline` milliseconds."""
    return settings(
        max_examples=examples, deadline=deadline, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def little_memory(run: Path) -> Iterator[None]:
    """The most memory that the process ever had, after a training, must not rise by much."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MEBIBYTES * 1024, f"{grown / 1024:.0f} MiB"


@pytest.fixture(scope="module")
def run(trained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a tiny finished run."""
    return Path(shutil.copytree(trained("harmonization"), tmp_path_factory.mktemp("fuzz") / "run"))


@pytest.fixture(scope="module", autouse=True)
def quick_draft() -> Iterator[None]:
    """A draft is chosen without its timed iterations, which take seconds."""

    def smallest(self: Draft, configure: Configure) -> Values:
        return modes.get(configure({}).train_mode).drafts[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draft, "choose", smallest)
        yield


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def or_one_line(work: Callable[[], object]) -> object:
    """The result of `work`, or None if it was refused in one line."""
    try:
        return work()
    except UsageError as error:
        assert str(error).strip()
        assert len(str(error).splitlines()) == 1, repr(str(error))
        assert len(str(error)) <= MAX_MESSAGE
        return None


# Values ---------------------------------------------------------------------------------------

NAMES = sorted({*SCHEMA.options, *EVALUATION.options})
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates()
    | st.sampled_from([10**9, 2**63, 10**400, 1e308, -1, 0, 1, "1e3", "nan", "a\nb", "x" * 5000])
    | st.binary(max_size=5)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner,
                                                                max_size=3),
    max_leaves=6,
)  # fmt: skip
# Mostly real names, so that values are looked at.
OPTIONS = st.dictionaries(
    st.sampled_from(NAMES) | st.sampled_from(NAMES) | SCALARS, VALUES, max_size=5
)


def refused_or_valid(values: dict) -> None:
    flags = {key: value for key, value in values.items() if key != "manualSeed"}
    config = or_one_line(lambda: launch.configure(flags | {"not_cuda": True}))
    assert config is None or isinstance(config, TrainConfig)
    config = or_one_line(lambda: EVALUATION.build(typed=flags))
    assert config is None or isinstance(config, EvalConfig)
    or_one_line(lambda: ask.configure(flags))


@given(OPTIONS)
@fuzz(500)
def test_any_dictionary_is_a_configuration_or_refused(values: dict) -> None:
    refused_or_valid(values)


@given(OPTIONS, st.text("\n\t :-[]{}&*!|>'\"%@`#,?\x00\x85é", max_size=8), st.integers(0, 200))
@fuzz(300)
def test_any_yaml_file_is_a_configuration_or_refused(values: dict, noise: str, at: int) -> None:
    text = yaml.dump(values)  # with tags of Python objects, too
    text = text[:at] + noise + text[at:]
    Path("any.yaml").write_text(text, encoding="utf-8")
    or_one_line(lambda: launch.configure({"config": "any.yaml", "not_cuda": True}))


# Flags ----------------------------------------------------------------------------------------

SURE = ["--niter", "--nfc", "--size", "--config", "--resume", "--model_dir", "--fine_tune", "--gpu"]
WORD = (
    st.sampled_from([f"--{name}" for name in NAMES])
    | st.sampled_from([*SURE, "-", "--", "@x", "--quiet", "--verbose", "--draft", "--no-compile"])
    | st.sampled_from(modes.names())
    | st.integers(-5, 10**12).map(str)
    | st.floats().map(str)
    | st.text(max_size=12)
)
WORDS = st.lists(WORD, max_size=8)


TRAIN_PARSER, EVALUATION_PARSER = make_train_parser(), ask.make_parser(None)


@given(WORDS, st.booleans())
@fuzz(400)
def test_any_words_are_flags_or_refused(words: list[str], joined: bool) -> None:
    assume("--help" not in words and "-h" not in words)
    words = ["=".join(words[:2]), *words[2:]] if joined else words
    flags = or_one_line(lambda: vars(TRAIN_PARSER.parse_args(words)))
    if flags is not None:
        flags.pop("level", None)
        directory = flags.pop("resume", None)
        if directory is None:
            or_one_line(lambda: launch.configure(flags))
        else:
            or_one_line(lambda: launch.resume(directory, flags))
    flags = or_one_line(lambda: vars(EVALUATION_PARSER.parse_args(words)))
    if flags is not None:
        flags.pop("level", None)
        or_one_line(lambda: ask.configure(flags))


# Files of a run, with a checksum that is right ------------------------------------------------


@pytest.fixture(scope="module")
def config_text(run: Path) -> str:
    return saved.unseal(run / "config.yaml")


def open_and_resume(run: Path) -> None:
    """All that reads a run directory."""
    or_one_line(lambda: RunDirectory.open(run).load_config())
    or_one_line(lambda: ConSinGAN.load(run))
    or_one_line(lambda: launch.resume(run, {}))


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=3))
@fuzz(100)
def test_a_changed_config_of_a_run_is_harmless(run: Path, config_text: str, values: dict) -> None:
    """An author of a malicious run directory can compute checksums."""
    changed = yaml.safe_dump(yaml.safe_load(config_text) | values)
    (run / "config.yaml").write_bytes(saved.seal(changed))
    open_and_resume(run)


@given(st.data())
@fuzz(100)
def test_a_mutated_config_of_a_run_is_harmless(
    run: Path, config_text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(config_text)))
    end = data.draw(st.integers(start, min(start + 30, len(config_text))))
    noise = data.draw(st.text(max_size=6) | st.sampled_from(["9" * 30, "null", "\n", "[", ": "]))
    changed = config_text[:start] + noise + config_text[end:]
    (run / "config.yaml").write_bytes(saved.seal(changed))
    open_and_resume(run)


# Damaged tensor files -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def original(trained: Callable[[str], Path]) -> ImageModel:
    return ConSinGAN.load(trained("harmonization"))


def assert_same_model(a: ImageModel, b: ImageModel) -> None:
    assert a.noise_amp == b.noise_amp
    pairs = [(x.reals + x.fixed_noise + list(x.generator.state_dict().values())) for x in (a, b)]
    assert all(torch.equal(*pair) for pair in zip(*pairs, strict=True))


TENSOR_FILES = ["reals.safetensors", "noise.safetensors", "1/netG.safetensors"]


@given(st.sampled_from(TENSOR_FILES), st.data())
@fuzz(120)
def test_a_damaged_tensor_file_is_noticed(
    run: Path, trained: Callable[[str], Path], original: ImageModel, name: str, data: st.DataObject
) -> None:
    """Some bytes overwritten, put in or taken away; the header more often than its share."""
    (run / "config.yaml").write_bytes((trained("harmonization") / "config.yaml").read_bytes())
    whole = (trained("harmonization") / name).read_bytes()
    end = data.draw(st.sampled_from([8, 1000, len(whole)]))
    start = data.draw(st.integers(0, end))
    taken, given = data.draw(st.integers(0, 20)), data.draw(st.binary(max_size=20))
    (run / name).write_bytes(whole[:start] + given + whole[start + taken :])
    model = or_one_line(lambda: ConSinGAN.load(run))
    (run / name).write_bytes(whole)
    if model is not None:
        assert_same_model(model, original)


TENSORS = st.tuples(
    st.lists(st.sampled_from([0, 1, 2, 3, 4, 12, 24]), max_size=5),
    st.sampled_from([torch.float32, torch.float64, torch.uint8, torch.float16, torch.int64]),
)


@given(st.sampled_from(TENSOR_FILES), st.data())
@fuzz(80)
def test_foreign_tensors_with_a_right_checksum_are_harmless(
    run: Path, trained: Callable[[str], Path], name: str, data: st.DataObject
) -> None:
    """One tensor of a file is another one: the model loads and draws, or is refused."""
    (run / "config.yaml").write_bytes((trained("harmonization") / "config.yaml").read_bytes())
    tensors, about = files.load_tensors(trained("harmonization") / name)
    key = data.draw(st.sampled_from(sorted(tensors)))
    shape, dtype = data.draw(TENSORS)
    tensors[key] = torch.zeros(shape, dtype=dtype)
    files.save_tensors(run / name, tensors, about)

    def load_and_draw() -> None:
        model = ConSinGAN.load(run)
        model.reconstruct()
        list(model.sample(1))

    try:
        or_one_line(load_and_draw)
    finally:
        shutil.copy(trained("harmonization") / name, run / name)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, trained: Callable[[str], Path]) -> Path:
    """A copy of the run with a checkpoint from the middle of its second stage."""
    folder = Path(shutil.copytree(trained("generation"), tmp_path_factory.mktemp("half") / "run"))
    run = RunDirectory.open(folder)
    config = run.load_config()
    pictures = beginning.Pictures(*run.load_pictures(config))
    state = beginning.begin(config, pictures, torch.device("cpu"))
    training.begin_stage(state)
    state.model.generator.grow()
    training.begin_stage(state)
    state.optimizers = training.make_optimizers(state.networks, config)
    state.iteration = 1
    Adversarial(state)(state.source.draw_input(state.model, state.streams))
    run.save_checkpoint(state)
    return folder


@given(st.data())
@fuzz(60, deadline=5000)
def test_a_foreign_checkpoint_with_a_right_checksum_is_harmless(
    started: Path, data: st.DataObject
) -> None:
    path = started / "checkpoint.safetensors"
    original = path.read_bytes()
    tensors, about = files.load_tensors(path)
    if data.draw(st.integers(0, 4)) == 0:
        about[data.draw(st.sampled_from(sorted(about)))] = data.draw(
            st.integers(-3, 10**30).map(str) | st.text(max_size=5)
        )
    else:
        key = data.draw(st.sampled_from(sorted(tensors)))
        shape, dtype = data.draw(TENSORS)
        tensors[key] = torch.zeros(shape, dtype=dtype)
        if data.draw(st.booleans()):
            del tensors[key]
    files.save_tensors(path, tensors, about)
    try:
        or_one_line(lambda: launch.resume(started, {"checkpoint_seconds": 99.0}))
    except Diverged:
        pass
    finally:
        path.write_bytes(original)
