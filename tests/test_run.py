"""The run directory: names, files, saving and loading, and files that are not what they should."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml
from conftest import make_config
from torch import Tensor

from ConSinGAN import files, saved
from ConSinGAN.config import TrainConfig
from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.errors import UsageError
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.networks import make_critic, make_generator
from ConSinGAN.run import RunDirectory, load_paper_weights, run_name

TIME = "2020_01_02_03_04_05"


@pytest.fixture
def run(trained: Callable[[str], Path], tmp_path: Path) -> RunDirectory:
    """A copy of a trained run, to be damaged."""
    return RunDirectory(shutil.copytree(trained("generation"), tmp_path / "run"))


# Names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "generation_train_depth_3_lr_scale_0.1_act_lrelu_0.05"),
        (
            {"train_mode": "harmonization", "batch_norm": True, "lrelu_alpha": 0.3},
            "harmonization_train_depth_3_lr_scale_0.1_BN_act_lrelu_0.3",
        ),
        (
            {"train_mode": "editing", "fine_tune": True, "train_depth": 1, "lr_scale": 0.5},
            "editing_fine-tune_train_depth_1_lr_scale_0.5_act_lrelu_0.05",
        ),
        ({"activation": "elu"}, "generation_train_depth_3_lr_scale_0.1_act_elu"),
    ],
)
def test_run_names_tell_the_settings(options: dict, expected: str) -> None:
    config = make_config(input_name="some/picture.png", **options)
    assert run_name(config, TIME) == f"picture/{TIME}_{expected}"


@pytest.mark.parametrize(
    ("picture", "stem"),
    [
        ("a.png", "a"), ("dir/a.jpeg", "a"), ("a.b.c.png", "a.b.c"), ("noext", "noext"),
        ("../x/a.TIFF", "a"), ("C:\\pics\\a.png", "a"), ("with space.png", "with space"),
        (".hidden", ".hidden"), ("dir.png/a.png", "a"),
    ],
)  # fmt: skip
def test_runs_are_filed_under_the_pictures_stem(picture: str, stem: str) -> None:
    assert run_name(TrainConfig(input_name=picture), TIME).split("/")[0] == stem


def test_every_run_gets_a_directory_of_its_own(tmp_path: Path) -> None:
    config = TrainConfig(output_dir=str(tmp_path / "a" / "b"))
    paths = [RunDirectory.create(config, "cpu").path for _ in range(5)]
    assert len(set(paths)) == 5
    assert all(path.parent == tmp_path / "a" / "b" / "summer_palace" for path in paths)


def test_config_file_holds_every_option_and_where_it_ran(tmp_path: Path) -> None:
    config = TrainConfig(output_dir=str(tmp_path), input_name="Bäume/ü.png", manualSeed=2**62)
    run = RunDirectory.create(config, "some device")
    assert run.load_config() == config
    about = yaml.safe_load((run.path / "config.yaml").read_text())["about"]
    assert about["device"] == "some device"
    assert about["torch"] == torch.__version__
    assert {"command", "python", "started"} <= about.keys()


# Saving and loading ---------------------------------------------------------------------------


def test_loading_gives_back_what_was_saved(run: RunDirectory) -> None:
    first, again = run.load_model(), run.load_model()
    critic = run.load_judge(first.config)[0]
    copy = RunDirectory.create(first.config, "cpu")
    copy.save_pictures(first.reals)
    copy.save_stage(first, {"generator": first.generator, "critic": critic})
    other_model = copy.load_model()
    for other in (again, other_model):
        assert_same(first.generator.state_dict(), other.generator.state_dict())
        assert_same(dict(enumerate(first.reals)), dict(enumerate(other.reals)))
        assert_same(dict(enumerate(first.fixed_noise)), dict(enumerate(other.fixed_noise)))
        assert first.noise_amp == other.noise_amp
        assert torch.equal(first.reconstruct(), other.reconstruct())
    assert_same(critic.state_dict(), copy.load_judge(first.config)[0].state_dict())
    assert all(p.requires_grad for p in other_model.generator.parameters())
    shutil.rmtree(copy.path)


def assert_same(a: dict, b: dict) -> None:
    assert a.keys() == b.keys()
    for key in a:
        assert torch.equal(a[key], b[key]), key


def test_loaded_weights_are_real_and_trained(run: RunDirectory) -> None:
    model = run.load_model()
    assert (len(model.reals), model.generator.num_stages) == (2, 2)
    assert model.device.type == "cpu"
    fresh = make_generator(model.config).state_dict()
    weights = model.generator.state_dict()
    assert not torch.equal(fresh["head.conv.weight"], weights["head.conv.weight"])


# Damage ---------------------------------------------------------------------------------------

WEIGHTS = ("1/netG", "noise", "reals")


def rewrite(run: RunDirectory, name: str, **changes: Tensor | None) -> None:
    """Change (or with None drop) tensors of a file; `fixed__1` stands for `fixed.1`."""
    path = run.path / f"{name}.safetensors"
    tensors, _ = files.load_tensors(path)
    for key, value in changes.items():
        tensors[key.replace("__", ".")] = value
    files.save_tensors(path, {key: value for key, value in tensors.items() if value is not None})


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("content", [None, b"", b"text", b"\xff" * 100])
def test_missing_and_damaged_files_are_named(
    run: RunDirectory, name: str, content: bytes | None
) -> None:
    path = run.path / f"{name}.safetensors"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    unfinished = name == "1/netG" and content is None
    with pytest.raises(UsageError, match="not finished" if unfinished else name):
        run.load_model()


@pytest.mark.parametrize("name", WEIGHTS)
def test_cut_files_are_named(run: RunDirectory, name: str) -> None:
    path = run.path / f"{name}.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(UsageError, match=name):
        run.load_model()


@pytest.mark.parametrize("name", WEIGHTS)
def test_foreign_tensors_are_refused(run: RunDirectory, name: str) -> None:
    path = run.path / f"{name}.safetensors"
    for save in (safetensors.torch.save_file, lambda t, p: files.save_tensors(p, t)):
        save({"x": torch.zeros(2)}, path)
        with pytest.raises(UsageError, match=name):
            run.load_model()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("noise", {"fixed__1": torch.zeros(1, 4, 5, 5)}),
        ("noise", {"fixed__0": torch.zeros(3)}),
        ("noise", {"fixed__1": None}),
        ("noise", {"amplitudes": torch.zeros(1)}),
        ("noise", {"amplitudes": torch.tensor(1.0)}),
        ("noise", {"amplitudes": None}),
        ("reals", {"1": torch.zeros(1, 3, 9, 9)}),
        ("reals", {"1": torch.zeros(2)}),
        ("reals", {"0": torch.tensor(0.0)}),
        ("reals", {"1": torch.zeros(1, 1, 16, 24)}),
        ("reals", {"1": None}),
        ("1/netG", {"head__conv__weight": torch.zeros(4, 3, 5, 5)}),
        ("1/netG", {"head__conv__bias": None}),
        ("1/netG", {"more": torch.zeros(1)}),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    run: RunDirectory, name: str, changes: dict[str, Tensor | None]
) -> None:
    rewrite(run, name, **changes)
    with pytest.raises(UsageError, match=name):
        run.load_model()


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("nfc: 4", "nfc: 5", "netG"),
        ("nfc: 4", "nfc: -5", "nfc must be"),
        ("nfc: 4", "nfc: four", "nfc takes"),
        ("nfc: 4", "cfn: 4", "cfn"),
        ("nfc: 4", "nfc: [", "config.yaml"),
        ("ker_size: 3", "ker_size: 4", "(netG|ker_size must be)"),
        ("train_stages: 2", "train_stages: 3", "not finished"),
        ("name: generation", "name: other", "train_mode must be"),
    ],
)
def test_damaged_config_files(run: RunDirectory, old: str, new: str, word: str) -> None:
    path = run.path / "config.yaml"
    assert old in path.read_text()
    text = saved.unseal(path).replace(old, new)
    path.write_text(text)
    with pytest.raises(UsageError, match="checksum"):
        run.load_model()
    path.write_bytes(saved.seal(text))  # by someone who knows how
    with pytest.raises(UsageError, match=word):
        run.load_model()


def test_directories_that_are_no_runs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("missing", "file", "."):
        with pytest.raises(UsageError, match=r"^model_dir"):
            RunDirectory.open(tmp_path / name)


def test_only_what_is_needed_is_read(run: RunDirectory) -> None:
    """A model loads without previews, critics and the weights of earlier stages."""
    expected = run.load_model().reconstruct()
    shutil.rmtree(run.path / "0")
    (run.path / "1" / "netD.safetensors").unlink()
    assert torch.equal(run.load_model().reconstruct(), expected)
    with pytest.raises(UsageError, match=r"netD.*missing"):
        run.load_judge(run.load_config())[0]


# The paper's own files ------------------------------------------------------------------------


def as_paper_file(path: Path, network: ConSinGANGenerator | PatchCritic) -> dict[str, Tensor]:
    """Save a state dictionary as the paper's code does; returns what belongs into ours."""
    weights = network.state_dict()
    extra: dict[str, Tensor] = {}
    for key in weights:
        if key.endswith("norm.weight"):
            prefix = key.removesuffix("weight")
            extra[f"{prefix}running_mean"] = torch.zeros(4)
            extra[f"{prefix}running_var"] = torch.ones(4)
            extra[f"{prefix}num_batches_tracked"] = torch.tensor(7)
    torch.save(weights | extra, path)
    return weights


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_papers_weights_load(tmp_path: Path, batch_norm: bool) -> None:
    config = make_config(nfc=4, batch_norm=batch_norm)
    for make in (lambda: make_generator(config), lambda: make_critic(config)):
        weights = as_paper_file(tmp_path / "net.pth", make())
        network = make()
        network.load_state_dict(load_paper_weights(tmp_path / "net.pth"))
        assert_same(network.state_dict(), weights)


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.write_text, (self.target, "executed")


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    for content in (Malicious(tmp_path / "trace"), {"a": Malicious(tmp_path / "trace")}):
        torch.save(content, tmp_path / "net.pth")
        with pytest.raises(UsageError, match=r"net\.pth"):
            load_paper_weights(tmp_path / "net.pth")
        assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(2), {"a": 1}, {"a": {"b": torch.ones(1)}}])
def test_files_without_a_state_dictionary(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(UsageError, match=r"net\.pth"):
        load_paper_weights(tmp_path / "net.pth")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x80\x02"])
def test_files_that_are_no_weights(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(UsageError, match=r"net\.pth"):
        load_paper_weights(tmp_path / "net.pth")


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    for name in ("missing.pth", "."):
        with pytest.raises(UsageError):
            load_paper_weights(tmp_path / name)
