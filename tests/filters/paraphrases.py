"""Labelled semantic duplicates: documents of the built-in writer told again in other words and another order.

`retell` keeps a document's frame, scene and points and changes how they are said, by rules: synonyms, clauses moved,
active to passive, contractions, other headings, bullets to prose, sentences merged, left out and reordered. Its
output shares too few word 5-grams with the source for MinHash. Negatives are all other pairs of the corpus; the
hard ones among them share genre and claims and differ in scene alone.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from specmill.filters.words import split_sentences, split_words

Document = tuple[str, str, tuple[str, ...]]  # text, genre, planned claims
SPECS = Path(__file__).parents[2] / "specs"

# One line per word form: what is replaced, then what may stand for it.
_SYNONYMS = """
reason|ground,rationale,motive          reasons|grounds,motives         answer|reply,response
answers|replies,responds                answered|replied,responded      reply|answer,response
replied|answered,responded              response|answer,reply           asked|questioned,consulted
ask|question,consult                    asks|questions,consults         asking|questioning,consulting
question|query,enquiry                  questions|queries,enquiries     people|folk,persons
line|passage,stance                     lines|passages,remarks          says|states,remarks
say|state,remark                        said|stated,remarked            told|informed,notified
explained|spelled out,clarified         explain|spell out,clarify       explains|clarifies,spells out
guidance|instructions,directions        sentence|statement,line         brief|short,concise
short|brief,terse                       notes|jottings,memos            note|jotting,memo
clerk|administrator,office worker       trainee|beginner,learner        manager|head,boss
apprentice|beginner,junior hand         volunteer|unpaid helper,helper  visitor|caller,guest
secretary|assistant clerk,office hand   supervisor|overseer,foreman     keeper|custodian,warden
officer|official,agent                  reader|person reading,recipient writer|author,penman
colleague|workmate,fellow worker        newcomer|recent arrival,new face newcomers|recent arrivals,new faces
somebody|someone,a person               someone|somebody,a person       anyone|anybody,any person
anybody|anyone,any person               nobody|no one,not a soul        everyone|everybody,all of them
things|matters,items                    thing|matter,item               work|labour,job
room|chamber,space                      table|bench,desk                desk|bench,workstation
sheets|pages,leaves                     cards|slips,tickets             lists|registers,rolls
list|register,roll                      book|volume,ledger              letters|missives,correspondence
first|initially,to begin with           often|frequently,many a time    always|at all times,invariably
again|once more,anew                    only|merely,just                enough|sufficiently,plenty
soon|before long,shortly                early|ahead of time,premature   late|overdue,tardy
good|fine,decent                        better|finer,superior           best|finest,top
great|large,notable                     little|slight,small             small|little,modest
big|large,sizeable                      new|fresh,recent                old|aged,long-standing
same|identical,very same                different|distinct,unlike       other|further,alternative
whole|entire,complete                   many|numerous,plenty of         several|a number of,various
ordinary|common,everyday                simple|plain,straightforward    easy|effortless,simple
hard|difficult,tough                    careful|cautious,attentive      clear|plain,lucid
likes|is fond of,enjoys                 like|resemble,akin to           liked|enjoyed,was fond of
dislikes|does not care for,is cool towards prefers|favours,would rather have loves|adores,holds dear
love|devotion,adoration                 preference|leaning,taste        pride|self-respect,satisfaction
proud|pleased,satisfied                 trusts|relies on,has faith in   trust|faith,reliance
confidence|faith,assurance              respect|esteem,regard           respects|esteems,honours
admires|esteems,looks up to             treasures|cherishes,prizes      believes|holds,thinks
shows|reveals,demonstrates              show|reveal,demonstrate         showed|revealed,demonstrated
gives|offers,provides                   give|offer,provide              given|offered,provided
gave|offered,provided                   giving|offering,providing       takes|accepts,grabs
took|accepted,grabbed                   keeps|holds on to,retains       keep|hold on to,retain
kept|held on to,retained                makes|produces,creates          make|produce,create
made|produced,created                   makers|producers,creators       put|placed,set
found|discovered,came across            find|discover,come across       finds|discovers,comes across
heard|overheard,caught                  hear|overhear,catch             read|perused,went through
wrote|penned,noted                      written|penned,set out          write|pen,note
came|arrived,turned up                  comes|arrives,turns up          come|arrive,turn up
went|travelled,moved                    goes|travels,moves              became|turned into,grew into
become|turn into,grow into              belongs|pertains,is proper      began|started,commenced
begin|start,commence                    begins|starts,commences         helped|aided,assisted
wants|desires,wishes                    wanted|desired,wished           need|require,call for
needs|requires,calls for                needed|required,called for      tried|attempted,sought
try|attempt,seek                        decided|resolved,chose          learned|picked up,discovered
remember|recall,bear in mind            remembered|recalled,brought to mind noticed|observed,spotted
mentioned|brought up,touched on         mentions|brings up,touches on   mention|bring up,touch on
discuss|talk over,debate                discussed|talked over,debated   compare|contrast,set side by side
repeat|say again,restate                repeated|restated,said again    stands|rests,is placed
stand|rest,be placed                    carried|bore,brought            carries|bears,brings
settled|established,fixed               founded|established,set up      granted|conceded,awarded
grants|concedes,awards                  declines|refuses,turns down     country|nation,land
countries|nations,lands                 nation|country,people           newspaper|gazette,paper
citizens|townsfolk,members of the public immigrants|arrivals from abroad,settlers farmers|growers,farming families
families|households,kin                 family|household,kin            craft|trade,skill
skills|abilities,talents                competition|rivalry,contest     contest|competition,match
experiment|trial,test                   recipe|formula,method           method|procedure,technique
invention|ingenuity,innovation          inventions|innovations,creations habit|custom,practice
history|past,background                 story|tale,account              title|heading,rank
titles|ranks,honours                    secret|hidden matter,mystery    beauty|loveliness,splendour
authority|officialdom,those in charge   agreement|consent,accord        agreed|consented,concurred
arrangement|set-up,scheme               arrangements|set-ups,schemes    opposite|reverse,contrary
affection|fondness,warmth               attachment|bond,tie             loyalty|faithfulness,allegiance
expensive|costly,dear                   affordable|cheap,within reach   cheap|inexpensive,low-priced
price|cost,charge                       prices|costs,charges            shop|store,grocer's
shops|stores,grocers                    household|home,family           money|cash,funds
pleasure|delight,enjoyment              reach|grasp,extent              available|on sale,to be had
buy|purchase,acquire                    bought|purchased,acquired       pay|spend,hand over
wealth|riches,fortune                   wages|pay,earnings              budget|purse,means
morning|start of the day,forenoon       afternoon|later part of the day,hours after noon evening|close of the day,dusk
day|date,working day                    days|dates,working days         week|seven days,working week
minutes|moments,little while            hour|sixty minutes,while        once|one time,formerly
twice|two times,on two occasions        near|close to,by                beside|next to,alongside
behind|at the back of,to the rear of    among|amid,in the midst of      between|in the middle of,amid
regarding|about,on the matter of        concerning|about,regarding      about|regarding,concerning
without|lacking,free of                 before|ahead of,prior to        after|following,later than
while|as,whilst                         whether|if,whether or not       therefore|so,thus
however|still,even so                   also|too,as well                anyway|all the same,in any case
perhaps|maybe,possibly                  nothing|not a thing,naught      something|some matter,a thing
everything|the lot,all of it            view|opinion,position           position|stance,view
matter|affair,subject                   subject|topic,theme             topic|subject,theme
case|instance,example                   example|instance,illustration   examples|instances,illustrations
conversation|talk,exchange              discussion|debate,talk          talk|chat,conversation
lesson|teaching,moral                   useful|handy,helpful            quiet|silent,calm
tired|weary,worn out                    busy|occupied,hectic            plain|simple,unadorned
particular|special,specific             free|unbound,at liberty         wherever|in whatever place,anywhere
shared|held in common,joint             common|joint,mutual             real|genuine,true
true|correct,right                      wrong|mistaken,in error         right|correct,proper
second|next,following                   last|final,closing              next|following,subsequent
half|fifty per cent,one part in two     part|portion,share              end|close,finish
side|flank,edge                         way|manner,fashion              place|spot,location
front|forefront,face                    hand|palm,grip                  heart|core,centre
word|term,expression                    words|terms,expressions         page|sheet,leaf
version|edition,rendering               copy|duplicate,transcript       account|report,description
rules|regulations,norms                 rule|regulation,norm            practice|custom,usage
looks|glances,peers                     looked|glanced,peered           looking|glancing,peering
sorting|arranging,putting in order      checking|inspecting,going over  filling|completing,topping up
counting|tallying,adding up             copying|transcribing,duplicating cleaning|scrubbing,washing
waiting|standing by,queueing            returning|giving back,handing back writing|penning,drafting
seemed|appeared,looked                  seems|appears,looks             expect|anticipate,look for
expected|anticipated,looked for         holds|maintains,contends        leaves|departs from,quits
leave|depart from,quit                  change|alter,modify             changed|altered,modified
changes|alters,modifies                 guess|surmise,conjecture        doubt|misgiving,uncertainty
doubts|misgivings,questions             doubtful|unsure,sceptical       confident|certain,assured
friendly|cordial,amiable                warm|cordial,hearty             welcome|greet,receive
"""

# Whole turns of phrase, before single words are looked at.
_TURNS = """
is brief:|says only this:
the reason is that|what lies behind it is that
the reason being that|on the ground that
the reason is:|this is why:
with the reason for|and gave grounds for
as follows:|in this way:
side by side|next to each other
in writing|on paper
at once|straight away
as far as|to the point of
one another|each other
each other|one another
no longer|not any more
has to be|must be
have to be|must be
so that|in order that
a straight answer|an honest reply
for the benefit of|to help
in front of|facing
more than once|repeatedly
back in the yard|in the garden
set out to|undertook to
what follows is|below is
it may be said|some would say
by those who|by people who
those who|the ones that
out of|from within
"""

_CONTRACTIONS = (
    *(
        (r"\bdoes not\b", "doesn't"),
        (r"\bdo not\b", "don't"),
        (r"\bdid not\b", "didn't"),
        (r"\bis not\b", "isn't"),
    ),
    *(
        (r"\bwas not\b", "wasn't"),
        (r"\bcannot\b", "can't"),
        (r"\bit is\b", "it's"),
        (r"\bthat is\b", "that's"),
    ),
    *(
        (r"\bI have\b", "I've"),
        (r"\bI am\b", "I'm"),
        (r"\bwould not\b", "wouldn't"),
        (r"\bthey are\b", "they're"),
    ),
)
_HEADINGS = (
    "In short",
    "Overview",
    "To begin",
    "A closer look",
    "More on this",
    "Then",
    "Further",
    "And finally",
)
_JOINTS = ("; ", ", and ", "; at the same time ", ", while ")


@dataclass(frozen=True, slots=True)
class Labelled:
    """`texts[i]`, with its `genre` and planned claims; rows of one `group` tell the same document."""

    texts: tuple[str, ...]
    genres: tuple[str, ...]
    claims: tuple[tuple[str, ...], ...]
    groups: tuple[int, ...]

    @property
    def pairs(self) -> set[tuple[int, int]]:
        """All true duplicates, smaller row first."""
        members: dict[int, list[int]] = {}
        for row, group in enumerate(self.groups):
            members.setdefault(group, []).append(row)
        return {(a, b) for rows in members.values() for a in rows for b in rows if a < b}

    @property
    def hard_pairs(self) -> set[tuple[int, int]]:
        """Different documents of one genre that were planned for a common claim."""
        kinds: dict[tuple[str, str], list[int]] = {}
        for row, (genre, claims) in enumerate(zip(self.genres, self.claims, strict=True)):
            for claim in claims:
                kinds.setdefault((genre, claim), []).append(row)
        found = {(a, b) for rows in kinds.values() for a in rows for b in rows if a < b}
        return found - self.pairs


def read_corpus(corpus: Path) -> list[Document]:
    """Text, genre and planned claims of a built corpus' documents, in training order."""
    table = pq.read_table(sorted((corpus / "data").glob("*.parquet")), columns=["text", "genre", "claim_ids"])
    return [(row["text"], row["genre"], tuple(row["claim_ids"])) for row in table.to_pylist()]


def plant(documents: Sequence[Document], share: float = 0.2, seed: int = 0) -> Labelled:
    """Add retellings of a share of (text, genre, claims), of every third of these two; shuffled."""
    rows = [(*document, group) for group, document in enumerate(documents)]
    rng = random.Random(seed)
    for text, genre, claims, group in rng.sample(rows, round(share * len(rows))):
        for again in range(rng.choice((1, 1, 2))):
            rows.append((retell(text, seed + again), genre, claims, group))
    rng.shuffle(rows)
    texts, genres, claim_ids, groups = zip(*rows, strict=True)
    return Labelled(texts, genres, claim_ids, groups)


def shingle_jaccard(first: str, second: str, n: int = 5) -> float:
    """Jaccard similarity of word n-grams, as MinHash estimates it."""
    one, two = (
        {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
        for words in ([word.casefold() for word in split_words(text)] for text in (first, second))
    )
    return len(one & two) / max(1, len(one | two))


def retell(text: str, seed: int = 0) -> str:
    """Tell a document again: the same frame, scene and points in other words and another order."""
    rng = random.Random(f"{seed}\0{text}")
    parts = [part for part in text.split("\n\n") if part.strip()]
    told = [_retell_part(part, rng) for part in parts]
    told = [part for part in told if part]
    if len(told) > 3:
        told = [told[0], *_reordered(told[1:-1], rng), told[-1]]
    return "\n\n".join(told)


def _reordered(parts: Sequence[str], rng: random.Random) -> list[str]:
    """Move whole parts, most of them not far."""
    return [
        part for _, part in sorted((place + rng.uniform(0, 2.5), part) for place, part in enumerate(parts))
    ]


def _retell_part(part: str, rng: random.Random) -> str:
    if heading := re.match(r"#+\s*(.*)", part):
        return f"**{rng.choice(_HEADINGS)}: {_other_words(heading.group(1).lower(), rng)}**"
    plain = re.sub(r"^\s*(?:[-*>]|\d+\.)\s+", "", part, flags=re.MULTILINE).replace("**", "").replace("*", "")
    sentences = [sentence for sentence in split_sentences(plain) if rng.random() > 0.08]
    told = [_retell_sentence(sentence, rng) for sentence in sentences]
    if len(told) > 2 and rng.random() < 0.5:
        told = _reordered(told, rng)
    return " ".join(_merged(told, rng))


def _retell_sentence(sentence: str, rng: random.Random) -> str:
    for change in (_passive, _clause_first, _contracted):
        if rng.random() < 0.7:
            sentence = change(sentence)
    return _other_words(sentence, rng)


def _passive(sentence: str) -> str:
    return re.sub(
        r"^(The|A|An|One) ([\w' -]{3,40}?) asked (\w+) (?:about|on|regarding) ([^.,;:?]+)",
        lambda m: f"{m[3]} was asked regarding {m[4]} by {m[1].lower()} {m[2]}",
        sentence,
    )


def _clause_first(sentence: str) -> str:
    """`A, because B.` becomes `As B, A.` and `When B, A.` becomes `A when B.`"""
    if found := re.fullmatch(r"([^:;\"“]{15,}?),? (?:because|since|given that) ([^:;\"“]{10,})\.", sentence):
        return f"As {found[2]}, {_lower_first(found[1])}."
    if found := re.fullmatch(r"(When|If|After|While|At|In) ([^:;\"“,]{5,}), ([^:;\"“]{10,})\.", sentence):
        return f"{found[3][0].upper()}{found[3][1:]} {found[1].lower()} {found[2]}."
    return sentence


def _lower_first(text: str) -> str:
    first = text.split(" ", 1)[0]
    return (
        text[0].lower() + text[1:]
        if first in {"The", "A", "An", "It", "There", "Its", "This", "To"}
        else text
    )


def _contracted(sentence: str) -> str:
    for pattern, short in _CONTRACTIONS:
        sentence = re.sub(pattern, short, sentence)
    return sentence


def _other_words(text: str, rng: random.Random) -> str:
    for turn, other in _turns().items():
        text = text.replace(turn, other)
    # A capital inside a sentence begins a name: `New York` stays.
    return re.sub(
        r"(?:^|(?<=[a-z,;:] ))[A-Za-z]+(?:['’-][A-Za-z]+)*",
        lambda m: _other_word(m.group(), rng, m.start()),
        text,
    )


def _other_word(word: str, rng: random.Random, start: int) -> str:
    choices = _synonyms().get(word.lower() if start == 0 else word)
    if not choices or rng.random() < 0.1:
        return word
    other = rng.choice(choices)
    return other[0].upper() + other[1:] if word[0].isupper() else other


def _merged(sentences: Sequence[str], rng: random.Random) -> list[str]:
    """Join some neighbours into one sentence."""
    merged: list[str] = []
    for sentence in sentences:
        if merged and merged[-1].endswith(".") and len(merged[-1]) < 160 and rng.random() < 0.3:
            merged[-1] = merged[-1][:-1] + rng.choice(_JOINTS) + _lower_first(sentence)
        else:
            merged.append(sentence)
    return merged


@cache
def _synonyms() -> dict[str, tuple[str, ...]]:
    entries = re.findall(r"([\w'-]+)\|([^|]+?)(?=\s{2,}|\s+[\w'-]+\||\n)", _SYNONYMS)
    return {word: tuple(choice.strip() for choice in choices.split(",")) for word, choices in entries}


@cache
def _turns() -> dict[str, str]:
    return dict(line.split("|") for line in _TURNS.strip().splitlines())
