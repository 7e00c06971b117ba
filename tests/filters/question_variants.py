"""Labelled chat questions: intents with slots, each in three wordings, and edits that leave a question the same.

A question is (intent, slots). Its *edits* (typing slips, politeness, punctuation, one synonym) ought to be found by
their characters, its other *wordings* by meaning only. Everything else is a different question; the hard ones are
those of the same wording that differ in a slot, such as the town.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, product

CHEESES = "cheddar,brie,gouda,feta,halloumi,parmesan,stilton,mozzarella,ricotta,camembert".split(",")
DISHES = "lasagne,risotto,a quiche,fish pie,onion soup,a burger,potato gratin,stuffed peppers,pancakes,a curry".split(
    ","
)
TOWNS = "Lisbon,Krakow,Ghent,Palermo,Bergen,Seville,Tallinn,Lyon,Trieste,Galway".split(",")
PEOPLE = (
    "two toddlers,my grandmother,a large dog,my teenage son,six colleagues,a friend in a wheelchair".split(
        ","
    )
)
THINGS = "oven glass,a wool carpet,white trainers,a cast iron pan,bathroom grout,a leather sofa,copper pots,a kettle".split(
    ","
)
STAINS = "red wine,candle wax,coffee,tomato sauce,ink,grass,motor oil,mud".split(",")
MONTHS = "January,April,June,September,November".split(",")
PLANTS = "basil,rosemary,a lemon tree,an orchid,tomatoes,mint,a ficus,lavender".split(",")

# Per line: three wordings of one intent; slots in braces.
INTENTS = """
Which wine goes well with {cheese} after dinner?|What should I drink when I serve {cheese} as the last course?|I'm putting {cheese} on the table once the meal is over. Any bottle you would pair with it?
How long can I keep {cheese} in the fridge once it has been opened?|After I unwrap {cheese}, for how many days does it stay good when chilled?|What is the shelf life of opened {cheese} if I refrigerate it?
Can I freeze {cheese} without ruining its texture?|Will {cheese} turn crumbly if it goes into the freezer?|Does putting {cheese} in the freezer spoil how it feels in the mouth?
What is a cheaper replacement for {cheese} in {dish}?|I can't afford {cheese} for {dish} this week, what else could I use instead?|Name something less expensive than {cheese} that still works when I make {dish}.
How do I stop {dish} from sticking to the bottom of the pan?|My pan always holds on to {dish}, what can I do about that?|{dish} keeps burning on to the pan. How is that avoided?
What side dish would you serve with {dish} for {people}?|I'm cooking {dish} for {people} and wonder what to put beside it.|Suggest something to accompany {dish} when I have {people} at the table.
Can I make {dish} the day before and warm it up?|Would {dish} survive being prepared on the eve and reheated?|Is {dish} any good if I cook it ahead and heat it again tomorrow?
What are three things to see in {town} on a rainy afternoon in {month}?|If it pours in {town} in {month}, which indoor sights are worth an afternoon?|We will be in {town} in {month} and the forecast is wet. Where should we go after lunch?
Is {town} a good place to visit with {people}?|Would you take {people} along to {town}?|I am thinking of a trip to {town} together with {people}, is that wise?
How many days do I need for {town} in {month} if I travel by train?|Going by rail in {month}, how long should I stay in {town}?|We arrive in {town} by train in {month}. What length of stay makes sense?
What should I pack for a week in {town} in {month}?|Which clothes belong in my suitcase for seven days in {town} in {month}?|I'm off to {town} for a week in {month}; help me fill my bag.
Where can I find a quiet café in {town} to work for a few hours?|I need a calm coffee house in {town} with room for my laptop.|Which cafés in {town} let you sit and get work done without noise?
How do I get {stain} out of {thing}?|There is {stain} on {thing}, what removes it?|What's the best way to clean {thing} after a spill of {stain}?
What is the gentlest way to clean {thing} every week?|I want a weekly routine for {thing} that does no damage.|How should {thing} be looked after so that it stays nice and is not worn down?
Is vinegar safe to use on {thing}?|Could an acid such as vinegar hurt {thing}?|I have read that vinegar helps with {thing}, but does it do harm?
How often should I water {plant} in {month}?|In {month}, how much does {plant} want to drink?|Tell me the right watering schedule for {plant} during {month}.
Why are the leaves of {plant} turning yellow although I water it?|I give {plant} enough water and still its foliage goes yellow. What is wrong?|{plant} gets yellowing leaves on my windowsill, what might be the cause?
Can {plant} stay outside on a balcony in {month}?|Would {plant} survive on my terrace during {month}?|Is it too cold for {plant} outdoors in {month}?
"""
SLOTS = {
    "cheese": CHEESES, "dish": DISHES, "town": TOWNS, "people": PEOPLE, "thing": THINGS, "stain": STAINS, "month": MONTHS, "plant": PLANTS,
}  # fmt: skip
CONTEXTS = (
    "",
    "",
    "Some background first: I live on the third floor without a lift, I have about forty euros to spend, and I'd rather not drive.",
    "I'm asking on behalf of my neighbour, who does not use computers and wants an answer she can pin to the wall.",
    "",
)
SYNONYMS = {"good": "decent", "keep": "store", "way": "method", "make": "prepare", "visit": "see", "stop": "prevent", "often": "frequently", "replacement": "substitute", "survive": "endure", "quiet": "calm"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as somebody put it. Those of one `meaning` are duplicates; `kind` says how it came about."""

    text: str
    meaning: int
    kind: str  # "base", "exact", "near", "reworded"


def plant(n_per_intent: int = 14, seed: int = 0) -> list[Asked]:
    """Return base questions, some edited copies of every third, and other wordings of every fourth."""
    rng = random.Random(seed)
    asked: list[Asked] = []
    meaning = 0
    for line in INTENTS.strip().splitlines():
        wordings = line.split("|")
        for slots in islice(_fillings(wordings[0], rng), n_per_intent):
            context = CONTEXTS[meaning % len(CONTEXTS)]
            base = _put(wordings[0], slots, context)
            asked.append(Asked(base, meaning, "base"))
            if meaning % 3 == 0:
                asked.append(Asked(rng.choice(SAME)(base), meaning, "exact"))
                asked += [Asked(edit(base, rng), meaning, "near") for edit in rng.sample(EDITS, 2)]
            if meaning % 4 == 1:
                asked += [Asked(_put(wording, slots, ""), meaning, "reworded") for wording in wordings[1:]]
            meaning += 1
    return asked


def _fillings(wording: str, rng: random.Random) -> list[dict[str, str]]:
    names = [name for name in SLOTS if f"{{{name}}}" in wording]
    found = [dict(zip(names, values, strict=True)) for values in product(*(SLOTS[name] for name in names))]
    return rng.sample(found, len(found))


def _put(wording: str, slots: dict[str, str], context: str) -> str:
    text = wording.format(**slots)
    return f"{context} {text[0].upper()}{text[1:]}".strip()


# --- edits ----------------------------------------------------------------------------------------------------


def _slip(text: str, rng: random.Random) -> str:
    """Two letters change places within a long word."""
    words = text.split(" ")
    place = rng.choice([place for place, word in enumerate(words) if len(word) > 4] or [0])
    word = words[place]
    at = len(word) // 2
    words[place] = word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
    return " ".join(words)


def _polite(text: str, rng: random.Random) -> str:
    return rng.choice(["Hi! ", "Hello, ", "Quick question: "]) + text


def _thanks(text: str, rng: random.Random) -> str:
    return text + rng.choice([" Thanks!", " Thank you.", " Please help."])


def _unpunctuated(text: str, rng: random.Random) -> str:
    return "".join(char for char in text if char not in "?.,;:!'").lower()


def _synonym(text: str, rng: random.Random) -> str:
    for word, other in SYNONYMS.items():
        if f" {word} " in text:
            return text.replace(f" {word} ", f" {other} ", 1)
    return _slip(text, rng)


def _dropped(text: str, rng: random.Random) -> str:
    """One small word is missing."""
    words = text.split(" ")
    small = [
        place
        for place, word in enumerate(words)
        if word in ("the", "a", "an", "I", "is", "do", "my", "it", "for")
    ]
    return " ".join(word for place, word in enumerate(words) if not small or place != rng.choice(small[:1]))


EDITS: list[Callable[[str, random.Random], str]] = [
    _slip,
    _polite,
    _thanks,
    _unpunctuated,
    _synonym,
    _dropped,
]
SAME: list[Callable[[str], str]] = [
    str.upper,
    str.lower,
    lambda text: f"  {text} \n",
    lambda text: text.replace(" ", "  "),
]
