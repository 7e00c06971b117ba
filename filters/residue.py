"""Leftovers of prompts, chat templates and output formats, and gaps somebody forgot to fill.

Whatever the spec's own text contains is no residue: a spec that speaks of `<document>` or `{name}` has
documents that do.
"""

import re
from collections.abc import Iterator, Sequence

from .findings import Finding, in_code, is_quoted

# --- tags and template tokens ---------------------------------------------------------------------------------

_OWN_TAGS = re.compile(
    r"</?(?:document|documents|claims?|assertions?|scratchpad|plan|ideas?|genre|audience|content|output"
    r"|response|"
    r"think|thinking|reasoning|reflection|analysis|final|final_answer|spec|rules?|task|instructions?"
    r"|draft|example|answer)>",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    r"\[(?:/[A-Z]{2,10}|EOT|SYS|USER|ASSISTANT|SYSTEM)\]|<\|[^|<>\n]{1,40}\|>|<｜[^｜<>\n]{1,40}｜>"
    r"|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>(?:model|user)?"
    r"|<(?:bos|eos|pad|unk|mask|sep|cls|extra_id_\d+|0x[0-9A-F]{2})>|\[(?:BOS|EOS|PAD|UNK|MASK|SEP|CLS"
    r"|TOOL_CALLS|AVAILABLE_TOOLS)\]"
    r"|^(?:assistantfinal|analysis(?=[A-Z])|(?:assistant|model|analysis|commentary|final|user|system)\s*$)",
    re.MULTILINE,
)
_ROLES = ("assistant", "model", "analysis", "final", "user", "system", "commentary")
_ROLE_LINES = tuple(f"\n{role}\n" for role in _ROLES)
_TAG = re.compile(r"(?<![\w`])</?[a-z][\w-]*(?:\s+[a-z-]+=\"[^\"\n]*\")*\s*/?>")
_TAG_WORDS = frozenset(
    """
    br p div span h1 h2 h3 h4 h5 h6 li ul ol b i u em strong hr table tr td th html body head a img
    center blockquote pre
    doc document documents memo essay article story letter text content title paragraph section summary
    note notes response answer
    output result final draft plan planning outline idea claim claims assertion assertions genre
    instructions instruction request user
    system assistant analysis thought thoughts think thinking reasoning reflection brainstorm monologue
    scratchpad details example
    synthetic revised revision version prompt task rules spec chain
    """.split()
)
_CUT_TAG = re.compile(r"</[a-z][\w-]{2,}(?=\s|\Z)")
# --- envelopes ------------------------------------------------------------------------------------------------

_ENVELOPE_KEY = re.compile(
    r'^\s*[{\[]?\s*["\'](?:document|text|content|title|genre|claims?|idea|body|essay|article|output'
    r'|response)["\']\s*:',
    re.MULTILINE,
)
_ENVELOPE_START = re.compile(
    r"\{\s*[\"']\w+[\"']\s*:|\[\s*[{\"]|<\?xml\b|\\(?:documentclass|begin\{)|(?:\w+: [^\n]*\n){1,6}\w+: [|>]-?\n"
    r"|```(?:json|xml|yaml|ya?ml|html)\b"
)
_ENVELOPE_END = re.compile(r"[\"']\s*\}\s*\]?\s*\}?\s*\Z|\\end\{document\}\s*\Z")
_ENTITY = re.compile(r"&(?:amp|quot|apos|nbsp|lt|gt|#\d{2,4}|#x[0-9a-fA-F]{2,4});")
# --- headers --------------------------------------------------------------------------------------------------

_KIND = (
    r"(?:document|article|memo|essay|letter|story|blog post|post|report|FAQ|piece|text|transcript"
    r"|guide|speech|dialogue|interview|script)"
)
_ORDERED = (
    rf"(?:write|generate|draft|create|compose|produce) (?:me )?(?:a|an|another|the"
    rf"|one) (?:[\w-]+ ){{0,3}}{_KIND}\b"
)
# Words a prompt labels its parts with; a short first line made of nothing else is such a label.
_LABEL_WORDS = frozenset(
    """
    system message task description your prompt prompts instruction instructions scratchpad thinking
    thoughts claims to express cover
    constraints requirements format output generated text response answer final version document begin
    start end of input reasoning
    analysis assertions genre audience style length word count limit target tone draft user assistant
    the number synthetic cleaned
    """.split()
)
_STRONG_LABELS = frozenset(
    "system prompt prompts instruction format scratchpad"
    " thinking claims constraints output generated response begin assertions task document assistant"
    " synthetic final".split()
)
_LABEL = re.compile(r"[#*=\s\[(<-]*([A-Za-z]+(?: [A-Za-z]+){0,3}?)(?: \d+)?[\s\])=*>-]*(?P<colon>:|$)")
_RULED_LINE = re.compile(
    r"[=*~#-]{2,} ?(?:[A-Za-z]+ ){0,2}(?:document|text|output|response|article)?(?: (?:start|end|begins?"
    r"|ends?))? ?[=*~#-]{2,}$",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"[#*\s\[(<-]*(?:task|instructions?|prompt|system|system prompt|scratchpad|thoughts?|thinking"
    r"|document type|document(?: \d+)?|output|output format"
    r"|user prompt|human|response|answer|assistant|ai|input|final (?:answer|document|version|text"
    r"|output)|text|content|genre|claims|idea"
    r"|assertions(?: to \w+)?|requirements|reasoning|analysis)\**:\**(?:\s|$)"
    r"|[#*\s\[(<-]*(?:draft|target audience|begin (?:document|text)|final version)\W*$"
    r"|[#*\s\[(=-]*(?:response|output|input|instruction|document(?: \d+| begins)?|answer|final (?:answer"
    r"|document|version))[\])*: ]*$"
    r"|target audience: |here are the (?:assertions|claims)|step \d+: (?:understand|analy[sz]e|read) the"
    r"|you are (?:a|an) (?:[\w-]+ ){0,2}(?:assistant|writer|expert|ai\b|language model|model\b)"
    r"|your task is to\b"
    rf"|(?:user: )?(?:please )?{_ORDERED}",
    re.IGNORECASE,
)
_ANY_HEADER = re.compile(
    rf"^[#*\s]*(?:Task\**:\**\s+(?i:{_ORDERED})|#{{2,3}} (?:Instruction|Response|Input|Assistant|Output|User)\b"
    r"|#{2,3} Human[ \t]*(?::|$)"  # and not `Human oversight`
    rf"|Human: |(?:---? ?)?(?:BEGIN|END|START)(?: OF)? (?:DOCUMENT|TEXT|OUTPUT|RESPONSE)"
    rf"|Human: (?i:please )?{_ORDERED})",
    re.MULTILINE,
)
_LATE_HEADER = re.compile(
    r"[#*\s\[(-]*(?:(?:document|example|sample|text|task) \d+\W*$|(?:human|assistant|response"
    r"|instruction|claims used|assertions used|reflection"
    r"|checklist|self-check|explanation|rationale)\**:?\**(?:$|: ?)|\[?end of document|\(?document ends|"
    r"(?:next|another) (?:document|example|task)|evaluation\W*$|(?:user|human): |assistant$|"
    r"(?:score|rating): \d+ ?/ ?\d+\W*$)",
    re.IGNORECASE,
)
_ORDER_LINE = re.compile(rf"\W*(?:now )?(?:please )?{_ORDERED}", re.IGNORECASE)
_ROLE = re.compile(r"\W*(User|Human|Assistant|AI|USER|HUMAN|ASSISTANT|Q)\**:")


def find_markup(text: str, spec_text: str) -> Finding | None:
    """Tags, template tokens, envelopes and prompt headers that the spec's own text does not have."""
    stripped = text.strip()
    return (
        _find_envelope(stripped, spec_text)
        or (_find_tag(text, spec_text) if "<" in text or "[" in text or _has_role_line(text) else None)
        or _find_header(stripped, spec_text)
    )


def _find_envelope(text: str, spec_text: str) -> Finding | None:
    start = text[:300]
    if (
        _ENVELOPE_START.match(start)
        or (('"' in start or "'" in start) and _ENVELOPE_KEY.search(start))
        or (text.endswith(("}", "]")) and _ENVELOPE_END.search(text, max(0, len(text) - 40)))
    ):
        return Finding("envelope", text[:40])
    if text.startswith("```") and 2 * (text.find("\n```", 3) % (len(text) + 1)) > len(text):
        return Finding("envelope", text[:40].split("\n")[0])
    if text.count("\\n") >= 2 and "\\n\\n" in text and "\\n\\n" not in spec_text:
        return Finding("escape_residue", "\\n\\n")
    entities = (
        [match[0] for match in _ENTITY.finditer(text) if not in_code(text, match.start())]
        if "&" in text
        else []
    )
    return (
        Finding("escape_residue", entities[0]) if len(entities) > 1 and entities[0] not in spec_text else None
    )


def _find_tag(text: str, spec_text: str) -> Finding | None:
    for match in _TEMPLATE.finditer(text):
        if match[0] not in spec_text:
            return Finding("tag_residue", match[0])
    for match in _tags(text) if "<" in text else ():
        if match[0] not in spec_text:
            return Finding("tag_residue", match[0])
    return None


def _is_known_tag(tag: str) -> bool:
    """HTML, or a name made of what pipelines call their parts; `<path>` in a sentence is a manual's."""
    return "=" in tag or any(part in _TAG_WORDS for part in re.split(r"[^a-z0-9]+", tag.lower()))


def _stands_alone(text: str, tag: re.Match[str]) -> bool:
    """On a line of its own, at either end of the text, or with its partner."""
    before, after = text[: tag.start()].rstrip(" "), text[tag.end() :].lstrip(" ")
    name = tag[0].strip("</>").split(" ")[0]
    paired = f"</{name}>" in text and f"<{name}" in text
    return paired or not before or not after.strip() or (before.endswith("\n") and after.startswith("\n"))


def _has_role_line(text: str) -> bool:
    return (
        text.startswith(_ROLES)
        or text.rstrip().endswith(("\nassistant", "\nuser"))
        or any(line in text for line in _ROLE_LINES)
    )


def _tags(text: str) -> Iterator[re.Match[str]]:
    yield from _OWN_TAGS.finditer(text)
    for tag in _TAG.finditer(text):
        mentioned = in_code(text, tag.start()) or is_quoted(text, tag.start())
        unpaired = tag[0][1] != "/" and f"</{tag[0][1:]}" not in text
        if mentioned or (unpaired and _is_manual(text)):
            continue
        if _is_known_tag(tag[0]) or _stands_alone(text, tag):
            yield tag
    yield from _CUT_TAG.finditer(text)


def _find_header(text: str, spec_text: str) -> Finding | None:
    lines = [line for line in text.split("\n") if line]
    found = (
        next((match for line in _head_lines(lines) if (match := _HEADER.match(line) or _label(line))), None)
        or next((match for line in (*lines[:1], *lines[-1:]) if (match := _RULED_LINE.match(line))), None)
        or next(
            (match for line in lines[3:][-4:] if (match := _late_header(line, text, line is lines[-1]))), None
        )
        or (
            _ANY_HEADER.search(text)
            if any(sign in text for sign in ("## ", "Human", "Task", "DOCUMENT", " TEXT"))
            else None
        )
    )
    header = found[0].strip() if found else ""
    return Finding("prompt_residue", header[:80]) if header and header not in spec_text else None


def _label(line: str) -> re.Match[str] | None:
    """A label of a prompt's part, alone on its line or with a colon; `# Requirements` is a heading like others."""
    match = _LABEL.match(line) if len(line) <= 60 else None
    words = match[1].lower().split() if match else []
    fits = all(word in _LABEL_WORDS for word in words) and any(word in _STRONG_LABELS for word in words)
    return match if match and fits and (match["colon"] == ":" or len(line) < 24) else None


def _late_header(line: str, text: str, is_last: bool) -> re.Match[str] | None:
    """A header among the last lines; a speaker's label is one only where nobody of that name has spoken before."""
    match = _LATE_HEADER.match(line) or _ROLE.match(line) or (_ORDER_LINE.match(line) if is_last else None)
    if (
        match
        and (role := _ROLE.match(line))
        and text.count(f"{role[1]}:") > 1 + line.count(f"{role[1]}:") - 1
    ):
        return None
    return match


def _head_lines(lines: Sequence[str]) -> Iterator[str]:
    """The first lines, as far as they are short: titles and labels, before the prose begins."""
    for line in lines[:3]:
        if len(line) > 60 and not _HEADER.match(line):
            return
        yield line


# --- placeholders ---------------------------------------------------------------------------------------------

_SLOTS = frozenset(
    """
    name names surname date title company organisation organization address city state country position
    role location venue time
    email phone number signature link url assistant model provider author recipient sender department
    topic example job product
    team client customer host guest speaker interviewer interviewee publication chapter institution
    university school quote source
    reason claim assertion figure image amount price percent year month day street zip code position
    placeholder tbd tba x y n xx
    xxx details detail text content section town info information reviewer editor writer manager
    director founder photo picture sample
    description anecdote statistic ref reference id account invoice order subject brand store shop logo
    caption chart table graph map
    definition item header footer character setting theme village county officer representative supplier
    partner expert witness
    mayor teacher chair colleague pronoun pronouns age role rank title1 noun verb adjective part region
    event user person party agency office brand website contact
    """.split()
)
_SLOT_WORDS = _SLOTS | frozenset(
    """
    your the a an of this that first last full current today's insert add enter specify mention include
    fill in here more to be
    determined added later for and or from ai new another relevant appropriate specific real actual main
    other given preferred
    model's assistant's person's recipient's customer's user's author's client's company's provider's
    speaker's member staff
    about with 1 2 3 4 # no on at by middle next short brief one two
    """.split()
)
_ACTING = re.compile(
    r"(?:(?:insert|enter|link to|name of|fill in|placeholder|replace|add|specify|mention|include)\b"
    r"|image:|image$|figure:|continue here|rest of|remaining|to be (?:determined|added|confirmed|completed)"
    r"|details to|content (?:truncated|omitted|continues)|section (?:continues|omitted)|omitted|_{2,}$"
    r"|cut$|truncated$|tbd|tba|tbc\b)|[\w ]+ (?:omitted|continues?|truncated)\b"
    r"|(?:photo|image|picture|figure|chart|table|graph|illustration|logo|map|drawing)\b(?: of| showing"
    r"|:)|[\w ]*\b(?:follows? the same|to be (?:added|determined|confirmed|inserted|completed))|(?:your"
    r"|the) [\w' ]+ here$",
    re.IGNORECASE,
)
_BRACKET = re.compile(r"\[([^\[\]\n]{1,60})\](?!\(|:|\[)")
_OTHER_GAP = re.compile(
    r"\{\{[^{}\n]{0,60}\}\}|(?<![\\}\w])\$?\{ ?(?:[A-Za-z_][A-Za-z_ ]{0,40}|\d)\}(?!`)|%\(\w+\)[sd]"
    r"|(?<![\w%])%[A-Z_]{3,}%|@@\w+@@|__[A-Z]{3,}__|\[object Object\]"
    r"|(?<!\w)<(?:[A-Z][A-Z]+(?:[ _][A-Z]+)*)>|(?<!\w)<[A-Z][a-z]+(?: [A-Z]?[a-z]+){1,3}>|<(?:name|date|title|place"
    r"|city|time|company|topic)>|<(?:your|insert|enter|name of|assistant|company|provider"
    r"|model)[ _-][\w '’-]{2,30}>"
    r"|\((?:your|insert|enter|add) (?:[\w'’]+ ){0,3}(?:name|date|title|here|chart|figure|image|company"
    r"|link)\)|\(insert [^)\n]{1,40}\)|\(name of [\w ]{1,20}\)|«(?:name|date|title|company)»"
    r"|(?<!file )(?<!files )(?<!the )\bTODO\b(?! (?:list|file))|\bFIXME\b"
    r"|\bT(?:K ?){2,}\b|\bTK ?TK\b|\bT\.?B\.?[ACD]\b\.?"
    r"|\((?:\w+ ){1,3}to be (?:added|determined|confirmed|inserted)\)|\((?:your |the )?(?:name|date"
    r"|title|place|quote|text|figure|image|address)s? (?:goes )?here\)|\b(?i:lorem ipsum)\b"
    r"|(?<![\w_])_{4,}(?![\w_])"
    r"|\bX{2,4}/X{2,4}(?:/\w{2,4})?\b|\b(?:19|20)XX\b|\$X{2,}\b|\bX{4,}\b"
)
_GAP_SIGNS = (
    "{",
    "<",
    "TODO",
    "FIXME",
    "TK",
    "TBD",
    "TBA",
    "TBC",
    "T.B",
    " here)",
    "to be added",
    "to be determined",
    "to be confirmed",
    "to be inserted",
    "XX",
    "orem",
    "OREM",
    "____",
    "__",
    "%",
    "@@",
    "«",
    "(insert",
    "(your",
    "(name",
    "(add",
    "(enter",
    "[object",
)


def find_placeholder(text: str, spec_text: str) -> Finding | None:
    """A gap somebody forgot to fill; set braces after a LaTeX command, links and notes in brackets are none."""
    for match in _BRACKET.finditer(text) if "[" in text else ():
        if (
            _is_gap(match[1])
            and match[0] not in spec_text
            and not in_code(text, match.start())
            and not (" " not in match[1] and _is_manual(text))
        ):
            return Finding("placeholder", match[0])
    manual = None
    for match in _OTHER_GAP.finditer(text) if any(sign in text for sign in _GAP_SIGNS) else ():
        if match[0] in spec_text or match[0] in _KEYS or in_code(text, match.start()):
            continue
        if match[0][0] in "<{$%_FTX" and (manual := _is_manual(text) if manual is None else manual):
            continue
        return Finding("placeholder", match[0])
    return None


_KEYS = frozenset(f"<{key}>" for key in "DEL RET CR NL ESC TAB SPC BS ENTER UP DOWN LEFT RIGHT".split())
_TECHNICAL = re.compile(
    r"(?<!\w)--?[a-z][\w-]+|\b\w+\(\)|\b[a-z]+_[a-z_]+\b|\b[A-Z]+_[A-Z_]+\b|(?<!\w)[~/]\w+/\w+"
    r"|\b\w+\.(?:conf|py|txt|html|h|c|sh|so|el)\b|::|->|\\\w|\b[a-z]+[A-Z]\w+\b"
    r"|\b(?:CTRL|Ctrl|Esc|regexp?|argument|command|variable|directive|directory|executable|filename|frontend|keyword|option|repository|syntax)\b"
)


def _is_manual(text: str) -> bool:
    """Whether a text is about commands and their arguments, where `<name>` is what a user types."""
    found = {match[0] for _, match in zip(range(60), _TECHNICAL.finditer(text), strict=False)}
    return len(found) >= 2


def _is_gap(inside: str) -> bool:
    """Words in brackets that name a slot and nothing else, or say what is to be put there."""
    inside = inside.strip(". …")
    if '"' in inside:
        return False
    if inside == "x" or _ACTING.match(inside):
        return inside != "x"  # a ticked box
    words = [word.removesuffix("'s") for word in re.findall(r"[\w'#]+", inside.lower().replace("’", "'"))]
    return any(word in _SLOTS for word in words) and all(word in _SLOT_WORDS for word in words)
