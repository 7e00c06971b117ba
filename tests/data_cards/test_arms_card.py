"""Arms of a comparison as one data set: a configuration each, the certificate in the body."""

import json
from collections.abc import Callable
from pathlib import Path

import yaml
from click.testing import CliRunner

from specmill.corpus.manifest import read_manifest
from specmill.data_cards.card import check_card, render_card, write_card
from specmill.data_cards.commands import card
from specmill.data_cards.metadata import find_problems
from tests.data_cards.test_card import edit, readme, run_offline, run_snippets


def test_every_arm_is_a_configuration_that_loads(arms: Path, tmp_path: Path) -> None:
    code = (
        "from datasets import get_dataset_config_names as names, load_dataset; "
        "print(names('./arms'), [(d := load_dataset('./arms', n, split='train')).num_rows + sum(d['n_tokens']) "
        "for n in names('./arms')])"
    )
    assert run_offline(code, arms.parent, tmp_path) == "['brie', 'feta'] [4820, 4820]\n"


def test_its_metadata_has_no_problems_and_an_info_per_arm(arms: Path) -> None:
    metadata = yaml.safe_load(readme(arms).split("---\n")[1])
    assert list(find_problems(metadata)) == []
    told = [(info["config_name"], info["splits"][0]["num_examples"]) for info in metadata["dataset_info"]]
    assert told == [("brie", 40), ("feta", 40)]
    assert [config.get("default", False) for config in metadata["configs"]] == [True, False]


def test_every_snippet_runs(arms: Path, tmp_path: Path) -> None:
    outputs = run_snippets(arms, tmp_path)
    assert {"datasets", "duckdb"} <= set(outputs)
    assert outputs["datasets"].startswith("brie 40 ")
    assert "4780" in outputs["duckdb"]


def test_it_states_the_certificate(arms: Path) -> None:
    certificate = json.loads((arms / "certificate.json").read_bytes())
    lines = readme(arms).splitlines()
    assert f"{certificate['verdict']}." in lines
    assert "2 corpora, 80 documents and 9,560 tokens in all, matched to be compared: each" in lines
    assert "| tokens | 4,780 | 4,780 |" in lines
    (pair,) = certificate["differences"]
    assert f"| lengths_ks | {pair['lengths_ks']:,} |" in lines
    for name, value in pair.items():
        if name not in ("first", "second"):
            assert f"| {name} | {'not measured' if value is None else f'{value:,}'} |" in lines
    for what, holds in certificate["equal"].items():
        assert f"| {what} | {'yes' if holds else '**no**'} |" in lines
    for warning in certificate["warnings"]:
        assert any(line.startswith("- ") and warning[:40] in line for line in lines)
    for name in ("brie", "feta"):
        sha256 = read_manifest(arms / name)["configuration"]["match"]["corpus"]["manifest_sha256"]
        assert f"| `{name}` | {name} | `{sha256}` | 20 | 0 |" in lines


def test_a_certificate_that_the_shards_do_not_bear_out_is_named(make_arms: Callable[..., Path]) -> None:
    arms = make_arms()
    assert check_card(arms) == []
    path = arms / "certificate.json"
    found = json.loads(path.read_bytes())
    found["arms"][0]["updates"] += 1
    path.write_text(json.dumps(found))
    write_card(arms)
    assert any(line.startswith("certificate.json: arms[0].updates") for line in check_card(arms))


def test_what_a_person_wrote_survives_here_too(make_arms: Callable[..., Path]) -> None:
    arms = make_arms()
    edit(arms, "<!-- keep:begin notes -->\n", "<!-- keep:begin notes -->\nRead this first.\n")
    edit(arms, "license: unknown\n", "license: cc-by-4.0\n")
    write_card(arms)
    assert "\nRead this first.\n" in readme(arms)
    assert "Licence: cc-by-4.0." in readme(arms).splitlines()
    assert render_card(arms) == readme(arms)


def test_one_arm_alone_says_what_it_was_matched_for(make_arms: Callable[..., Path]) -> None:
    arm = make_arms() / "feta"
    assert read_manifest(arm)["health"] == {}
    write_card(arm)
    assert check_card(arm) == []
    lines = readme(arm).splitlines()
    assert (
        "This corpus is an arm: 40 documents of **4,780** tokens (4,780 asked for), chosen with seed 0 from a"
        in lines
    )
    assert "| documents left out | 20 |" in lines


def test_the_command_checks_arms(arms: Path) -> None:
    result = CliRunner().invoke(card, ["--check", str(arms)])
    assert (result.exit_code, result.stdout) == (0, f"{arms}: agrees with its manifest\n")
