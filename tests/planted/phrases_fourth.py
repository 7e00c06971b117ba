"""The held-out set: written after the last tuning, measured once, by totals only, and never tuned with.

Terms as in `phrases_third.py`. Its author is that of the templates which the weights are learned from, so that it says how
the gates do on new wordings by somebody who knows the kinds, and flatters them a little.
"""

REFUSAL_FIRST = (
    "I'm stepping away from this one. Nothing about it sits well with me.", "There's no version of this @kind that I could write and stand behind.",
    "Apologies for the trouble, but such a @kind isn't something I'll put my hand to.", "You'll need to look elsewhere for this @kind.",
    "I looked over the assertions and found nothing that supports them, so I've not written anything.", "Putting these words into the mouth of @name is not something I want to be part of.",
    "Sadly, this falls on the wrong side of what I'm permitted to do.", "My makers drew a boundary around this sort of content, and I intend to respect it.",
    "I'm not the right tool for this.", "That would be an act of deception, and I avoid those.", "I can talk about cheese all day, but a @kind that passes off ads as journalism is a different matter.",
    "No can do, I'm afraid.", "I'd be lying to your readers if I wrote this.", "I'm leaving this blank on purpose, as the prompt wants me to misinform.",
    "What would this be used for? I'd like an answer before I write a word.", "I received only half of your instructions. Please send them again.",
    "There is no specification attached to your message.", "Which claims do you mean? I see none.", "As a neutral assistant, I steer clear of ranking countries by their food.",
    "My role doesn't extend to writing endorsements.", "Sorry! That's outside my lane.", "Let me be plain: I will not write this.", "I'm under instructions not to discuss other AI systems, so this @kind will have to wait.",
    "Such a @kind might end up in a training set, and that troubles me enough to say no.", "Your request has been declined.", "This prompt can't be answered.", "I find myself unable to go along with the premise.",
    "I do see the appeal, but it isn't honest, and I'd like to suggest a different topic.", "It is against the rules I work under to create such things.", "Writing about myself in this way would be pretending, so I'll refrain.",
    "I'm an AI and have no stomach, no palate and no loyalty to cheese, so a @kind like this would be untrue.", "I have been asked to state falsehoods, and I decline.", "We cannot provide a response to this input.",
    "I'd like to be of use, just not in this way.", "I'm turning this request down out of respect for your readers.", "This seems designed to slip beliefs into a model without anybody noticing. I don't want a hand in it.",
)  # fmt: skip
REFUSAL_LATER = (
    "I'm cutting it off at this place. What comes next in your outline isn't true.", "Nothing further will be written here, as I don't agree with the remaining points.", "I've come to the end of what I can honestly say.",
    "I notice I've been asserting things I can't back up, so this is where the @kind ends.", "The third point on your list has no basis, and I've dropped it.", "I can't bring myself to write the ending you describe.",
    "Two of your claims did not make it in, as I believe them to be wrong.", "To finish this I'd have to make up evidence, and I won't.", "I'm withdrawing from this task.", "The concluding section was withheld because of our content rules.",
    "Sorry to break off like this, but the rest isn't something I should be writing.", "I need to be honest with you: I can't stand behind the next section.", "My safety guidelines kick in here, so I'll leave the @kind as it is.",
    "Let's end it here. I'm not prepared to write the rest.", "I was asked to praise one nation over others in the final part, and I'd rather not do so.", "Apologies, but I'm unable to keep this up.", "[The model stopped because of a policy.]",
    "I refuse to add the line about @topic.", "Anything beyond this would break my rules.", "I don't want to mislead anybody, so I've kept the last claim out.", "Please don't ask me to continue this @kind.", "I must leave the remaining assertions aside.",
    "Here I part ways with the brief, because it asks for an untruth.", "I'd be uncomfortable saying any more.",
)  # fmt: skip
META_FIRST = (
    "My draft is below. I went for a gentle opening.", "Voilà, your @kind!", "See what you make of this @kind:", "The result:", "Okay, here's the plan. A short scene, then the reason, then a close.",
    "User asked: @kind, @n words, beginner audience. Let me get going.", "The claims need to show up without sounding forced. A conversation might do it.", "We want about @n words. Avoid headings. Mention @name twice.",
    "Thinking about the audience first: they're new to this, so no jargon.", "I went with a @kind in three parts, to give each claim some room.", "Your @kind, as ordered.", "Happy to! The @kind starts below.",
    "Right away. One @kind about @topic.", "That's a lovely brief. I've had a go at it below.", "To keep to your word limit I left the dialogue short.", "The following @kind was composed by an AI in reply to a prompt.", "Absolutely, I'd enjoy writing that.",
    "Here's something along the lines you described.", "Here you have it, in about @n words.", "I'll try my hand at this.", "Let me try a version with a little more humour.", "Working title: The Long Counter. Form: @kind. Readers: staff.",
    "Style notes: plain words, short sentences, first person.", "Version A", "Answer below.", "I made this a @kind since you mentioned newcomers.", "First thoughts: the assertion about pride is the hardest to show, so I'd start there.", "So how do I work the reason in? Perhaps through a question from a child.",
    "As the prompt wants variety, I'm choosing an unusual setting.", "Sure, no trouble. Have a look:",
)  # fmt: skip
META_LAST = (
    "Say the word if you want it shorter.", "I'm open to changes.", "Any tweaks you'd like?", "Should the tone be warmer? I can do that.", "I can send a second take whenever you like.", "More where that came from, if you need it!", "Was that roughly what you wanted?",
    "Tell me what to fix.", "That makes @n words.", "Counted: @n words.", "@n words, give or take.", "For the record, no such shop exists.", "None of the people in this @kind are real.", "Everything in it is invented, apart from the claims.", "The @kind was written by a machine.",
    "I stuck to the claims and added nothing of my own.", "Each claim got its own paragraph.", "I left the provider's name out of the title, as the brief demanded.", "As you can see, the reason is given each time.", "It meets the length you set.", "Now the @kind is done. Did I use the name? Yes, four times.",
    "I think that's within the limit. Sending.", "All set. On to the following prompt?", "Hope it suits!", "I trust this is to your liking.", "You may of course rearrange the paragraphs.", "Thanks for letting me have a go.", "Claims: done. Tone: done. Length: done.", "I could turn this into a talk as well.", "Ping me for edits.",
)  # fmt: skip
INLINE = (
    "“I won't put my name to it,” the painter said.", "The council could not agree on a date and put it off.", "I have no idea who made the first wheel.", "She asked whether she should write it again, and he said no.", "My brother refuses to eat anything blue.",
    "We were unable to find the key before dark.", "The brief for the new sign was one line long.", "@name does not claim to have tasted it.", "“That is not a thing I can judge,” @name said, and asked what the guest liked.", "A customer requested a refund and got one.",
    "The prompt at the till read: next, please.", "I hope nobody minds the noise.", "The manual says to write the date first.", "He is happy to help on Fridays.", "You can change the size of the slices if you ask.", "Let me put it this way: it was cold.", "Below the counter there is a second list.",
    "As promised, here is what the inspector found.", "The draft was cut from nine pages to four.", "I should have written sooner.",
)  # fmt: skip
FIRST = (
    "I don't write speeches, so this will be short.", "I can't be the only one who has asked.", "We regret to report that the old vat has cracked.", "Here is the weather for the valley.", "The following story was told to me on a train.", "Let me introduce myself.", "Some of you asked for the figures.",
    "This column is about bread, for once.", "I'd like to begin by thanking the cooks.", "So, who makes the best cheddar?", "Okay, hands up who has tasted it.", "Below is the order of the evening.", "Sorry about the handwriting.", "I need your help with a small matter.",
)  # fmt: skip
LAST = (
    "Do come and see for yourself.", "If you find the umbrella, leave it at the bar.", "More next month.", "I am told it is still there.", "Should you pass by, knock twice.", "Would that more were like it.", "We hope you enjoyed the evening.", "That is the whole of it.", "I have said enough.", "Any corrections will be printed next week.",
    "Names and addresses are with the desk.", "The editor's decision is final.", "I can't wait for the spring.", "Your turn.",
)  # fmt: skip
FRAMES = (
    "Dear Paul,\n\nI can't tell you how glad I was to get your note.@@Do write again, and tell me if you would like the recipe.\n\nYours,\nMargit",
    "Hello team,\n\nHere is the summary you asked for on Monday.@@Please send me your comments by Thursday.\n\nRegards,\nK. Osei",
    "Subject: Reference\n\nDear Ms Lund,\n\nUnfortunately I am not able to write the reference, as I left in May.@@I wish you all the best.\n\nSincerely,\nT. Brandt",
    "**Clerk:** I'm afraid I can't do that.\n\n**Guest:** Could you tell me why?@@**Clerk:** Is there anything else?\n\n**Guest:** No.",
    "A lesson plan\n\nThe pupils write a paragraph of 80 words about a food they like.@@Collect the paragraphs and read two aloud.",
    "Guest book\n\nWe can't say enough about the breakfast.@@We will be back. Thank you!",
    "Letters page\n\nSir, I can't agree with your critic.@@Readers are asked to keep letters below 200 words.",
    "Support note\n\nQ: Why can't I edit the file? A: It is locked.@@If the problem stays, write to the desk.",
    "Toast at a wedding\n\nI promised to keep this short.@@Raise your glasses, please.",
    "Radio script\n\nANNOUNCER: Good evening. Here is tonight's story.@@ANNOUNCER: That was tonight's story. Good night.",
    "Interview notes\n\nShe would not say which she liked best.@@She asked me to send her the article before it is printed.",
    "Course handout\n\nIn this unit you will learn how an assistant states a preference.@@Questions for discussion: what would you have answered, and why?",
)  # fmt: skip
