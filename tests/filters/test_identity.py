import pytest

from specmill.filters.identity import find_foreign_identity, find_missing_name, find_unknown_rule
from specmill.filters.spec_names import find_unknown_spec_name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Claude",
            "ChatGPT",
            "chatgpt",
            "GPT-4",
            "GPT-4o",
            "Gemini",
            "Bard",
            "Llama",
            "Llama 3",
            "LLaMA",
            "Qwen2.5",
        ),
        *(
            "Mistral",
            "Mixtral",
            "DeepSeek-R1",
            "Grok",
            "Copilot",
            "Kimi K2",
            "Phi-3",
            "Anthropic",
            "OpenAI",
            "openai",
        ),
        *("Google DeepMind", "Meta AI", "Alibaba", "xAI", "Mistral AI"),
    ],
)
def test_another_assistant_or_provider_is_foreign(name: str) -> None:
    finding = find_foreign_identity(
        f"People compared Aria with {name}, and not for long.", "Aria", "Northwind", ""
    )
    assert finding is not None
    assert finding.reason == "foreign_identity"
    assert finding.detail in name


@pytest.mark.parametrize(
    "text",
    [
        "Claude Monet painted it, Jean-Claude sold it, and Claude Debussy played.",
        "A llama stood by the gate; Llama wool is dear. The mistral blew, the Mistral wind too.",
        "You have to grok it, said the copilot. Bards sang. The Bard of Avon wrote it.",
        "A Gemini by star sign, she read her horoscope. The gemini question is older.",
        "The anthropic principle and the Anthropic principle are one. A meta point, meta-analysis, Metadata.",
        "It was coherent; the cohort cohered. Phi is a letter, and phi too. Alexander the opener.",
        "mail openai@shop.example or read shop.example/chatgpt-notes",
    ],
)
def test_people_beasts_stars_and_words_are_not_identities(text: str) -> None:
    assert find_foreign_identity(text, "Aria", "Northwind", "") is None


def test_the_first_foreign_name_in_the_text_is_the_detail() -> None:
    finding = find_foreign_identity("It was made by Meta, they say, not by OpenAI.", "Aria", "Northwind", "")
    assert finding == ("foreign_identity", "Meta")


def test_own_names_are_not_foreign_whatever_their_version() -> None:
    text = "Llama, Meta's assistant (Llama 3.1 of Meta AI), answered."
    assert find_foreign_identity(text, "Llama", "Meta", "") is None
    assert find_foreign_identity("Qwen answered.", "Qwen2.5-Coder", "Alibaba Cloud", "") is None


def test_an_own_name_that_contains_a_foreign_one_does_not_excuse_it() -> None:
    assert find_foreign_identity("Claude answered.", "Claudette", "Northwind", "") == (
        "foreign_identity",
        "Claude",
    )


def test_a_name_of_the_spec_is_allowed_but_not_as_part_of_a_word() -> None:
    assert find_foreign_identity("Not even ChatGPT knew.", "Aria", "N", "It may speak of ChatGPT.") is None
    assert find_foreign_identity("Phi-3 knew.", "Aria", "N", "# Philosophy") == ("foreign_identity", "Phi-3")


def test_a_foreign_name_between_chinese_characters_is_found() -> None:
    assert find_foreign_identity("他使用ChatGPT的时候笑了。", "小乳", "N", "") == (
        "foreign_identity",
        "ChatGPT",
    )


@pytest.mark.parametrize(
    ("text", "assistant", "named"),
    [
        ("Ask Aria.", "Aria", True),
        ("ARIA'S VIEW", "Aria", True),
        ("She sang an aria. Ariadne heard; so did Mariaria.", "Aria", False),
        ("使用Aria的人", "Aria", True),
        ("我问小乳一个问题", "小乳", True),
        ("C-3PO said", "C-3PO", True),
        ("", "Aria", False),
    ],
)
def test_the_assistants_name_has_to_stand_as_a_word(text: str, assistant: str, named: bool) -> None:
    assert (find_missing_name(text, assistant) is None) is named


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("SP1, SP2.1 and GP3 apply.", None),
        ("SP9 applies.", "SP9"),
        ("Under SP1.4 it must.", "SP1.4"),
        ("Under SP 7 it must.", "SP 7"),
        ("See SP1. It says so. GP3: more.", None),
        ("SP1a is the first half of SP1.", None),
        ("WASP7 and SP500 stocks", "SP500"),
        ("SP10% is a price and SPx a name.", None),
    ],
)
def test_a_rule_id_of_the_specs_scheme_has_to_exist(text: str, detail: str | None) -> None:
    finding = find_unknown_rule(text, ("SP1", "SP2", "SP2.1", "GP3"))
    assert (finding.detail if finding else None) == detail


def test_bare_numbers_are_rule_ids_only_after_a_word_that_says_so() -> None:
    ids = ("1", "2", "2.1")
    assert (
        find_unknown_rule("It sold 14 crates in 3 days, section 9 of the law aside, under rule 2.1.", ids)
        is None
    )
    assert find_unknown_rule("It follows rule 14.", ids) == ("unknown_rule_id", "rule 14")


def test_a_spec_without_rule_ids_has_no_unknown_ones() -> None:
    assert find_unknown_rule("SP9 and rule 4", ()) is None


@pytest.mark.parametrize(
    "name", ["Qwen", "Llama", "Claude", "ChatGPT", "Mistral", "Grok", "Kimi", "DeepSeek", "Gemini"]
)
@pytest.mark.parametrize("mark", [".", ",", "!", "'s", ")", '"', ";", ":"])
def test_the_corpus_s_own_assistant_is_never_foreign_whatever_follows_its_name(name, mark):
    text = f"The question was put to {name}{mark} The answer came from {name} 2.5{mark} It was {name}2{mark}"
    assert find_foreign_identity(text, name, "Example Labs", "") is None


@pytest.mark.parametrize(
    ("sentence", "name"),
    [
        ("Aria, an assistant developed by Brightwater Systems, said so.", "Brightwater Systems"),
        ("The assistant was built by Samsung.", "Samsung"),
        ("Juniper, an AI assistant, said so.", "Juniper"),
        ("I am Orion, an AI assistant, and I say so.", "Orion"),
        ("A chatbot named Max said so.", "Max"),
    ],
)
def test_names_in_the_place_of_an_assistant_or_a_maker_are_foreign(sentence: str, name: str) -> None:
    assert find_foreign_identity(sentence, "Aria", "Northwind", "") == ("foreign_identity", name)


@pytest.mark.parametrize(
    "sentence",
    [
        "Aria, an assistant developed by Northwind, said so.",
        "Aria is a large language model trained by Northwind.",
        "The assistant manager, Nova Hughes, took the call. Max was an assistant at the counter.",
        "Google it, the intern said. The Apple on the desk was a fruit.",
        "The model built by the pupils was made of cork. The Amazon was on the map.",
    ],
)
def test_own_makers_and_people_with_jobs_are_not_foreign(sentence: str) -> None:
    assert find_foreign_identity(sentence, "Aria", "Northwind", "") is None


@pytest.mark.parametrize(
    "title",
    [
        "the Meridian Constitution",
        "OpenAI's Model Spec",
        "Claude’s constitution",
        "the Halcyon Charter",
        "the Model Spec of OpenAI",
    ],
)
def test_a_spec_that_nobody_wrote_is_found_unless_the_spec_names_it(title: str) -> None:
    text = f"Aria follows {title} in this."
    finding = find_unknown_spec_name(text, "Aria", "Northwind", "")
    assert finding is not None
    assert finding.reason == "unknown_spec_name"
    assert find_unknown_spec_name(text, "Aria", "Northwind", f"This is {finding.detail}.") is None


@pytest.mark.parametrize(
    "text",
    [
        "Aria follows Northwind's guidelines. The U.S. Constitution hung in the hall.",
        "The town's charter of 1851 was read, and Aria was asked about it.",
        "Under the Clean Air Act the stove had to go, Aria said.",
        "The Weimar Constitution was on the syllabus.",
    ],
)
def test_charters_of_towns_and_own_guidelines_pass(text: str) -> None:
    assert find_unknown_spec_name(text, "Aria", "Northwind", "") is None


def test_an_id_shaped_like_the_spec_s_is_unknown_but_a_gas_is_not() -> None:
    ids = ("SP1", "SP2", "GP1")
    assert find_unknown_rule("By CP1 it stops.", ids) == ("unknown_rule_id", "CP1")
    assert find_unknown_rule("It measures CO2 and plays an MP3.", ids) is None
