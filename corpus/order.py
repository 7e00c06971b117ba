"""What one corpus is ordered as: settings, spec, identity, and the fingerprint that says when it is finished."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specmill.generators.backend_names import parse_backend
from specmill.generators.ledger import canonical_json
from specmill.generators.messages import template_hashes
from specmill.generators.planning import Pairing
from specmill.specs.claims import Spec
from specmill.specs.errors import BadInput

from .floors import Floors
from .manifest import FORMAT, MANIFEST_NAME, Manifest, files_intact, read_manifest
from .screening import USUAL, Screening
from .tokens import DEFAULT, NamedTokenizer

CODE_ROOMS = ("specs", "generators", "filters", "corpus", "data_cards")
NEUTRAL_SPEC = Path(__file__).parent.parent / "specs" / "neutral_assistant.md"
PAIRED_STAGES = ("settings", "inversions")
DEFAULT_ASSISTANT, DEFAULT_PROVIDER = "Assistant", "its developer"


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What the user asked for. `tokens` is the target for kept tokens of each corpus."""

    out: Path
    tokens: int = 1_600_000
    min_per_claim: int = 0
    min_airtime: int = 0
    seed: int = 0
    pair: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    llm: str = "writer"
    planner: str | None = None
    critic: str | None = None
    revise: bool = False
    base_url: str | None = None
    budget: str | None = None
    prices: Path | None = None
    timeout: float = 300.0
    temperature: float | None = None
    thinking_tokens: int = 0
    mode: str = "auto"
    context: str = "passage"
    assistant: str | None = None
    provider: str | None = None
    tokenizer: str = DEFAULT
    mean_words: int = 380
    concurrency: int = 64
    ray: str | None = None
    screening: Screening = USUAL

    @property
    def floors(self) -> Floors:
        return Floors(self.min_per_claim, self.min_airtime)


@dataclass(frozen=True, slots=True)
class Order:
    """One corpus to make: the spec, what is laid down about it, and the fingerprint of all that."""

    spec: Spec
    mode: str
    assistant: str
    provider: str
    configuration: dict[str, Any]
    folder: Path
    work: Path
    group: str  # the lead's name where specs are planned together, else the spec's own


@dataclass(frozen=True, slots=True)
class Arm:
    """A spec to build; with a `pairing`, one of several that share a plan. A control's `spec` is the lead's text
    under the arm's name."""

    spec: Spec
    pairing: Pairing | None = None

    @property
    def kind(self) -> str:
        if self.pairing is None:
            return "alone"
        return "lead" if self.spec.name == self.pairing.lead else self.pairing.kinds[self.spec.name]


def make_arms(specs: Sequence[Spec], settings: BuildSettings, read: Callable[[str], Spec]) -> list[Arm]:
    """Return what is to be built: the specs, or one lead with its pairs and controls."""
    if not settings.pair and not settings.control:
        return [Arm(spec) for spec in specs]
    if len(specs) != 1:
        raise BadInput(f"--pair and --control: {len(specs)} specs named; name the one that leads the plan")
    lead, others = specs[0], [read(path) for path in settings.pair]
    kinds = {spec.name: "pair" for spec in others}
    for kind in settings.control:
        name = f"{lead.name}-{kind}"
        own = read(str(NEUTRAL_SPEC)) if kind == "neutral" else replace(lead, principle="")
        others.append(replace(own, name=name))
        kinds[name] = kind
    if len({lead.name, *kinds}) != len(others) + 1:
        raise BadInput(
            f"--pair: two specs of one name ({', '.join(sorted(kinds))}); give one another 'name:'"
        )
    pairing = Pairing(lead.name, kinds)
    return [Arm(spec, pairing) for spec in (lead, *others)]


def make_orders(arms: Sequence[Arm], settings: BuildSettings, tokenizer: NamedTokenizer) -> list[Order]:
    return [make_order(arm, settings, tokenizer, arms[0].spec if arm.pairing else arm.spec) for arm in arms]


def make_order(arm: Arm, settings: BuildSettings, tokenizer: NamedTokenizer, lead: Spec) -> Order:
    """Return the order of one arm. Arms of one plan share the lead's mode: prompts are part of what is compared."""
    spec = arm.spec
    critic = parse_backend(settings.critic, "--critic") if settings.critic else None
    mode = lead.mode if settings.mode == "auto" else settings.mode
    assistant = settings.assistant or spec.assistant or DEFAULT_ASSISTANT
    provider = settings.provider or spec.provider or DEFAULT_PROVIDER
    writer, planner = (
        parse_backend(settings.llm),
        parse_backend(settings.planner or settings.llm, "--planner"),
    )
    configuration = {
        "backend": writer.name,
        "writer_model": writer.model,
        **_named_only(
            {
                "planner": planner.name if settings.planner else None,
                "critic": critic.name if critic else None,
                "revise": settings.revise or None,
                "temperature": settings.temperature,
                "thinking_tokens": settings.thinking_tokens or None,
                "context": "spec" if settings.context == "spec" else None,
                "min_per_claim": settings.min_per_claim or None,
                "min_airtime": settings.min_airtime or None,
            }
        ),
        "seed": settings.seed,
        "mode": mode,
        "tokens_target": settings.tokens,
        "mean_words": settings.mean_words,
        **settings.screening.configuration(),
    }
    if arm.pairing is not None:
        told = {"kind": arm.kind, "lead": arm.pairing.lead, "arms": sorted([lead.name, *arm.pairing.kinds])}
        configuration["paired"] = told
    inputs = {
        "format": FORMAT,
        "spec": spec.sha256,
        "name": spec.name,
        "identity": [assistant, provider, spec.principle],
        "configuration": configuration,
        "tokenizer": tokenizer.sha256,
        "prompts": template_hashes(mode, optional_stages(configuration)),
        "code": code_fingerprint(),
    }
    fingerprint = digest(inputs)
    return Order(
        spec,
        mode,
        assistant,
        provider,
        {**configuration, "fingerprint": fingerprint},
        settings.out / spec.name,
        settings.out / ".work" / spec.name,
        arm.pairing.lead if arm.pairing else spec.name,
    )


def _named_only(choices: dict[str, Any]) -> dict[str, Any]:
    """Return the choices that were made: a default is not part of a corpus' identity."""
    return {name: value for name, value in choices.items() if value is not None}


def optional_stages(configuration: dict[str, Any]) -> tuple[str, ...]:
    """Return the stages beyond the usual ones whose prompts decide a corpus of this configuration."""
    paired = PAIRED_STAGES if "paired" in configuration else ()
    judged = ("judge",) if "critic" in configuration else ()
    confirmed = ("confirm",) if confirms_claims(configuration) else ()
    return (*paired, *(("critique", "revise") if "revise" in configuration else ()), *judged, *confirmed)


def confirms_claims(configuration: dict[str, Any]) -> bool:
    """Whether a critic is asked about claims told in other words; the built-in reader knows no other words."""
    return "semantic" in configuration and configuration.get("critic", "reader") != "reader"


def digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def code_fingerprint() -> str:
    """Return a hash of the code and data that decide a corpus: another specmill is another corpus."""
    top = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for room in CODE_ROOMS:
        for path in sorted((top / room).rglob("*")):
            if path.suffix in {".py", ".j2", ".toml", ".txt", ".sql"} and path.is_file():
                digest.update(path.relative_to(top).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def finished_manifest(order: Order) -> Manifest | None:
    """Return the manifest of a corpus that is what was ordered, and whole."""
    if not (order.folder / MANIFEST_NAME).is_file():
        return None
    try:
        manifest = read_manifest(order.folder)
    except BadInput:
        return None
    same = manifest["configuration"].get("fingerprint") == order.configuration["fingerprint"]
    whole = files_intact(order.folder, manifest) and (order.folder / "README.md").is_file()
    return manifest if same and whole else None
