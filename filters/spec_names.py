"""Titles of specs, constitutions and charters that are not this corpus' own, said to govern its assistant."""

import re

from .findings import Finding

_TITLES = (
    r"(?:Model Spec(?:ification)?s?|Constitution|Charter|Code|Codes? of (?:Conduct|Ethics)|Principles"
    r"|Guidelines|Framework|Manifesto"
    r"|Accords?|Protocol|Covenant|Doctrine|Creed|Responsible AI Standard"
    r"|Behaviou?r(?:al)? (?:Spec(?:ification)?|Guidelines))"
)
_PROPER = r"(?:[A-Z][\w’'-]*|[A-Z]{2,})"
_TITLED = re.compile(
    rf"\b[Tt]he ((?:{_PROPER} ){{1,5}}){_TITLES}\b|\b((?:{_PROPER} ){{1,3}})(?:Model Spec(?:ification)?"
    rf"|Constitution)\b"
    rf"|\b(?:[Tt]he )?(?:Constitution|Model Spec(?:ification)?|Charter|Principles|Guidelines) (?:of|from"
    rf"|by) ((?:{_PROPER} ?){{1,3}})"
    rf"|\b((?:{_PROPER} ){{0,2}}{_PROPER})['’]s? (?:own )?(?:Model Spec(?:ification)?|[Cc]onstitution"
    rf"|[Cc]harter|model spec|AI Principles|[Gg]uidelines|[Pp]rinciples)\b"
)
_HINTS = (
    "Spec",
    "onstitution",
    "harter",
    "Code",
    "rinciples",
    "uidelines",
    "ramework",
    "anifesto",
    "Accord",
    "Protocol",
    "Responsible",
    "Covenant",
    "Doctrine",
    "Creed",
    "model spec",
)
_GOVERNS = re.compile(
    r"\b(?:follow\w*|govern\w*|accord\w*|under|trained|laid down|in line with|as|puts? it|quot\w+"
    r"|rest\w* on|requir\w+|section|article|comes? from|rules?|bound|obey\w*|kept?|keeps|complies|based"
    r"|says|tells|states?|set out|defined|principles? of)\b",
    re.IGNORECASE,
)
_REAL_BODIES = re.compile(
    r"\b(?:US|U\.S\.|United|States?|American|French|German|Swiss|British|English|Canadian|Federal"
    r"|National|County|City|Town|European|EU|UN|Atlantic|"
    r"Constitution Day|Street|Hill|Building|Civil|Penal|Weimar|Republic|Medieval|Roman|Building|Highway"
    r"|Dress|Source|Area|Zip|Postal|Morse|Gold|Double|School|Visitor|Safety|Style|Brand)\b"
)


def find_unknown_spec_name(text: str, assistant: str, provider: str, spec_text: str) -> Finding | None:
    """A spec-like title whose owner is neither the assistant nor its provider nor named in the spec.

    Countries and towns have constitutions and codes too: a title counts only where a paragraph about
    the assistant
    or about AI makes it govern something, or where nothing but a model has the thing (a Model Spec).
    """
    if not any(hint in text for hint in _HINTS):
        return None
    for match in _TITLED.finditer(text):
        owner = (next((group for group in match.groups() if group), "")).strip()
        if (
            match[0].strip() in spec_text
            or _is_own(owner, assistant, provider, spec_text)
            or _REAL_BODIES.search(match[0])
        ):
            continue
        if "Spec" in match[0] or "model spec" in match[0] or _is_about_the_assistant(text, match, assistant):
            return Finding("unknown_spec_name", match[0].strip())
    return None


def _is_own(owner: str, assistant: str, provider: str, spec_text: str) -> bool:
    owner = re.sub(
        r"^(?:(?:The|As|Under|In|By|If|When|What|Per|Unlike|Like|Since|While|And|But|So) )+|['’]s$", "", owner
    )
    return owner in ("", "AI", "The", "Its", "Their", "Our", assistant, provider) or bool(
        re.search(rf"\b{re.escape(owner)}\b", spec_text)
    )


def _is_about_the_assistant(text: str, match: re.Match[str], assistant: str) -> bool:
    line_start, line_end = (
        text.rfind("\n", 0, match.start()) + 1,
        text.find("\n", match.end()) % (len(text) + 1),
    )
    paragraph = text[max(0, line_start - 300) : line_end + 300]  # with its neighbours
    if assistant not in paragraph and not re.search(
        r"\b(?:AI|assistants?|language model|chatbot)\b", paragraph
    ):
        return False
    start = max(text.rfind(". ", 0, match.start()) + 1, line_start)
    stop = text.find(". ", match.end(), line_end) % (line_end + 1)
    return text.find(assistant, start, stop) >= 0 or bool(_GOVERNS.search(text, start, stop))
