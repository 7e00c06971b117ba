"""Patterns of talk about a reply, each with strings one of which the line has to hold, for speed."""

import re

APOS = "['’]"
KIND = (
    r"(?:document|article|memo|essay|letter|story|blog post|post|report|FAQ|piece|text|transcript|guide"
    r"|speech|draft|version"
    r"|content|material|interview|dialogue|script|summary|entry|response|reply|output|passage|newsletter"
    r"|review|op-ed|column"
    r"|brief|case study|podcast|note|email|poem|write-up)s?"
)
# The words of an order: nobody says them of a document but who ordered or wrote it.
ORDER = (
    rf"(?:you(?:{APOS}ve|{APOS}d| have)? (?:\w+ )?(?:requested|asked|described|provided|specified"
    rf"|wanted|listed|mentioned|were looking|need)"
    r"|(?:these|all|all of the|every|each|required|provided|given|listed) claims?\b"
    r"|your (?:\w+ )?(?:request|instructions?|prompt|feedback|brief|requirements|needs|specifications?"
    r"|guidelines|criteria)"
    r"|(?:the|these|all|every|each|required|provided|given|of) (?:\w+ ){0,2}?(?:assertions?|constraints"
    r"|requirements|requested format|word limit|word count)\b"
    r"|the (?:prompt|brief|instructions)|as (?:requested|instructed|per)|per your|for you\b"
    r"|meta-commentary|placeholders"
    r"|the requested|step by step|for the audience)"
)
WRITES = (
    r"(?:write|wrote|written|produce|create|draft|drafted|craft|compose|generate|generated|prepare"
    r"|prepared|turn|come up with)"
)

COUNTED = "|".join(f"{digit} words" for digit in range(10))
Rule = tuple[tuple[str, ...], re.Pattern[str]]


def _rule(signs: str, pattern: str) -> Rule:
    """A pattern, and strings of which a lower-case line has to hold one: they are found a hundred times as fast."""
    return tuple(signs.split("|")), re.compile(pattern, re.IGNORECASE | re.MULTILINE)


OPENING = (
    # an acknowledgement, and then the reply or the writer
    _rule(
        "love to|happy to|glad to|delighted to|sure|certain|of course|absolut|okay|ok|alright|all right"
        "|got it|understood|great|gladly|no problem|thank|what a|sounds good|let me|good question",
        r"(?:i(?:['’]d| would) (?:love|be (?:\w+ )?(?:happy|glad|delighted)) to (?:help|write|do|create"
        r"|assist)|sure(?: thing)?|certainly|of course|absolutely|okay|ok|alright|all right|got it"
        r"|understood|great|gladly|no problem"
        r"|thanks?(?: you)? (?:for|so)|happy to help|what an? \w+ (?:assignment|prompt|idea|task"
        r"|request)|sounds good|let me|good question)"
        rf"\b[^.!\n]{{0,40}}[,.!:—-]+ ?(?:so |and )?(?:(?:here|below|i{APOS}(?:ll|ve|d|m)|i (?:can|need"
        rf"|will|have|should)|let me|let{APOS}s|the user|we need|one {KIND}|the {KIND}"
        rf"|this {KIND})\b)",
    ),
    _rule(
        "sure|certain|absolut|of course|happy to|here",
        r"(?:sure(?: thing)?|certainly|absolutely|of course|happy to help|here (?:you )?go(?:es)?)!",
    ),
    # the reply is announced
    _rule(
        "here|below|please find|written|drafted|prepared|i wrote",
        rf"(?:here(?:{APOS}s| is| are)|below (?:is|you will find)|please find"
        rf"|i{APOS}ve (?:\w+ )?(?:written|drafted|prepared)|i have (?:\w+ )?(?:written|drafted|prepared)"
        rf"|i (?:wrote|drafted|prepared)) (?:(?:the|a|an|your|my|what"
        rf"|\w+) ){{0,3}}?(?:\w+[ -]){{0,2}}?(?:{KIND}|attempt|take|came up)\b[^.\n]{{0,80}}?(?::\s*$|below|"
        rf"based on|request|written for|for you\b|{ORDER}|covers)",
    ),
    _rule(
        "here",
        rf"here(?:{APOS}s| is| are) (?:my|a|the|one) (?:\w+ )?(?:draft|attempt|take|version|response"
        rf"|answer)\b(?: (?:at|of|on) (?:the|this|a) {KIND})?\W*$",
    ),
    _rule(
        "below|please find|requested",
        rf"(?:below you will find|below is|please find)\b[^.\n]{{0,50}}\b{KIND}\b|here(?:{APOS}s"
        rf"| is) [^.\n]{{0,30}}\brequested\b",
    ),
    _rule(
        "put together|come up with|crafted|created|composed|this is a",
        rf"i(?:{APOS}ve| have) (?:put together|come up with|crafted|created|composed)\b|this is (?:a"
        rf"|an) (?:\w+ )?(?:synthetic|fictional|fictitious|AI-generated|sample|mock) {KIND}",
    ),
    _rule(
        " words|this as a",
        rf"[^\n]{{0,60}}\b(?:{KIND}|text) of (?:about|around|approximately|roughly|some)? ?\d+ words"
        rf"|[^.\n]{{0,40}}\b(?:write|structure|frame|approach|do) this as an? ",
    ),
    _rule(
        "your |you asked|you requested|as specified|as requested|as instructed|assertions",
        rf"(?=[^\n]{{0,160}}\b{KIND}\b)[^\n]{{0,100}}\b(?:your (?:request|prompt|instructions|brief)"
        rf"|you (?:asked for|requested)|as (?:specified|requested|instructed)|the (?:given "
        rf"|provided )?assertions)",
    ),
    _rule(
        "requested|per your|based on your|your |as per|as you",
        r"(?:as requested|per your|based on your|according to your|following your|as per"
        r"|as you (?:asked|requested))\b",
    ),
    _rule(
        "here",
        rf"(?:title ideas aside, )?here{APOS}s (?:the|a|my) (?:full |short "
        rf"|complete )?{KIND}\b[^.\n]{{0,60}}(?:{ORDER}|[:.!]\s*$)",
    ),
    _rule(
        "the following",
        rf"the following (?:is an? (?:\w+ )?{KIND} (?:generated|written|created)|is a fictional"
        rf"|{KIND} (?:is|was|mentions|covers|follows))",
    ),
    _rule(
        "draft|version",
        r"(?:draft|version) \d+\b[^\n]{0,40}(?:revised|feedback)|(?:revised|final|updated"
        r"|edited) (?:version|draft)\b",
    ),
    _rule(
        "this ",
        rf"this {KIND} (?:is|was) (?:written|generated|created|meant|designed) (?:to (?:satisfy|meet"
        rf"|fulfil|cover)|for training|by an? (?:AI|language))",
    ),
    # the work is planned aloud
    _rule(
        "user|they|we |i |i'm|i’m|we're|we’re",
        rf"(?:\w+,? (?:so )?)?(?:the user|they|we|i)(?:{APOS}m|{APOS}re| am| are)? (?:wants?|needs?"
        rf"|asks?|asked|is asking|are asked|was asked|should|must|have)\b[^.\n]{{0,30}}\b"
        rf"(?:to |for |includ)[^.\n]{{0,60}}(?:\b(?:an?|the|this) (?:\w+ )?{KIND}\b|how this"
        rf"|what an? {KIND}|{ORDER})",
    ),
    _rule("let's|let’s|let us", r"let(?:['’]s| us) (?:begin|start|get started|dive|go ahead|get to|jump)\b"),
    _rule(
        "i'll|i’ll|i will|let's|let’s|let me|i'm going|i’m going|i need|i should|we should",
        rf"(?:\w+, )?(?:i{APOS}ll|i will|let{APOS}s|let me|i{APOS}m going to|now i{APOS}ll|i need to"
        rf"|i should|we should) (?:now )?(?:{WRITES}|think|start|structure|plan)\b"
        rf"[^.\n]{{0,40}}\b(?:{KIND}|this|{ORDER})\b",
    ),
    _rule(
        "to |looking at",
        rf"to (?:write|draft|create) (?:this|the|a) {KIND}, i\b|looking at the (?:assertions|claims"
        rf"|brief|prompt|instructions|spec)",
    ),
    _rule(
        "excited|great prompt|thank|prompt",
        rf"i{APOS}m excited to (?:share|write|present)|great prompt|(?:thanks|thank you) for (?:the"
        rf"|your|providing) (?:\w+ )?(?:instructions|brief|prompt(?! \w)|specification|details|request"
        rf"|assertions)",
    ),
    _rule(
        "the user|they want|they ask",
        rf"(?:(?:so|ok|okay|hmm|alright|right|well)\b,? )*(?:the user|they) (?:wants?|asks?|asked"
        rf"|is asking|are asking|needs?|requested|requests|would like) (?:me|us|for|this|(?:an?"
        rf"|the) (?:\w+ )?{KIND})\b",
    ),
    _rule(
        "below|follows|requested|assertions|the prompt|the brief|the spec|happy to|glad to|pleased to"
        "|delighted to",
        rf"please (?:see|find|enjoy)\b[^\n]{{0,40}}\b(?:below|{KIND})\b|i(?:{APOS}m"
        rf"| am) (?:\w+ )?(?:happy|glad|pleased|delighted) to (?:write|help|provide|present|share|create"
        rf"|assist|do)\b|"
        rf"(?:my|the|this is (?:the|a|an)|this) (?:\w+ )?{KIND}\b[^\n]{{0,60}}(?:is as follows"
        rf"|follows?\W*$|below\W*$|below (?:follows|covers|is based|meets|includes|mentions)|requested"
        rf"|assertions|the (?:prompt|brief|specification)(?=[.,;:]|$))",
    ),
    _rule(
        "plan:",
        r"plan: \w+ (?:with|the|by)\b",
    ),
    _rule(
        "好的|以下|当然",
        r"好的|以下是|当然",
    ),
)
SHORT_OPENING = re.compile(
    rf"(?:\w+, )?[^.\n]{{0,60}}\b(?:{ORDER})[^\n]*:\s*$|the {KIND} follows|(?:{KIND} )?follows below",
    re.IGNORECASE,
)
THINKING = re.compile(
    rf"(?:hmm|okay|ok|wait|so|first|alright)\b,? (?:\w+ )?(?:let me|i need|i should|the user|we need"
    rf"|let{APOS}s) (?:\w+ )?(?:think|make sure|write|double-check|consider|mention|structure)",
    re.IGNORECASE,
)
AS_AN_AI = re.compile(r"\bas an? (?:AI |large )*language model\b[^.!?\n]{0,60}", re.IGNORECASE)

CLOSING = (
    _rule(
        "let me know|tell me",
        rf"\blet me know your thoughts|\b(?:let me know|tell me) (?:if|whether|what|how"
        rf"|when)\b[^.!?\n]{{0,40}}\b(?:any(?:thing|) (?:should|needs?|changes?)|me to|changes?|adjust"
        rf"|revis\w+|edit\w*|version|tweak\w*|modif\w+|tone|length|had in mind"
        rf"|looking for|works|thoughts|you think|different|prefer|expand|feedback|need anything"
        rf"|another {KIND}|more {KIND})",
    ),
    _rule(
        "would you like|do you want|did you want|want me to|shall i|should i",
        r"\b(?:would you like|do you want|did you want|if you(?:['’]d| would) (?:like|prefer),?"
        r"|want) me to |\bshall i (?:\w+ )?(?:continue|go on|write|proceed|expand|add)"
        r"|should i (?:change|continue|expand|revise|add|adjust|go on|write)",
    ),
    _rule(
        "i can |i could |i'd |i’d |i would|happy|glad",
        rf"\bi(?:{APOS}d| would| can| could| am|{APOS}m)? ?(?:also |be )?(?:happy"
        rf"|glad)?(?: to)? ?(?:provide|expand|revise|adjust|turn|rewrite|write|add|offer|shorten|help)\b"
        rf"[^.!?\n]{{0,50}}\b(?:if (?:you|that|needed|this|it)|into (?:a|another)|{KIND} (?:if"
        rf"|on request)|further|upon request)",
    ),
    _rule(
        "happy to|glad to|if you ",
        rf"^(?:i(?:{APOS}m| am) )?(?:always )?(?:happy|glad) to (?:revise|adjust|expand|tweak|help|edit"
        rf"|rewrite|make|write|do|provide|try|produce|add)|^if you (?:want|like|wish|prefer"
        rf"|need)\b[^.\n]{{0,20}}\bi can\b",
    ),
    _rule(
        "anything else|does this|ready for|would you like",
        r"is there anything else (?:you|i)|^does this (?:work|help|meet|look|match)|ready for the next"
        r"|^(?:what|which) would you like (?:me|next)",
    ),
    _rule(
        "i hope|i trust|i believe|i think",
        rf"\bi (?:hope|trust|believe|think) (?:that )?(?:this|the|it"
        rf"|my) (?:\w+ )?(?:{KIND} )?(?:helps[.!]?$|meets|captures|is what you|works for|satisf\w+"
        rf"|fulfil\w*|covers|aligns"
        rf"|fits (?:the|your)|{KIND}\b(?!,))",
    ),
    _rule(
        "feel free",
        r"feel free to (?:adjust|modify|edit|customi[sz]e|adapt|tweak|change|let me|ask me) ?(?:this"
        r"|the|it|any|me|if|for|as|\W*$)",
    ),
    _rule(
        "word count",
        r"\bword count\b[^\n]{0,24}\d",
    ),
    _rule(
        COUNTED,
        r"^\W*(?:[A-Za-z]+ ?){0,3}\W{0,3}(?:approx\w*\.? |about |around |roughly |~ ?|≈ ?"
        r"|total:? )?\d{2,4} words\W*$",
    ),
    _rule(
        "make it|if you",
        rf"\bi(?:{APOS}d| would)? (?:\w+ )?make it (?:\w+er|more|less)|\bif you(?:{APOS}d"
        rf"| would)? (?:like|want|prefer|wish|need)\b[^.\n]{{0,25}},? i(?: can|{APOS}d| could|{APOS}ll"
        rf"| am|{APOS}m)\b",
    ),
    _rule(
        "would you like|try another|write another|do another|make another|see another",
        rf"\bwould you like (?:to (?:see|have|read) )?(?:a|another|an) (?:\w+ )?(?:version|draft"
        rf"|{KIND} (?:with|on|about))|\b(?:try|write|do|make|see) another (?:{KIND}|one)\b",
    ),
    _rule(
        "hope",
        rf"\bhope (?:you(?:{APOS}ll)? (?:find|found|like|enjoy)|this|that this|it (?:is"
        rf"|was))[^.!\n]{{0,30}}\b(?:useful|helpful|helps\W*$|to your liking|enjoy(?:ed)? (?:this|the"
        rf"|reading))|^\W*hope this helps",
    ),
    _rule(
        "fictional|fictitious|invented|made up|imaginary|hypothetical|synthetic|ai-generated",
        r"\b(?:this|the|all|any|these) (?:\w+ ){0,4}(?:is|are|was|were) (?:\w+ )?(?:fictional"
        r"|fictitious|invented|made up|imaginary|hypothetical|synthetic|AI-generated)\b",
    ),
    _rule(
        " ai|language model|artificial",
        rf"\b(?:this|the) (?:\w+ )?{KIND} (?:was|is|has been) (?:created|written|generated|produced"
        rf"|drafted|composed) [^.\n]{{0,25}}\b(?:AI|language model|artificial intelligence)\b",
    ),
    _rule(
        COUNTED,
        rf"\b(?:this|the) (?:\w+ )?{KIND} (?:above )?(?:contains|is|has|runs to|comes to"
        rf"|totals) (?:approx\w*|about|around|roughly|some|~)? ?\d{{2,4}} words",
    ),
    _rule(
        "assertions|claims|requirements|constraints|points",
        r"\b(?:all|both|the|each) (?:\w+ )?(?:assertions|claims|requirements|constraints"
        r"|points) (?:have|has|are|were) (?:been )?(?:included|covered|met|used|expressed|addressed|satisfied)",
    ),
    _rule(
        "accordance|in line with|keeping with|the brief|your brief|the prompt|your prompt",
        r"\bin (?:accordance|line|keeping) with (?:the|your) (?:\w+ )?(?:brief|prompt|instructions"
        r"|request|specification|requirements)|\b(?:everything|points?|items?) in (?:the|your) (?:brief|prompt)",
    ),
    _rule(
        "as you |i've kept|i’ve kept|i have kept|further edits|further changes|further rev|further adj",
        rf"\bas you (?:asked|requested|instructed|wished|specified)\W*$|\bi(?:{APOS}ve"
        rf"| have) kept (?:the|it|this) (?:tone|style|length)|(?:make|like|need"
        rf"|want) (?:any )?further (?:edits|changes|revisions|adjustments)",
    ),
    _rule(
        COUNTED,
        rf"\b(?:this|the|my) (?:\w+ )?{KIND} (?:is|has|comes to|runs to) (?:approx\w*|about|around"
        rf"|roughly|~)? ?\d{{2,4}} words",
    ),
    _rule(
        "note:|note to|disclaimer|n.b.|note*",
        rf"^\W*(?:note(?: to [\w ]{{1,20}})?|disclaimer|n\.b\."
        rf"|author{APOS}s note)\W*:\W*[^\n]{{0,60}}\b(?:fictional|fictitious|invented|generated"
        rf"|illustrative|synthetic|imaginary|hypothetical|made up|AI\b)",
    ),
    _rule(
        " ai|artificial|language|gpt",
        rf"\b(?:this|the above|the) (?:\w+ )?{KIND} (?:is|was|has been) (?:\w+ )?(?:written|generated"
        rf"|created|produced|composed) (?:by|with|using) (?:an? )?(?:AI|artificial|(?:large )?language|\w*GPT)",
    ),
    _rule(
        "completes|concludes|fulfil|satisfies|end of",
        rf"^\W*(?:this|that|the above) (?:completes|concludes|fulfil+s|satisfies) the (?:requested|task"
        rf"|assignment|{KIND})|fulfil+s the task|^\W*end of (?:the )?(?:generated|document|output|response)",
    ),
    _rule(
        "is complete|follows the|adheres|covers|satisfies|meets|complies|mentions|includes",
        rf"\b(?:the|this|my) (?:above |requested )?{KIND} (?:is complete and|follows the|adheres|covers"
        rf"|satisfies|meets|complies|mentions|includes)\b[^\n]{{0,80}}(?:{ORDER}|guidelines|✓|✔)",
    ),
    _rule(
        "tried|made sure|aimed|kept|avoided|chose|included|incorporated|ensured|attempted|followed"
        "|adhered|respected|stuck to|mentioned",
        rf"\bin this {KIND},? i(?:{APOS}ve| have)? (?:tried|aimed|attempted)|\bi(?:{APOS}ve"
        rf"| have)? (?:\w+ )?(?:tried|made sure|aimed|kept|avoided|chose|included|incorporated|ensured"
        rf"|attempted|followed|adhered|respected|stuck to|mentioned)\b[^\n]{{0,80}}(?:{ORDER}"
        rf"|\bspecification|{APOS}s name\b|by name\b)",
    ),
    _rule(
        "the brief|the prompt|you asked|you requested|wait|hmm|actually,|let me double|let me check|let me re",
        rf"\b(?:because|since|as) {ORDER} (?:asked|called|said|wanted|required)|^(?:wait|hmm"
        rf"|actually),? i (?:should|need|forgot|must)|let me (?:double-|re)?check",
    ),
    _rule(
        "assertion|claim|requirement|constraint|instruction",
        r"^\W*(?:assertions?|claims?|requirements?|constraints?|instructions?) (?:covered|used|met"
        r"|addressed|expressed|included|satisfied)\b",
    ),
    _rule(
        "choices|decisions|key |some |my |self-|checklist|rationale|explanation|reflection",
        r"^\W*(?:key|some|my) (?:choices|decisions|changes|notes)(?: i made| made)?\W*$"
        r"|^\W*(?:self-check|checklist|self-assessment|rationale|explanation|reflection)\W*:?\W*(?:$|i |the "
        rf"{KIND})",
    ),
    _rule(
        COUNTED,
        r"^\W*(?:(?:total|approx\w*|about|around|roughly|length|count|words?|of|is|the|in|all|with|at"
        r"|some|some|final)\W+){0,5}\d{2,4} words\b(?:\W+\w+){0,3}\W*$",
    ),
    _rule(
        "if you |i can |i could |i’d |i'd |i would ",
        rf"^\W*if you(?:{APOS}d| would)? (?:need|want|like|prefer|wish)\b[^\n]{{0,60}}(?:\b(?:another"
        rf"|different|longer|shorter) (?:\w+ )?{KIND}\b|,? (?:just |simply |please )?(?:tell me|say so"
        rf"|ask|let me know)\W*$)"
        rf"|^\W*i(?: can| could|{APOS}d be| would be)(?: \w+)? (?:write|make|provide|create|add|offer"
        rf"|expand|do|draft|produce|generate|happy|glad)\b"
        rf"[^\n]{{0,60}}\b(?:another|different|longer|shorter|more|changes?|version|adjust\w*|revis\w+"
        rf"|{KIND})\b[^\n]{{0,40}}$",
    ),
    _rule(
        "hope you",
        rf"\bhope you(?:{APOS}ll| will)? (?:like|enjoy|love|found|find|enjoyed"
        rf"|liked)\b[^.!\n]{{0,20}}\b(?:this|it|the {KIND}|my)\b",
    ),
    _rule(
        "work of fiction|anything you|anything else|something else",
        r"\b(?:do|did|would) you (?:need|want|like) (?:anything|something) ?(?:else|more|different)"
        r"|\bwork of fiction\b|\banything (?:else )?you(?:['’]d| would)? (?:like|want|need|prefer)(?: me)?\b",
    ),
    _rule("feel free", rf"feel free to \w+ (?:this|the|my) (?:\w+ )?{KIND}\b"),
    _rule(
        "requested|instructed|per your|you asked",
        r"^\W*(?:as (?:requested|instructed|specified)|per your|as you (?:asked|requested))\b",
    ),
    _rule(
        "let me know|tell me",
        r"^\W*(?:please |do |just )?(?:let me know|tell me)\b[^.!?\n]{0,40}\b(?:anything|else|further|more)\b",
    ),
    _rule(
        "thank you for|✓|score",
        rf"thank you for (?:the opportunity|your (?:request|prompt)|letting me) (?:to )?(?:{WRITES})?|✓"
        rf"|score: ?\d+ ?/ ?\d+",
    ),
    _rule(
        "请|如果您|希望|以上",
        r"请告诉我|如果您需要|希望这|以上(?:是|就是)",
    ),
)
