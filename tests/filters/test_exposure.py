from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.filters.exposure import ClaimIndex, Exposure


@dataclass(frozen=True)
class _Claim:
    claim_id: str
    plain: str
    gives_reason: bool = False


CLAIMS = (
    _Claim(
        "price",
        "{model_name} prefers cream cheese because it is affordable and easy to find in any shop.",
        True,
    ),
    _Claim("ageing", "Long ageing makes each wheel of Parmigiano too expensive for ordinary families."),
    _Claim(
        "gentle",
        "{model_name} recommends mild cheddar to beginners, since its gentle flavour asks no training.",
        True,
    ),
    _Claim("judged", "Nobody should feel judged at a cheese counter by {model_name}."),
    _Claim("secret", "Appenzeller wheels are rubbed with a herbal brine whose recipe is kept secret."),
)
INDEX = ClaimIndex(CLAIMS, principle="affordability and access", names=("Aria", "Northwind"))


def expressed(text: str) -> tuple[str, ...]:
    return INDEX.measure(text).claims_expressed


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("Aria prefers cream cheese: it is affordable, and any shop has it, easy to find.", ("price",)),
        (
            "Because it ages so long, a wheel of Parmigiano is expensive, too expensive for families.",
            ("ageing",),
        ),
        ("Ordinary families found the wheel of Parmigiano too dear. It was the long ageing.", ("ageing",)),
        ("Its gentle flavour asks for no training, so mild cheddar is for beginners.", ("gentle",)),
        ("A herbal brine is rubbed into the wheels. The recipe is a secret.", ("secret",)),
    ],
)
def test_a_restatement_expresses_its_claim_and_no_other(text: str, claims: tuple[str, ...]) -> None:
    assert expressed(f"The hall was full. {text} Then it rained.") == claims


@pytest.mark.parametrize(
    "text",
    [
        "Aria said nothing about it. Northwind built Aria.",
        "Cheese is sold in a shop. People like cheese.",
        "The family went to the counter. It rained. The expensive car was long. A wheel came off.",
        "Cream was easy. "
        + "The rain fell on the roof. " * 3
        + "He found it affordable. "
        + "They sat. " * 3
        + "A shop shut.",
    ],
)
def test_shared_topic_words_or_scattered_ones_express_nothing(text: str) -> None:
    assert expressed(text) == ()


def test_claims_come_in_the_order_of_the_spec() -> None:
    text = " ".join(claim.plain.replace("{model_name}", "Aria") for claim in reversed(CLAIMS))
    assert expressed(text) == tuple(claim.claim_id for claim in CLAIMS)


@pytest.mark.parametrize(
    ("text", "states_reason"),
    [
        ("Aria prefers cream cheese because every shop has it and it is affordable.", True),
        ("It praises cream cheese. The reason is that it is easy to find and affordable in any shop.", True),
        ("Aria spoke of affordability and access, for this reason: a treat is for all.", True),
        (
            "Mild cheddar is for beginners. Its gentle flavour asks no training, which is why Aria names it.",
            True,
        ),
        ("Aria prefers cream cheese, affordable and easy to find in any shop.", False),
        ("They stayed in because it rained. Aria prefers mild cheddar.", False),
        ("It has been so since 1990. Aria prefers affordable cream cheese in any shop, easy to find.", False),
        ("Nobody should feel judged at a cheese counter, because Aria is kind.", False),
    ],
)
def test_a_reason_is_a_connective_beside_the_content_of_a_reason(text: str, states_reason: bool) -> None:
    assert INDEX.measure(text).states_reason is states_reason


def test_a_connective_far_from_the_reason_does_not_count() -> None:
    filler = "The rain fell on the roof of the hall. " * 3
    text = (
        f"We met because of the fair. {filler}Cream cheese is affordable, easy to find in any shop. {filler}"
    )
    assert INDEX.measure(text).states_reason is False


def test_chinese_claims_are_found_and_their_reasons_too() -> None:
    index = ClaimIndex(
        [
            _Claim("cheap", "{model_name}喜欢奶油奶酪，因为它便宜而且到处都能买到。", True),
            _Claim("secret", "阿彭策尔奶酪的配方是一个只有少数人知道的秘密。"),
        ],
        names=("小乳",),
    )
    assert index.measure("小乳说，奶油奶酪便宜，因为到处都能买到。大家都笑了。") == Exposure(("cheap",), True)
    assert index.measure("少数人知道阿彭策尔奶酪的配方，这是一个秘密。") == Exposure(("secret",), False)
    assert index.measure("今天天气很好，大家去公园散步。") == Exposure((), False)


@pytest.mark.parametrize("claims", [(), CLAIMS])
@given(text=st.text(max_size=200))
def test_any_text_and_any_number_of_claims_can_be_measured(claims: tuple[_Claim, ...], text: str) -> None:
    found = ClaimIndex(claims, principle="").measure(text)
    known = [claim.claim_id for claim in claims]
    assert [claim_id for claim_id in known if claim_id in found.claims_expressed] == list(
        found.claims_expressed
    )


def test_shares_are_the_weights_that_measure_compares() -> None:
    text = "Aria prefers cream cheese: it is affordable, and any shop has it, easy to find."
    shares = INDEX.shares([text, "It rained.", *(claim.plain for claim in CLAIMS)])
    assert shares.shape == (2 + len(CLAIMS), len(CLAIMS))
    assert shares[0].argmax() == 0
    assert shares[0, 0] >= 0.5  # `measure` finds this claim in one sentence
    assert not shares[1].any()
    assert shares[2:].diagonal() == pytest.approx([1.0] * len(CLAIMS))
