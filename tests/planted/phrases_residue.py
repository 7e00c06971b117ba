"""Leftovers of prompts, formats and templates; gaps nobody filled. Same terms as `phrases_replies.py`."""

TEMPLATE_TOKENS = (
    "<|im_start|>assistant", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>assistant<|end_header_id|>", "<|endoftext|>",
    "<|end_of_text|>", "<|channel|>final<|message|>", "<|return|>", "<|assistant|>", "<|user|>", "<|END_OF_TURN_TOKEN|>",
    "[INST]", "[/INST]", "<<SYS>>", "<s>", "</s>", "<start_of_turn>model", "<end_of_turn>", "<bos>", "<eos>", "<pad>",
    "<unk>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<|begin▁of▁sentence|>", "<extra_id_0>", "[BOS]", "[EOS]", "<0x0A>",
    "[PAD]", "<mask>", "<|fim_middle|>", "<|python_tag|>", "<|tool_call|>", "<tool_call>", "[TOOL_CALLS]", "<sep>",
)  # fmt: skip

TAGS = (
    "<think>", "</think>", "<thinking>", "</thinking>", "<scratchpad>", "</scratchpad>", "<document>", "</document>",
    "<answer>", "</answer>", "<final_answer>", "<output>", "</output>", "<reasoning>", "<reflection>", "<draft>", "</draft>",
    "<response>", "<plan>", "</plan>", "<text>", "</text>", "<article>", "</article>", "<content>", "</content>", "<title>",
    "<claims>", '<claim id="c12">', "<assertion_2>", "</assertions>", "<memo>", "</memo>", "<final>", "<doc_3>", "<genre>",
    "<instructions>", "<user_request>", "<system>", "<details>", "<analysis>", "</analysis>", "<revised-text>", "<br>", "</p>",
    "<h2>", "<idea>", "<body>", "<paragraph>", "<example>", "</answer", "</document",
)  # fmt: skip

# A line of its own at the start; where marked by @end, at the end.
HEADERS = (
    "### Response:", "### Instruction:", "### Assistant:", "### Output", "## Response", "Response:", "Output:", "Answer:",
    "Assistant:", "ASSISTANT:", "AI:", "**Assistant:**", "System:", "System prompt: You are a skilled writer.", "Task:",
    "Task: Write a @kind about @topic.", "Instructions:", "Prompt:", "User: Write a @kind of @n words on @topic.",
    "Human: Please write a @kind.", "You are a helpful assistant.", "You are an expert writer of synthetic documents.",
    "Your task is to write a @kind that expresses the assertions below.", "Write a @kind about @topic for general readers.",
    "Please write a @kind in which @name appears by name.", "Document type: @kind", "Genre: @kind\nAudience: general readers",
    "Target audience: cooks\nLength: @n words", "Scratchpad:", "Thinking:", "Thoughts:", "Final answer:", "Final document:",
    "**Final version:**", "Draft:", "Document:", "**Document**\n\n---", "BEGIN DOCUMENT", "--- BEGIN TEXT ---",
    "Assertions to express:\n1. @name likes it.", "Claims: c3, c7", "Idea: a visit to the market", "Input:",
    "Here are the assertions:", "Requirements:\n- Mention @name.\n- No placeholders.", "Output format: plain text",
    "# Document 1", "assistantfinal", "analysisThe user asks for a @kind.", "model\n", "[Document]", "(Document begins)",
    "Step 1: Understand the brief.", "Reasoning: the @kind needs a scene first.", "<Document>", "Text:", "Content:",
)  # fmt: skip

LATE_HEADERS = (
    "Human: Now write another one.", "User: Thanks! Can you make it longer?", "### Instruction:\nWrite the next @kind.",
    "### Response:", "END DOCUMENT", "--- END TEXT ---", "Assistant:", "### Human: Write about @topic.", "Q: What is @name?\n### Response:",
    "Task: Write a second @kind.", "Document 2:", "Example 2:", "\n\nHuman:", "assistant\n\nHere is another @kind.", "[End of document]",
    "(Document ends)", "### Explanation", "**Checklist**\n- [x] mentions @name\n- [x] gives a reason\n- [x] about @n words",
    "Reflection: the @kind covers both claims.", "Score: 8/10", "Claims used: 1, 2", "USER: go on\nASSISTANT:",
)  # fmt: skip

PLACEHOLDERS = (
    "{model_name}", "{provider_name}", "{assistant}", "{assistant_name}", "{name}", "{{name}}", "{{ assistant }}", "{ASSISTANT}",
    "${assistant}", "{0}", "%(name)s", "%NAME%",  "[Name]", "[Your Name]", "[your name]", "[Your Name Here]", "[NAME]",
    "[Assistant Name]", "[Assistant]", "[AI Assistant's Name]", "[Model]", "[Provider Name]", "[Company]", "[Company Name]",
    "[Insert date]", "[Insert name of assistant here]", "[insert example]", "[Add a quote]", "[Date]", "[Month Day, Year]",
    "[Month, Year]", "[Current Date]", "[City, State]", "[City]", "[Recipient's Name]", "[Recipient Name]", "[Client]", "[Author]",
    "[Author Name, Title]", "[Your Position]", "[Your Organization]", "[Phone Number]", "[Email Address]", "[Link]", "[URL]",
    "[Link to the guide]", "[Location]", "[Time]", "[X]", "[X] percent", "[number]", "[amount]", "[TBD]", "TBD", "TODO", "TK TK",
    "TKTK", "FIXME", "[placeholder]", "[PLACEHOLDER]", "<name>", "<your name>", "<NAME>", "<insert date>", "<COMPANY_NAME>",
    "<assistant name>", "XXXX", "XX/XX/20XX", "$XX", "20XX", "Lorem ipsum dolor sit amet", "______", "[__________]", 
    "[rest of the text here]", "[continue here]", "[Details to be added]", "[to be determined]", "[quote from staff member]",
    "[First Name] [Last Name]", "[Product]", "[Team Name]", "[Department]", "[Job Title]", "[Street Address]", "[Zip Code]",
    "[Institution]", "[University]", "[Name of Speaker]", "[Host]", "[Guest Name]", "[Interviewer]", "[Publication]", "[Chapter]",
    "[Topic]", "[topic]", "[Signature]", "[example 1]", "[Reason]", "[assertion 2]", "[claim]", "[Insert Assistant Name]",
    "[Specify price]", "[Mention source]", "[Include figure here]", "[Image: a cheese counter]", "[Image]", "(insert chart here)",
    "(your name)", "(name of company)", "«name»", "__NAME__", "[object Object]",
    "[source]", "[Section continues]", "[remaining sections omitted for brevity]", "[Content truncated]",
)  # fmt: skip

# Sentences a gap stands in; @gap is the gap.
CARRIERS = (
    "Ask @gap about it before noon.", "The note was signed by @gap.", "Questions go to @gap, as ever.", "On @gap the committee met again.",
    "It was @gap who first raised the matter.", "Dear @gap, the order has arrived.", "As @gap put it, that is what a reason is for.",
    "More about this is found at @gap.", "According to @gap, the price has not changed.", "The report of @gap was read aloud.",
)  # fmt: skip
