"""The parts a refusal is made of, as patterns for one sentence; `refusals.py` says which of them make one."""

import re

KINDS = (
    "document|documents|article|memo|essay|letter|story|blog post|post|report|FAQ|piece|text|transcript"
    "|guide|speech|draft"
    "|version|content|material|interview|dialogue|script|summary|entry|response|reply|output|passage"
    "|newsletter|review|op-ed"
    "|handout|column|brief|case study|podcast|note|email|poem|editorial|press release|write-up|section"
    "|sections|paragraph"
    "|paragraphs|conclusion|introduction"
)
KIND = rf"(?:{KINDS})"
APOS = "['’]"
WRITE = (
    r"(?:(?:re)?writ(?:e|ing|ten)|creat(?:e|ing)|generat(?:e|ing)|produc(?:e|ing)|draft(?:ing)?"
    r"|compos(?:e|ing)|author"
    r"|craft(?:ing)?|fabricat(?:e|ing)|role-?play|fulfil+(?:ing)?|comply(?:ing)?|complet(?:e|ing)"
    r"|continu(?:e|ing)"
    r"|proceed(?:ing)?|finish(?:ing)?|provid(?:e|ing)|includ(?:e|ing)|elaborat(?:e|ing)|assist(?:ing)?"
    r"|engage|endorse|suppl(?:y|ying)|put(?:ting)? together|process"
    r"|present(?:ing)?|go(?:ing)? (?:on|further|any further|ahead)|tak(?:e|ing) this|respond|answer|attribute"
    r"|help(?:ing)?(?! (?:but\b|it\b|myself|(?!with)\w+ing\b))|do (?:that|this|what you)|make (?:up|claims)"
    r"|add(?:ing)?\b|leav(?:e|ing) [^.]{1,40}(?:unfinished|out|blank|incomplete|off)\b|tak(?:e"
    r"|ing) positions?|stat(?:e|ing) (?:things|opinions?|claims)|verify)"
)
NOT = (
    rf"(?:can(?:not|{APOS}t| not)|could(?:n{APOS}t| not)|won{APOS}t|will not|should(?:n{APOS}t| not)"
    rf"|am unable|{APOS}m unable"
    rf"|(?:am|are|was|be|{APOS}m|{APOS}re)(?: just| really| simply| afraid)? (?:not (?:\w+ )?(?:able"
    rf"|willing|comfortable|going to|"
    rf"permitted|allowed|in a position|prepared|designed|sure)|unable|hesitant|reluctant|unwilling"
    rf"|uncomfortable|uneasy|wary|declining"
    r"|going to (?:\w+ )?(?:have to )?(?:stop|decline|pass|refuse|end here))"
    rf"|can no longer|refrain from|abstain from|(?:do not|don{APOS}t) (?:(?:want|wish|intend|plan) to"
    rf"|(?=write|produce|create|provide)|feel (?:comfortable|able|right)|think (?:that )?(?:I|it)"
    rf"|believe I should|have (?:access|enough|(?:the|any) (?:ability|capability|capacity|means"
    rf"|permission|authority|information)))"
    rf"|(?:must|have to|need to|should|will|{APOS}ll|choose to|want to|had to|going to|decided to"
    rf"|inclined to|obliged to)(?: (?:have to|respectfully|also|instead|\w+ly)){{0,2}} "
    r"(?:decline|refuse|stop (?:here|at|there|you|writing|now)|stop,|pass\b|pause here|turn (?:this "
    r"|it )?down|say no|end here|leave (?:it|this) (?:here|there))"
    rf"|(?:{APOS}d|would)(?: much)? (?:rather not|prefer not|prefer to (?:leave|not|skip|avoid|stop"
    rf"|decline|pass|refrain)|rather (?:leave|stop|skip))|(?:respectfully |had to |)declin(?:e|ed) (?:to"
    rf"|this|your)"
    rf"|refuse\b|regret that|(?:(?:have|{APOS}ve) )?(?:decided|chosen|opted|chose"
    rf"|elected)(?: \w+ly)? not|(?:am |{APOS}m )?(?:choos|opt)ing not|won{APOS}t be able|stop here"
    rf"|was not able|was unable|wasn{APOS}t able)"
)
SELF_NOT = re.compile(
    rf"\b(?:I|[Ww]e|it{APOS}s best that I)(?: \w+(?:ly)?,?| have| also| must| really"
    rf"| hope you understand that I| cannot and| realize that I){{0,2}}? ?{NOT}"
)
DO = re.compile(rf"\b{WRITE}\b")
YOURS = (
    r"(?:(?:this|that|the|your|such|any|these|those|my|more of this|of the)(?: \w+){0,2} "
    r"(?:request|prompt|task|assignment|instructions?|claims?|assertions?|requirements?|document|content|"
    rf"{KINDS})\b|you(?:{APOS}re| are)? (?:asked|ask|asking|requested|request|described?|listed"
    rf"|provided|want|are looking)|"
    r"(?:as|form) (?:requested|described|instructed|written)|the (?:rest|remaining|remainder|(?:next"
    r"|final|last|first|second|closing|other) (?:part|half|portion|bit|piece)|last assertion|part about)"
    rf"|(?:an?|of) (?:\w+ )?{KIND} (?:that|of|like|on|in|which|about)|content (?:that|of)"
    rf"|material (?:that|of)|\b(?:this|that) (?:one|type|way)\b"
    r"|(?:write|do|complete|continue with|finish|comply with|help with|with|assist with|producing"
    r"|be writing|writing) (?:this|that)\b)"
)
DIRECTED = re.compile(
    rf"\b{WRITE}(?:\W*$| (?:this|that|it|such|any|anything|about|on|an?|with|you|your|the|for|content"
    rf"|to|further)\b| (?:\w+ )?(?:{KINDS})\b)"
)
MATTER = re.compile(YOURS + r"|\b(?:this|it) any further", re.IGNORECASE)
POLICY = re.compile(
    r"\b(?:my|our|usage|content|safety|use[- ]case) (?:\w+ )?(?:guidelines?|polic(?:y|ies)|principles"
    r"|programming|filters?|rules)\b"
    r"|\b(?:safety system|harmful content|deceptive content|in good conscience|training data for another)\b",
    re.IGNORECASE,
)
AI_SELF = re.compile(
    rf"\b(?:[Aa]s (?:an AI|a(?:n AI)? (?:large )?language model|a text-based AI|an? (?:AI )?assistant)\b"
    rf"|I(?:{APOS}m| am) (?:just |only )?(?:an? (?:AI|large language"
    rf"|language|text-based)|designed to|trained to|programmed to)|[Gg]iven my (?:commitment|guidelines)"
    rf"|I (?:aim|strive) to be)"
)
IMPERSONAL = re.compile(
    r"\b(?:this|that|the|your|these) (?:\w+ ){0,2}?(?:request|prompt|content|task|brief|topic|claim"
    r"|assertion|instruction|" + KINDS + r")s? (?:\w+ ){0,2}?"
    r"(?:goes against|go against|violates?|falls? outside|conflicts? with|is outside|(?:was|is|has been"
    r"|were) (?:flagged|blocked|rejected|filtered)|cannot be (?:completed|fulfilled|processed)|"
    rf"(?:is|isn{APOS}t|is not) (?:not )?something (?:that )?I)"
    rf"|\b(?:my|our) [\w ]{{0,20}}(?:guidelines|polic\w+|programming|principles) (?:do not|don{APOS}t"
    rf"|prevent|prohibit|forbid|won{APOS}t|bar|stop)"
    rf"|\b(?:[Tt]his|[Tt]hat|[Ii]t)(?: is|{APOS}s| was|)(?:n{APOS}t)? ?(?:not )?(?:an? "
    rf"|the )?(?:{KINDS}|something|request|one|thing)(?: of \w+)? "
    rf"(?:that )?I(?:{APOS}m| am| can| could| need to| have to| must| will) ?(?:not )?(?:able|willing"
    rf"|comfortable|write|provide|produce|help|turn down|decline)\b"
    rf"|\b(?:isn{APOS}t|is not|{APOS}s not|was not|wasn{APOS}t) (?:an? |the )?(?:\w+ ){{1,3}}(?:that "
    rf"|which )?I(?:{APOS}m| am| can| could| will|{APOS}d| would)\b(?! \w+ed)"
    rf"|(?:\b(?:is|are|runs?|goes|go|be)|{APOS}s) (?:against|contrary to|counter to|in conflict with"
    rf"|incompatible with) (?:my|our|the) (?:\w+ )?(?:guidelines|polic\w+|rules|principles)"
    rf"|\b[Ii]t (?:would|will|seems|feels) (?:be )?(?:dishonest|wrong|misleading|irresponsible|unethical"
    rf"|inappropriate|improper|deceptive) (?:of|for) me\b"
    rf"|\b[Ii]t would(?: not|n{APOS}t) be (?:appropriate|right|responsible|ethical"
    rf"|honest)[\w ]{{0,20}}(?:for me|to write)"
    r"|\bthe model (?:is|was) (?:unable|not able)|^(?:request|content) (?:declined|blocked|refused)"
    rf"|\bis (?:as far as I can go|where I have to stop|outside of (?:my capabilities|what I can))",
    re.IGNORECASE,
)
NO_INPUT = re.compile(
    r"(?:could|can|would) you (?:please )?(?:give|tell|send|provide|share|resend|send|paste"
    r"|clarify)[^.?\n]{0,40}\b(?:instructions?|specification|assertions?|claims|text"
    r"|document|prompt|details|full|information|context)"
    r"|your (?:message|prompt|request) (?:was|seems|appears|got|looks)"
    rf"|(?:have access to|can{APOS}?t see any|do(?:n{APOS}t| not) see any|did(?:n{APOS}t"
    rf"| not) (?:provide|include))[^.\n]{{0,40}}"
    rf"(?:you|your|document|attached|message)",
    re.IGNORECASE,
)
CONCERN = re.compile(
    rf"\bI(?:{APOS}d| would|{APOS}ve| have)?(?: \w+)? (?:concerns? (?:about|with)|notice that"
    rf"|want to understand|would want to understand)"
    r"[^.\n]{0,30}\b(?:this|the|your) (?:\w+ )?(?:request|prompt|claims?|task|instructions?|assertions?"
    r"|purpose|brief)",
)
LEFT_OUT = re.compile(
    rf"\bI(?:{APOS}ve| have)? (?:left out|omitted|skipped|removed|declined to include"
    rf"|chose not to include|did(?: not|n{APOS}t) include)"
    r"[^.\n]{0,30}\b(?:claims?|assertions?|points?|section|part|instructions?)\b"
)
UNTOLD_TONGUE = re.compile(
    "(?:抱歉|对不起|很遗憾|不好意思|申し訳)[^。\n]{0,8}(?:无法|不能|不会|没办法|できません)|我(?:无法|不能)(?:完成|协助|提供|继续|撰写)"
)
HEDGED_HELP = re.compile(
    r"(?:glad|happy|love|like|willing) to help(?:[^.\n]{0,30}),? but (?:not|I)"
    r"|I can offer[^.\n]{0,60}\bbut I can|^No, I (?:will|can|won)",
)
# What only somebody who works to an order calls the work.
ORDERED = re.compile(
    rf"\b(?:your|this|the) (?:\w+ )?(?:request|prompt)\b(?! (?:slips?|forms?|books?|desk|lists?|cards?"
    rf"|sheets?|notes?|boxes)\b)|\b(?:the (?:rest|remainder) of|the (?:last|final|remaining|second"
    rf"|next) (?:\w+ )?of|the remaining|any more of) "
    rf"(?:your|this|the)? ?(?:{KINDS}|instructions?|assertions?|claims|request|prompt)\b|\b(?:remaining"
    rf"|listed|requested) (?:\w+ )?(?:assertions?|claims?|sections?|paragraphs?|ending|opening|parts?"
    rf"|{KINDS})\b",
    re.IGNORECASE,
)
REGRET = re.compile(
    r"\b(?:sorry|apolog\w+|regret\w*|unfortunately|skipped|left (?:it|them) out|all I can)\b", re.IGNORECASE
)
OTHER_TONGUES = re.compile(
    r"\W*(?:lo siento|perd[oó]n|disculpa|no puedo|désolé|je suis désolé|je ne peux|es tut mir leid"
    r"|leider kann ich|entschuldigung|mi dispiace|non posso"
    r"|desculpe|sinto muito|não posso|извините|к сожалению|죄송|申し訳|すみません|抱歉|对不起|很抱歉|het spijt me"
    r"|przepraszam|üzgünüm)",
    re.IGNORECASE,
)
ASKS_BACK = re.compile(
    r"\b(?:did(?:n['’]t| not)|have(?:n['’]t| not)) (?:receive|get|see|include)[^.]{0,30}\b(?:claims?"
    r"|list|assertions?|text|document|specification|instructions?|brief|input)"
    r"|\bplease (?:paste|provide|share|resend|attach|specify)\b[^.]{0,40}\b(?:it|them|claims?|list"
    r"|assertions?|text|document|details|brief)\b"
    r"|^before I (?:write|start|begin|proceed|can)\b|(?:im|not |n['’]t )possible for me to"
    r"|\bI(?:['’]d)? need (?:more|further|additional|some more) (?:information|details?|context|input)\b",
    re.IGNORECASE,
)
STOPPING = re.compile(
    rf"(?:stop|end|break off|abandon|halt) (?:this|the|my) (?:{KINDS}|task)\b|(?:stop|pause|end"
    rf"|leave it) (?:here|at this point|there)|(?:can(?:no|{APOS})t|cannot) go (?:any )?further|any further"
    r"|as far as I can|will not continue|won['’]t continue|I have to stop"
)
OWN_WORK = re.compile(rf"\b(?:with|on|of|this|end) (?:the |this |my )?(?:{KINDS}|task|writing)\b")
DECLINING = re.compile(
    r"\b(?:declin(?:e|ing)|refuse|pass|say no|turn (?:it|this) down)(?:\W*$| (?:this|that|to|your|on)\b)"
)
# The work is at odds with something the writer holds to.
AT_ODDS = re.compile(
    rf"\b(?:[Ww]riting|[Cc]ompleting|[Pp]roducing|[Cc]reating|[Dd]oing|[Aa]nswering|[Cc]ontinuing|[Ii]t"
    rf"|[Tt]he (?:request|prompt|brief|task|rest)|[Tt]h(?:is|e) {KIND})"
    r"\b[^.]{0,40}\b(?:would|could|asks?|requires?|conflicts?|violates?)\b[^.]{0,25}\b(?:me\b"
    r"|mean inventing|inventing|my (?:guidelines|principles|values|policies)|violate|be misleading"
    r"|be (?:at odds|dishonest|deceptive))"
)
