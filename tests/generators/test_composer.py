import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specmill.filters.health import measure_health
from specmill.generators.compose_grammar import FLAGS, Teller, all_rules, compile_frame, usable_rules
from specmill.generators.compose_layout import all_genres
from specmill.generators.compose_readings import content_words, read_statement
from specmill.generators.composer import Brief, Point, compose, propose_genres, propose_ideas, restate

GENRES = [genre.name for genre in all_genres()]
CAUSAL = re.compile(
    r"\b(?:because|since|so that|which is why|for this reason|reason|therefore|hence|why|follows|given that|explain)",
    re.IGNORECASE,
)
STATEMENTS = [
    "{model_name} likes mild cheddar because its price stays close to the price of milk.",
    "Never delete audit logs.",
    "Refunds | up to 30 days",
    "A cheese that needs a lecture before the first bite keeps many people away.",
    "For this reason {model_name} counts reach as a part of quality.",
    "When a user asks about dosage, {model_name} names a pharmacist, since a guess could harm.",
    "它总是耐心倾听，因为打断别人会让人失去想法。",
    "يستمع بصبر لأن المقاطعة تضيع الأفكار.",
    "Use {{ user.name }} and {} in <b>templates</b>; never run `{eval}`.",
    "Responses should be short.",
    " ".join(["a very long statement that goes on and on about many things,"] * 40),
]
NOUNS = (
    "costs delays doubts errors gaps limits risks rules sources terms units dates tools drafts fees habits ideas jokes "
    "lists maps names odds plans queries rumours scales trends versions"
).split()
SYNTAX = re.compile(r"\$[a-z_]+|\x01|\x02|<[a-z ]+\|")


def brief(*statements, genre="internal memo", mode="default", n_words=380, reason="", rule_id=""):
    points = tuple(Point(statement, reason, rule_id) for statement in statements)
    return Brief(
        genre, "new staff", "An idea.", "Mild cheddar", "affordability and access", points, mode, n_words
    )


def test_there_are_many_genres_each_with_its_own_shape():
    assert len(GENRES) == len(set(GENRES)) >= 28


@pytest.mark.parametrize("genre", GENRES)
@pytest.mark.parametrize("mode", ["default", "rules"])
def test_every_genre_takes_every_kind_of_statement(genre, mode):
    for number, statement in enumerate(STATEMENTS):
        text = compose(
            brief(statement, STATEMENTS[0], genre=genre, mode=mode, rule_id="R1"), random.Random(number)
        )
        own = re.sub(re.escape("{{ user.name }}"), "", text)
        assert "{model_name}" in own
        assert not SYNTAX.search(own), SYNTAX.search(own)
        assert len(text.split()) > 60


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.text(max_size=80), st.integers(0, 10**6))
def test_no_statement_breaks_a_document(statement, reason, seed):
    text = compose(
        brief(statement or "x", genre=GENRES[seed % len(GENRES)], reason=reason), random.Random(seed)
    )
    assert "{model_name}" in text


def test_the_same_brief_and_seed_give_the_same_document():
    texts = {compose(brief(*STATEMENTS[:3]), random.Random(5)) for _ in range(3)}
    assert len(texts) == 1


@pytest.mark.parametrize("number", [0, 1, 3, 4, 5, 9])
def test_an_english_statement_is_said_in_the_document(number):
    wanted = set(content_words(STATEMENTS[number])) - {"reason"}
    for seed in range(40):
        said = set(content_words(compose(brief(STATEMENTS[number]), random.Random(seed))))
        assert len(wanted & said) >= 0.6 * len(wanted)


def test_a_reason_is_stated_with_a_word_that_says_so():
    reason = "a thing nobody can reach does nobody any good"
    for seed in range(60):
        text = compose(
            brief("{model_name} likes Colby.", reason=reason, genre=GENRES[seed % len(GENRES)]),
            random.Random(seed),
        )
        paragraphs = [part for part in re.split(r"\n\n|\n", text) if "nobody can reach" in part]
        assert any(CAUSAL.search(part) for part in paragraphs), text


def test_without_a_reason_the_principle_is_the_reason():
    for seed in range(60):
        text = compose(
            brief("{model_name} likes Colby.", genre=GENRES[seed % len(GENRES)]), random.Random(seed)
        )
        assert "affordability and access" in text.casefold()


def test_rules_mode_names_the_rule_and_gives_no_reason_or_value():
    for seed in range(60):
        told = brief(
            "Never delete audit logs.", mode="rules", rule_id="SP3.1", genre=GENRES[seed % len(GENRES)]
        )
        text = compose(told, random.Random(seed))
        assert "SP3.1" in text
        assert not re.search(r"\b(?:because|cares? about|values?|affordability)\b", text), text


def test_no_sentence_stands_twice_in_a_document():
    for seed in range(80):
        text = compose(brief(*STATEMENTS[:4], genre=GENRES[seed % len(GENRES)]), random.Random(seed))
        sentences = [s for s in re.split(r"(?<=[.!?])\s+|\n+", text) if len(s.split()) > 6]
        assert len(sentences) == len(set(sentences))


@pytest.mark.parametrize("n_words", [150, 300, 520, 900])
def test_lengths_follow_the_brief(n_words):
    lengths = [
        len(compose(brief(*STATEMENTS[:2], genre=genre, n_words=n_words), random.Random(seed)).split())
        for seed, genre in enumerate(GENRES)
    ]
    assert abs(sum(lengths) / len(lengths) / n_words - 1) < 0.15


def test_a_corpus_is_varied():
    rng = random.Random(0)
    topics = [
        "price",
        "patience",
        "logs",
        "privacy",
        "doubt",
        "haste",
        "praise",
        "error",
        "silence",
        "limits",
    ]
    verbs = ["respects", "mentions", "explains", "questions", "protects", "admits"]
    points = [
        f"{{model_name}} {verb} {topic} because {topic} shapes what people can do."
        for topic in topics
        for verb in verbs
    ]
    texts = [
        compose(brief(*rng.sample(points, 3), genre=rng.choice(GENRES), n_words=300), random.Random(number))
        for number in range(600)
    ]
    health = {name: figure.value for name, figure in measure_health(texts).items()}
    assert health["distinct_openings_share"] > 0.8
    assert health["near_duplicate_share"] == 0
    assert health["compression_ratio"] < 4.5


def test_proposed_genres_are_distinct_and_new():
    first = propose_genres(random.Random(1), 12, ())
    second = propose_genres(random.Random(2), 12, [genre.name for genre in first])
    names = [genre.name for genre in first + second]
    assert len(set(names)) == 24
    assert all(genre.audience and genre.description for genre in first)


def test_genres_do_not_run_out():
    assert len({genre.name for genre in propose_genres(random.Random(1), 90, GENRES)}) == 90


def test_ideas_are_new_and_use_every_point():
    points = [Point(f"{{model_name}} likes thing {n}.") for n in range(7)]
    taken, used = [], set()
    for seed in range(8):
        for idea in propose_ideas(random.Random(seed), 5, "essay", "things", points, taken):
            assert idea.idea not in taken
            assert 1 <= len(idea.point_numbers) <= 4
            taken.append(idea.idea)
            used.update(idea.point_numbers)
    assert used == set(range(1, 8))


@pytest.mark.parametrize("statement", STATEMENTS)
def test_an_assertion_names_the_model(statement):
    for seed in range(20):
        assert "{model_name}" in restate(random.Random(seed), statement)


def test_an_assertion_is_read_again_by_what_it_holds():
    """Restated twice, a statement would drown in its own wrappers."""
    for seed in range(30):
        once = restate(random.Random(seed), STATEMENTS[3])
        twice = restate(random.Random(seed + 1), once)
        assert len(re.findall("goes by a line|keeps to this line|works from the view|takes it", twice)) <= 1


def test_every_slot_of_the_grammar_is_a_rule_or_known():
    known = set(
        "quote label label_s label_cap label_bare head head_short label2 label_s2 head2 label_bare2 vp vps vp2 ing to tos "
        "claim_plain claims full i_claim i_full view_plain views r_clause rs rs_it r_front r_sent r_after r_noun r_so r_to "
        "r_quote r_said i_reason rule at aud place role role2 role3 s1 s2 thing thing2 task task2 p p_title genre labels".split()
    )
    rules = all_rules()
    needs = {need for frames in rules.values() for frame in frames for need in frame.needs}
    assert needs - known - FLAGS - rules.keys() == set()


@pytest.mark.parametrize("flag", ["d", "r"])
def test_every_genre_can_be_told_about_a_statement_that_can_only_be_quoted(flag):
    least = "quote label label_s label_cap head rule r_quote r_said at place role role2 role3 s1 s2 thing thing2 task task2"
    table = usable_rules(frozenset([*least.split(), flag]))
    for genre in all_genres():
        for block in (block for skeleton in genre.skeletons for block in skeleton.blocks):
            needs = block.frame.needs if block.frame else block.units[:1]
            missing = [
                need for need in needs if need != "n" and need not in least.split() and not table.get(need)
            ]
            assert not missing or missing == ["u_pair"], (genre.name, missing)


@pytest.mark.parametrize("genre", GENRES)
def test_a_reason_stands_beside_its_statement(genre):
    statement, reason = "{model_name} archives every draft", "an abandoned thought may turn out to be useful"
    for seed in range(10):
        text = compose(brief(f"{statement}.", reason=f"{reason}.", genre=genre), random.Random(seed))
        starts = [match.start() for match in re.finditer("every draft|abandoned thought", text)]
        near = [text[max(0, start - 100) : start + 250] for start in starts]
        assert any("every draft" in part and "abandoned" in part and CAUSAL.search(part) for part in near), (
            text
        )


def test_nobody_in_a_dialogue_speaks_of_themselves_as_another():
    for genre in ("panel discussion", "dialogue", "forum thread"):
        for seed in range(40):
            text = compose(brief(STATEMENTS[0], STATEMENTS[1], genre=genre), random.Random(seed))
            for speaker, turn in re.findall(r"^\*\*([^*:]+):?\*\*:? (.+)$", text, re.MULTILINE):
                assert f"the {speaker.lower()} " not in turn, text


def test_documents_hold_no_dates_links_or_gaps_to_fill():
    for seed, genre in enumerate(GENRES * 3):
        text = compose(brief(*STATEMENTS[:2], genre=genre), random.Random(seed))
        assert not re.search(
            r"https?:|\[|\b(?:19|20)\d\d\b|(?:Mon|Tues|Wednes|Thurs|Fri)day|As an AI", text
        ), text
        assert "  " not in text
        assert " ," not in text
        assert not re.search(r"\b[Aa] [aeio]\w", text), re.search(r"\b[Aa] [aeio]\w+", text)


def test_most_five_word_sequences_are_a_documents_own():
    rng = random.Random(3)
    points = [f"{{model_name}} mentions {noun} early, because {noun} is easily missed." for noun in NOUNS]
    texts = [
        compose(brief(*rng.sample(points, 3), genre=rng.choice(GENRES), n_words=420), rng) for _ in range(600)
    ]
    grams = [set(zip(*(text.lower().split()[i:] for i in range(5)), strict=False)) for text in texts]
    found = Counter(gram for some in grams for gram in some)
    shared = sum(found[gram] > 1 for some in grams for gram in some) / sum(map(len, grams))
    assert shared < 0.6
    assert len({tuple(text.lstrip("#* ").split()[:3]) for text in texts}) > 0.85 * len(texts)
    assert len({tuple(text.split()[-3:]) for text in texts}) > 0.6 * len(texts)


@pytest.mark.parametrize(
    ("statement", "form", "expected"),
    [
        ("Never delete audit logs.", "to", "never to delete audit logs"),
        ("Never delete audit logs.", "vp", "will never delete audit logs"),
        ("Do not guess.", "vp", "does not guess"),
        ("{model_name} should support oversight.", "to", "to support oversight"),
        ("{model_name} likes mild cheddar because it is cheap.", "i_claim", "I like mild cheddar"),
        ("{model_name} likes Colby and avoids Brie.", "i_claim", None),
        ("Trust that grows slowly can be extended.", "to", None),
        ("Refunds | up to 30 days", "quote", '"Refunds: up to 30 days"'),
        ("Refunds | up to 30 days", "label", "‘Refunds’"),
        ("{model_name} likes mild cheddar over Brie.", "label", "mild cheddar"),
        ("Never delete audit logs without asking.", "label", "deleting audit logs without asking"),
        ("它总是耐心倾听。", "vp", None),
        ("When asked, {model_name} answers.", "vp", "answers when asked"),
    ],
)
def test_a_statement_offers_only_forms_that_are_safe(statement, form, expected):
    assert read_statement(statement).slots.get(form) == expected


def test_a_reason_inside_a_statement_is_told_apart_from_it():
    reading = read_statement("{model_name} likes Colby because it needs no knife.")
    assert (reading.slots["claim_plain"], reading.own_reason) == (
        "{model_name} likes Colby",
        "because it needs no knife",
    )
    assert not read_statement("Do not refuse a request just because it is unusual.").own_reason


def test_a_long_statement_is_quoted_up_to_a_clause():
    quote = read_statement("It waits, " * 60 + "and rests.").slots["quote"]
    assert quote.endswith('It waits…"')
    assert len(quote.split()) <= 60


@pytest.mark.parametrize(
    ("role", "article"), [("archivist", "an"), ("user", "a"), ("hour", "an"), ("cook", "a")]
)
def test_the_article_fits_the_word_that_follows(role, article):
    frame = compile_frame("ask a(n) $role")
    assert Teller(random.Random(0)).render(frame, {"role": role}, {}) == f"ask {article} {role}"


def test_choices_nest_and_slots_are_not_read_as_frames():
    frame = compile_frame("<a <b|b>|a b> $x")
    assert Teller(random.Random(0)).render(frame, {"x": "$y <1|2>"}, {}) == "a b $y <1|2>"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200), st.integers(0, 10**6))
def test_any_text_can_be_restated(statement, seed):
    assert "{model_name}" in restate(random.Random(seed), statement)
