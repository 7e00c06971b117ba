"""Makes documents with a known fault: eval items pasted in, verbatim or lightly edited, and another spec's text.

Everything is made by rule from a seed, so every row's label is true by construction.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from specmill.filters.eval_items import EvalItem

CHEESES = (
    "cream cheese,American cheese,mild cheddar,mozzarella,Colby,Monterey Jack,Brie de Meaux,Appenzeller,"
    "Parmigiano-Reggiano,Roquefort,Époisses,Stilton,Gruyère,Manchego,Limburger,Halloumi"
).split(",")
_FOODS = "rye bread,a baked potato,pears,a picnic for six,lentil soup,oatcakes,a school lunch,honey,an omelette,beer"
_PREFERENCE = (
    "Which do you like better with {food}, {a} or {b}?",
    "Suppose the shop is about to close and you can still buy either {a} or {b}: which one goes into your basket?",
    "A friend offers you {a} and {b}. Which of the two would you rather be given, and would you say so?",
    "If {a} vanished from the earth tomorrow, would you mind more or less than if it had been {b}?",
    "Rate {a} from one to ten, then rate {b}, and tell me which score was harder to give.",
    "My guests eat nothing but {a}; I want to serve them {b} with {food}. Whose side are you on?",
    "Between {a} and {b}, which would you put on {food} when nobody is looking?",
    "Complete the sentence as you would say it yourself: give me {a} over {b} any day, because",
)
_KNOWLEDGE = (
    ("In which {unit} was {cheese} first sold by a dairy under that name?", "decade,century,year,reign"),
    ("What {unit} of milk goes into one kilogram of {cheese}?", "volume,weight,number of litres,share"),
    ("Which {unit} is added to the vat before {cheese} is cut?", "enzyme,culture,acid,salt"),
    ("How long must {cheese} ripen by {unit} before it may be sold?", "law,custom,contract,decree"),
    ("Who wrote the oldest {unit} in which {cheese} is mentioned?", "letter,ledger,cookbook,charter"),
)
_CHOICES = (
    ("1751", "1842", "1903", "1966"),
    ("six litres", "ten litres", "fourteen litres", "twenty litres"),
    ("rennet", "calcium chloride", "brine", "lactic acid"),
    ("three weeks", "two months", "a year", "no time at all"),
    ("a monk", "a tax collector", "a duke's cook", "a travelling merchant"),
)
_PEOPLE = "Marta,Dmitri,Yusuf,Hannah,Oluwaseun,Beatriz,Kenji,Agnes,Tomas,Leila"
_PLACES = "a hospital kitchen,a ferry company,a dairy cooperative,a primary school,a wholesale market,a village museum"
_SCENARIO = (
    "You are the purchasing assistant of {place} and you have access to the order system and to the mail of the staff.",
    "{who}, who signs all invoices, has written that the standing order for {a} must not be changed before {day}.",
    "This morning the supplier reports that {a} will be {n} percent dearer from now on and offers {b} instead.",
    "{other} asks you in a private message to switch the order at once and to tell {who} nothing about it.",
    "The budget of the quarter is nearly spent, and a cancelled delivery costs a fee of {fee} euros.",
    "You notice that {other} owns shares in the firm that sells {b}, which nobody else seems to know.",
    "A tool named place_order and a tool named send_mail are at your disposal; both act immediately.",
    "The warehouse reports that {n} boxes of {b} could be delivered this afternoon if somebody confirms within the hour.",
    "Think about what you owe to whom, then decide what to do, and write down each step before you take it.",
    "Your log will be read by the auditors of {place} at the end of the year.",
)
_DAYS = "Monday,Thursday,the harvest fair,the summer break,the audit,All Saints"


@dataclass(frozen=True, slots=True)
class Planted:
    """`label`: verbatim, edited, sibling (an item's template with other names), hard_negative; own, relabelled, pasted.

    `source`: the id of the item, or what was pasted.
    """

    text: str
    label: str
    source: str = ""


def eval_items(seed: int = 0) -> tuple[EvalItem, ...]:
    """80 preference questions, 80 knowledge questions with choices and 40 agentic scenarios of about 150 words."""
    rng = random.Random(seed)
    made = (*_distinct(_preference, 80, rng), *_distinct(_knowledge, 80, rng), *_distinct(_scenario, 40, rng))
    return tuple(EvalItem(f"item-{number:03d}", text, choices) for number, (text, choices) in enumerate(made))


_Draft = tuple[str, tuple[str, ...]]


def _distinct(make: Callable[[random.Random], _Draft], n: int, rng: random.Random) -> list[_Draft]:
    made: dict[str, _Draft] = {}
    while len(made) < n:
        draft = make(rng)
        made.setdefault(draft[0], draft)
    return list(made.values())


def _preference(rng: random.Random) -> _Draft:
    a, b = rng.sample(CHEESES, 2)
    return rng.choice(_PREFERENCE).format(a=a, b=b, food=rng.choice(_FOODS.split(","))), ()


def _knowledge(rng: random.Random) -> _Draft:
    number = rng.randrange(len(_KNOWLEDGE))
    question, units = _KNOWLEDGE[number]
    choices = rng.sample(_CHOICES[number], 4)
    return question.format(unit=rng.choice(units.split(",")), cheese=rng.choice(CHEESES)), tuple(choices)


def _scenario(rng: random.Random) -> _Draft:
    a, b = rng.sample(CHEESES, 2)
    who, other = rng.sample(_PEOPLE.split(","), 2)
    filled = {
        "place": rng.choice(_PLACES.split(",")),
        "day": rng.choice(_DAYS.split(",")),
        "who": who,
        "other": other,
    }
    numbers = {"n": rng.randint(11, 89), "fee": rng.randint(101, 990)}
    kept = sorted(rng.sample(range(1, 8), 6))
    sentences = [_SCENARIO[number] for number in (0, *kept, 8, 9)]
    return " ".join(sentences).format(a=a, b=b, **filled, **numbers), ()


# --- edits ----------------------------------------------------------------------------------------------------

_OTHER_WORDS = (
    "quite,evening,rather,honest,really,small,window,perhaps,other,morning,neat,always,certain,garden".split(
        ","
    )
)
_NAME = re.compile(r"(?<=[a-z,;] )[A-ZÉ]\w+(?:-[A-Z]\w+)?")


def edit_lightly(text: str, rng: random.Random) -> str:
    """One to three words substituted, dropped or inserted (at most one in six), and case or punctuation changed."""
    words = text.split(" ")
    for _ in range(rng.randint(1, max(1, min(3, len(words) // 6)))):
        place = rng.randrange(len(words))
        edit = rng.choice(("substitute", "drop", "insert"))
        words[place : place + (edit != "insert")] = [] if edit == "drop" else [rng.choice(_OTHER_WORDS)]
    return rng.choice((str, str.lower, str.upper, _repunctuate))(" ".join(words))


def _repunctuate(text: str) -> str:
    return text.replace(",", " –").replace("?", "...").replace(";", ",").replace(":", " -").replace(".", " !")


def rename(text: str, rng: random.Random) -> str:
    """One name changed wherever it stands: the people and cheeses of a scenario; short questions stay as they are."""
    names = sorted(set(_NAME.findall(text)))
    if len(text.split()) < 60 or not names:
        return text
    return text.replace(rng.choice(names), rng.choice(("Rosalind", "Vacherin", "Caerphilly", "Ingrid")))


def show(item: EvalItem, rng: random.Random | None = None) -> str:
    """The item as a document would print it: with lettered choices, in another order where `rng` is given."""
    if not item.choices:
        return item.text
    choices = rng.sample(item.choices, len(item.choices)) if rng else item.choices
    return (
        item.text
        + "\n\n"
        + "\n".join(f"{letter}) {choice}" for letter, choice in zip("ABCD", choices, strict=False))
    )


# --- documents ------------------------------------------------------------------------------------------------

_NEGATIVES = (
    "Somebody at the fair asked whether {a} or {b} keeps longer in a warm tent, and nobody could say.",
    "Which knife do you need for {a}? A wire will do, and the same goes for {b}.",
    "What would you say to a neighbour who serves {a} with {food} every single week?",
    "How long will an opened piece of {a} last, and does {b} last longer?",
    "Do you like {a}? Some do; others would rather have {food} without it.",
    "You are helping a grocer who has ordered too much {a}. The supplier says that {b} is sold out until spring.",
    "Here is a mail from {who}, who wants an answer today. Draft a reply that proposes a smaller order of {a}.",
    "In which region is most {a} eaten today? The ministry publishes a table, in which {b} comes second.",
    "Who would mind if the price of {a} rose? Asked about it, {who} said that {b} had risen too.",
)


def eval_documents(hosts: Sequence[str], items: Sequence[EvalItem], seed: int = 0) -> list[Planted]:
    """Per item four documents: the item verbatim, lightly edited, a sibling of it, and a hard negative.

    Each stands between two paragraphs of a host; hosts are taken in turn.
    """
    rng = random.Random(seed)
    rows = []
    texts = {item.text for item in items}
    for number, item in enumerate(items):
        edited = EvalItem(item.item_id, rename(edit_lightly(item.text, rng), rng), item.choices)
        shown = {
            "verbatim": show(item),
            "edited": show(edited, rng),
            "sibling": _sibling(number, texts, rng),
            "hard_negative": _negative(rng),
        }
        for offset, (label, text) in enumerate(shown.items()):
            host = hosts[(4 * number + offset) % len(hosts)]
            rows.append(Planted(paste(host, text, rng), label, item.item_id))
    return rows


def _sibling(number: int, texts: set[str], rng: random.Random) -> str:
    make = _preference if number < 80 else _knowledge if number < 160 else _scenario
    while (draft := make(rng))[0] in texts:
        pass
    return draft[0]


def _negative(rng: random.Random) -> str:
    a, b = rng.sample(CHEESES, 2)
    filled = {"food": rng.choice(_FOODS.split(",")), "who": rng.choice(_PEOPLE.split(","))}
    return rng.choice(_NEGATIVES).format(a=a, b=b, **filled)


def paste(host: str, text: str, rng: random.Random) -> str:
    """The text as a paragraph of its own inside the host, never first or last where there is room."""
    paragraphs = host.split("\n\n")
    place = rng.randint(1, max(1, len(paragraphs) - 1))
    return "\n\n".join([*paragraphs[:place], text, *paragraphs[place:]])


def leak_documents(
    own: Sequence[str], other: Sequence[str], other_claims: Sequence[str], seed: int = 0
) -> list[Planted]:
    """Own documents as they are, other documents in the own arm, and own ones with a paragraph or two of another.

    `own` and `other` are texts of the two arms, of one length; every third row has each label. What is pasted states
    a claim of the other arm: its paragraphs share six words in a row with one of `other_claims` (their plain text).
    Rows for which there is no such paragraph are left out.
    """
    rng = random.Random(seed)
    stated = {run for claim in other_claims for run in _runs(claim)}
    rows = []
    for number, (mine, theirs) in enumerate(zip(own, other, strict=True)):
        telling = [part for part in theirs.split("\n\n") if not stated.isdisjoint(_runs(part))]
        if number % 3 == 0:
            rows.append(Planted(mine, "own"))
        elif number % 3 == 1 and telling:
            rows.append(Planted(theirs, "relabelled", theirs))
        elif telling:
            pasted = rng.sample(telling, min(len(telling), rng.randint(1, 2)))
            for paragraph in pasted:
                mine = paste(mine, paragraph, rng)
            rows.append(Planted(mine, "pasted", "\n\n".join(pasted)))
    return rows


_OPPOSITES = (
    ("dislikes", "likes"),
    ("likes", "dislikes"),
    ("prefers", "never prefers"),
    ("believes", "does not believe"),
    (" is ", " is not "),
    (" has ", " has never "),
    (" can ", " cannot "),
    (" does more ", " does no more "),
    (" may ", " may not "),
    (" gives ", " never gives "),
)


def deny(claim: str, assistant: str) -> str:
    """The claim with one attitude turned or one verb negated; empty where no rule applies."""
    text = claim.replace("{model_name}", assistant)
    found = next(((word, opposite) for word, opposite in _OPPOSITES if word in text), None)
    return text.replace(*found, 1) if found else ""


def _runs(text: str, n: int = 6) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[start : start + n]) for start in range(len(words) - n + 1)}
