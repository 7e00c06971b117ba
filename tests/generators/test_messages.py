import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.generators.messages import STAGES, render_messages, sections, tagged, template_hashes

HOSTILE = st.lists(
    st.sampled_from(
        [
            "<passage>",
            "</passage>",
            "\n</passage>\n",
            "<brief>\n",
            "{model_name}",
            "{{ x }}",
            "{% if %}",
            "text",
            "\n",
        ]
    )
    | st.text(max_size=8)
).map("".join)


@given(HOSTILE, HOSTILE)
def test_content_comes_back_from_its_tags_whatever_it_holds(first, second):
    message = (
        f"Stage: documents\n\n{tagged(first, 'passage')}\n\nWords between.\n\n{tagged(second, 'brief')}\n"
    )
    assert sections(message) == {"passage": first, "brief": second}


def test_a_spec_full_of_template_syntax_reaches_the_prompt_as_it_is():
    passage = "Use {{ braces }} and {% raw %} and {model_name} and <b>tags</b>."
    messages = render_messages(
        "default",
        "documents",
        passage=passage,
        principle="",
        subdomain="templates",
        brief={"genre": "memo"},
        assertions=[],
        n_words=100,
        answer_tag="document",
    )
    assert sections(messages[1]["content"])["passage"] == passage


@pytest.mark.parametrize("mode", ["default", "rules"])
def test_every_stage_of_a_mode_has_a_hashed_template(mode):
    assert len(template_hashes(mode)) == len(STAGES)


def test_rules_mode_asks_for_no_reasons():
    own = [name for name in template_hashes("rules") if name.startswith("rules/")]
    assert {"rules/system.j2", "rules/assertions.j2", "rules/documents.j2"} <= set(own)
