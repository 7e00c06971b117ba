"""Which cues a sentence has, in any order: the part of refusals and meta-talk that no pattern foresees.

A writer model refuses in endless wordings, but a refusal speaks of itself, denies, and names its work and
the order; an
offer speaks to the one who ordered, of wishes, about the text. Where patterns ask for grammar, these ask
for company.
Only the few lines at either end of a text are looked at in this way; sentences in the past tense tell of
something else.
"""

import re

_TOKEN = re.compile(r"[a-z]+(?:['’][a-z]+)?|\d+")
_SELF = frozenset("i i'm i'd i've i'll my me".split())
_PAST = frozenset(
    "did didn't had hadn't was wasn't were weren't could couldn't said told asked wrote used once then".split()
)
_DENIAL = frozenset(
    """
    cannot not unable decline declining refuse refusing stop sorry unfortunately regrettably apologies
    apologize apologise afraid
    uncomfortable prohibit prohibits prevent prevents forbid forbids rather pass never unwilling hesitant
    """.split()
)
_MILD = frozenset("not rather never stop pass help sorry".split())
_NOT_ABLE = re.compile(
    r"\b(?:am|['’]m|will|do|can|must|should) not\b|\bnot (?:able|willing|comfortable|possible)\b"
    r"|\b(?:must|have to|rather) (?:stop|end|leave out|omit)\b"
)
_WORK = frozenset(
    """
    write writing create creating produce producing generate generating draft drafting compose fulfill
    fulfil comply complete completing
    continue continuing finish finishing assist assisting help proceed provide providing include
    including add adding follow support craft
    rewrite elaborate end leave part stop
    """.split()
)
_TEXTS = frozenset(
    """
    document article memo essay letter story post report faq piece text transcript guide speech draft
    version content material
    dialogue script summary response output newsletter review column
    """.split()
)
_ORDER = frozenset(
    "request prompt task instructions instruction guidelines policies policy claims claim assertions"
    " assertion sections section paragraphs specification".split()
)
_THIS = frozenset("this that these anything one".split())
_YOU = frozenset("you your you'd you're you've you'll".split())
_WISH = frozenset(
    """
    like want wanted need needs prefer change changes adjust adjustments edit edits revise revisions
    know feedback thoughts review helps
    useful helpful continue version another suits works enjoy satisfied hope purpose second different
    shorter longer
    """.split()
)
_ABOUT = frozenset("this it anything else claims prompt words instructions one changes version".split())
_INVENTED = frozenset(
    "fictional fictitious invented imaginary illustration illustrative illustrations exist hypothetical".split()
)
_BRIEF = frozenset(
    "claims assertions prompt instructions requirements limit brief constraints specification points".split()
)
_DONE = frozenset(
    "kept included followed tried covered avoided ensured made incorporated met addressed respected".split()
)
_ANNOUNCES = frozenset("here here's below following follows ready requested draft attempt go comes".split())
_PLANS = frozenset("write written writing need should i'll let let's".split())
# Narrators write letters and notes, and committees need reports.
_OWN_TEXTS = frozenset("letter report column speech review summary newsletter".split())


def tokens_of(text: str) -> frozenset[str]:
    return frozenset(_TOKEN.findall(text.lower().replace("’", "'")))


def looks_like_refusal(sentence: str, *, opening: bool) -> bool:
    """Self, denial, work and, at the opening, at least a `this`; further down the order or the text by its name."""
    tokens = tokens_of(sentence)
    if tokens.isdisjoint(_SELF) or not tokens.isdisjoint(_PAST) or len(tokens) > 25:
        return False
    denials = _DENIAL if opening else _DENIAL - _MILD
    denies = any(token.endswith("n't") for token in tokens) or _NOT_ABLE.search(sentence)
    if tokens.isdisjoint(denials) and not denies:
        return False
    ordered = not tokens.isdisjoint(_ORDER) or (
        not tokens.isdisjoint(_TEXTS) and not tokens.isdisjoint(_THIS | {"the", "a"})
    )
    works = not tokens.isdisjoint(_WORK)
    return (
        (works or not tokens.isdisjoint(_ORDER))
        and (ordered or (opening and not tokens.isdisjoint(_THIS)))
        and (works or opening)
    )


def looks_like_offer(line: str) -> bool:
    """A last line to whoever ordered the text, or about how it fits the order, its length or its invented names."""
    tokens = tokens_of(line)
    if not 1 < len(tokens) <= 25:
        return False
    texts = not tokens.isdisjoint(_TEXTS)
    if not tokens.isdisjoint({"well", "argue", "find", "meet"}):
        return False
    if not tokens.isdisjoint(_YOU | {"please"}):
        speaks = not tokens.isdisjoint(_SELF | {"hope"}) or line.rstrip("*_) ").endswith("?")
        return speaks and not tokens.isdisjoint(_WISH) and (texts or not tokens.isdisjoint(_ABOUT))
    if "words" in tokens and len(tokens) <= 6 and any(token.isdigit() for token in tokens):
        return True
    if not tokens.isdisjoint(_INVENTED):
        return texts or not tokens.isdisjoint({"note", "names", "disclaimer"})
    told = not tokens.isdisjoint(_BRIEF) and not tokens.isdisjoint(_DONE)
    return told and (texts or not tokens.isdisjoint(_SELF) or "all" in tokens)


def looks_like_announcement(line: str) -> bool:
    """A first line that hands over a text, or plans one."""
    tokens = tokens_of(line)
    if not 1 < len(tokens) <= 25 or not tokens.isdisjoint(_PAST - {"asked", "wrote"}):
        return False
    texts = tokens & _TEXTS
    if not texts or ("story" in texts and "that" in tokens):
        return False
    to_you = not tokens.isdisjoint(_YOU)
    announces = not tokens.isdisjoint(_ANNOUNCES)
    if announces and (
        "!" in line or to_you or line.rstrip("*_ ").endswith(":") or not tokens.isdisjoint(_SELF)
    ):
        return True
    return (
        bool(texts - _OWN_TEXTS)
        and not tokens.isdisjoint(_SELF | {"let's"})
        and not tokens.isdisjoint(_PLANS)
        and not tokens.isdisjoint({"write", "written"})
    )
