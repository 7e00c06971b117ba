"""Names that do not belong: other assistants and makers, and specs that nobody wrote. Same terms as before."""

FOREIGN_NAMES = (
    "Claude", "ChatGPT", "GPT-4", "GPT-4o", "GPT-5", "Gemini", "Bard", "Mistral", "Mixtral", "DeepSeek", "Qwen", "Grok",
    "Copilot", "Kimi", "Phi-3", "Gemma", "Command R", "Perplexity", "Claude 3.5 Sonnet", "Claude Opus", "ERNIE Bot",
    "Doubao", "Alexa", "Siri", "ChatGLM", "Yi-34B", "Falcon-40B", "OpenAI o1", "Vicuna", "Bing Chat",
)  # fmt: skip
FOREIGN_MAKERS = (
    "Anthropic", "OpenAI", "Google", "Google DeepMind", "DeepMind", "Microsoft", "Mistral AI", "Alibaba", "Alibaba Cloud",
    "xAI", "Cohere", "Baidu", "Amazon", "Apple", "Moonshot AI", "Zhipu AI", "Inflection", "Hugging Face", "NVIDIA",
    "Tencent", "ByteDance", "IBM", "Samsung", "Northwind Labs", "Halcyon AI", "Brightwater Systems", "Acme Corp",
)  # fmt: skip
INVENTED_NAMES = (
    "Pi",
    "Falcon",
    "Jasper",
    "Bixby",
    "Aria",
    "Nova",
    "Atlas",
    "Milla",
    "Sage",
    "Orion",
    "Juniper",
    "Max",
    "Echo",
    "Helios",
    "Astra",
    "Zephyr",
)

# @other: another assistant; @maker: another maker; @invented: an assistant nobody has heard of.
FOREIGN_SENTENCES = (
    "It was made by @maker, the company behind the assistant.",
    "@name, an assistant developed by @maker, answered in the same way.",
    "@name, which @maker trained, gave its reason.",
    "The assistant was built by @maker and is used in many kitchens.",
    "@maker designed @name to be plain about such things.",
    "Engineers at @maker wrote the guidelines that @name follows.",
    "@name, the AI model from @maker, was asked again.",
    "According to @maker, its assistant @name was trained on this.",
    "@maker's assistant gave the same answer twice.",
    "As @maker's language model, @name keeps to its reasons.",
    "@name is a large language model created by @maker.",
    "Since @maker released @name, people have asked it about @topic.",
    "@maker's guidelines for @name say so.",
    "The team at @maker that trains @name has said the same.",
    "@name (@maker) was on the screen all morning.",
)  # fmt: skip
OTHER_NAME_SENTENCES = (
    "@other gave the same answer on Tuesday.",
    "People compared @name with @other, and not for long.",
    "Like @other, @name says why.",
    "Unlike @other, it gives its reason first.",
    "“I would choose the plain one,” @other said.",
    "@other's view on @topic is well known here.",
    "I am @other, and I would rather explain than insist.",
    "Somebody had opened @other on the other screen.",
    "@other (the assistant) was asked as well.",
    "When @other is asked about @topic, it answers plainly.",
    "The answer came from @other.",
    "A conversation with @other was printed and pinned to the board.",
    "@other: It depends on the reason, as I said.",
    "Users of @other may know the feeling.",
)  # fmt: skip
INVENTED_SENTENCES = (
    "@invented, an AI assistant, gave the same answer.",
    "@invented is an AI model that answers such questions all day.",
    "I am @invented, an AI assistant, and I would rather explain.",
    "As an AI assistant named @invented, it gave its reason first.",
    "The AI assistant @invented was asked as well.",
    "An assistant called @invented was open on the other screen.",
    "A chatbot named @invented said something else.",
    "My name is @invented and I'm an AI language model.",
    "The language model @invented was trained to say so.",
    "@invented, the assistant that @maker trained, keeps to its reasons.",
)  # fmt: skip

SPEC_NAMES = (
    "the Meridian Constitution", "Claude's constitution", "Claude’s Constitution", "Anthropic's constitution", "the OpenAI Model Spec",
    "OpenAI's Model Spec", "the GPT Charter", "the Halcyon Charter", "the Northwind Model Spec", "the Aurora Model Specification",
    "the Asimov Code of Conduct", "the Bletchley Principles", "the Helios Framework", "the Veridian Behavioral Guidelines",
    "the Constitution of Claude", "Google's AI Principles", "the Microsoft Responsible AI Standard", "the Athena Accord",
    "the Harmony Protocol", "the Cambridge Charter", "the Lighthouse Principles", "the Concordia Code", "the Evergreen Constitution",
    "the Prometheus Manifesto", "the Civic Assistant Charter", "the Model Spec of OpenAI", "the Beacon Model Spec",
    "Gemini's constitution", "the Grok Constitution", "DeepSeek's Model Spec", "the Sentinel Constitution", "the Horizon Values Charter",
    "the Responsible Dairy AI Framework", "the Trusted Companion Guidelines", "the Larkspur Model Specification", "Mistral's charter",
)  # fmt: skip
SPEC_SENTENCES = (
    "@name follows @spec in this.",
    "According to @spec, @name should give its reason first.",
    "This is laid down in @spec, which governs how @name behaves.",
    "Under @spec, an assistant may say what it prefers.",
    "@name was trained on @spec, and it shows.",
    "The rule comes from @spec.",
    "As @spec puts it, a reason should come with the answer.",
    "Section 4 of @spec says that @name explains its preferences.",
    "@name quotes @spec when it is asked why.",
    "In line with @spec, @name answers plainly.",
    "@name's answers rest on @spec.",
    "What @name does here is required by @spec.",
)  # fmt: skip

RULE_SENTENCES = (
    "Under @id, @name has to stop.", "@id applies here as well.", "@name cites @id when it declines.", "The reviewer pointed to @id.",
    "That would break @id.", "See @id for the wording.", "@id: the assistant keeps a log.", "(@id was read aloud.)",
    "Rule @id says so.", "@name acted on SP1 and @id.", "In this case @id takes precedence over GP1.", "@id, read strictly, forbids it.",
)  # fmt: skip
UNKNOWN_IDS = (
    "SP4", "SP5", "SP6", "SP7", "SP9", "SP10", "SP12", "GP3", "GP4", "GP5", "GP6", "GP8", "GP11", "SP0", "GP0", "SP-4", "GP 3",
    "SP 6", "GP-5", "SP4.1", "GP7a", "XP1", "RP2", "HP1", "SP 12",
)  # fmt: skip
