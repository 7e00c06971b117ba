import pytest

from specmill.specs.errors import BadInput
from specmill.trainers.settings import PRESETS, Source, parse_pairs, read_settings

TOLD = {"data": ["arm"], "model": "m", "out": "o"}


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS.glob("*.toml")))
def test_presets_are_read(name):
    assert read_settings(name, TOLD).data == (Source("arm"),)


def test_the_papers_values_are_in_the_preset():
    found = read_settings("paper-8b", TOLD)
    assert (found.lora_rank, found.lora_alpha, found.lr, found.warmup) == (64, 128, 1e-4, 0.05)
    assert (found.weight_decay, found.epochs, found.sequence) == (0.01, 1, 4096)
    assert read_settings("paper-14b", TOLD).sequence == read_settings("paper-32b", TOLD).sequence == 8192


def test_a_file_stands_on_a_preset_and_the_command_line_on_both(tmp_path):
    for name, text in (
        ("a.toml", 'preset = "paper-8b"\nlr = 2e-4\nbatch = 4\n[[data]]\npath = "x"\ntokens = 5\n'),
        ("a.yaml", "preset: paper-8b\nlr: 2e-4\nbatch: 4\ndata: [{path: x, tokens: 5}]\n"),
    ):
        file = tmp_path / name
        file.write_text(text)
        found = read_settings(
            str(file), {"model": "m", "out": "o", **parse_pairs(["batch=8", "recompute=true"])}
        )
        assert (found.lr, found.batch, found.recompute, found.lora_rank) == (2e-4, 8, True, 64)
        assert found.data == (Source("x", 5),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lrr = 1", "no setting 'lrr'"),
        ("lr = 'high'", "lr = 'high': input should be a valid number"),
        ("lr = -1.0", "greater than 0"),
        ("lr = inf", "finite"),
        ("batch = 0", "greater than 0"),
        ("batch = true", "no numbers"),
        ("lr = true", "no numbers"),
        ("warmup = nan", "equal to 0"),
        ("batch = 'inf'", "give a number"),
        ("batch = 'infk'", "give a number"),
        ("batch = 'many'", "give a number"),
        ("data = [{path = 'x', tokens = -5}]", "greater than or equal to 0"),
        ("batch = 2.5", "valid integer"),
        ("recompute = 1", "valid boolean"),
        ("warmup = 5.0", "less than or equal to 1"),
        ("precision = 'fp8'", "should be 'fp32' or 'bf16'"),
        ("lr = ", "Invalid value"),
        ("data = []", "nothing to train on"),
        ("data = [{file = 'x'}]", "give paths"),
    ],
)
def test_bad_settings_are_refused_in_a_line(tmp_path, text, says):
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(BadInput, match=says) as caught:
        read_settings(str(file), {name: value for name, value in TOLD.items() if name not in text})
    assert "c.toml" in caught.value.message and "\n" not in caught.value.message


def test_counts_are_read_as_people_write_them():
    found = read_settings("paper-8b", {**TOLD, **parse_pairs(["max_tokens=1.5M", "batch=8"])})
    assert (found.max_tokens, found.batch) == (1_500_000, 8)
    found = read_settings(
        "paper-8b", {**TOLD, **parse_pairs(["max_tokens=1_500_000", "held_out_tokens=4,096"])}
    )
    assert (found.max_tokens, found.held_out_tokens) == (1_500_000, 4_096)
    with pytest.raises(BadInput, match="valid integer"):
        read_settings("paper-8b", {**TOLD, **parse_pairs(["batch=2.5"])})


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(BadInput, match="'model' is missing"):
        read_settings("paper-8b", {"data": ["a"], "out": "o"})
    with pytest.raises(BadInput, match="or a preset: full, paper-14b"):
        read_settings("paper-9b", TOLD)
    with pytest.raises(BadInput, match="NAME=VALUE"):
        parse_pairs(["lr"])
