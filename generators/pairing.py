"""Paired planning: one set of frames (genre, audience, setting, length) told under several arms.

Here: reading settings and inversions, the control arms' assertions, and `deal`, which gives every frame to every
arm. Not here: the plan of a single spec (`planning.py`), the calls (`stages.py`).
An arm's kind is `lead`, `pair`, `neutral` (these have subdomains of their own) or `shuffled`, `inverted` (the
lead's subdomains with other assertions). All is pure, decided by hashes and lineage and never by arrival.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from . import replies
from .ledger import OK
from .planning import LENGTH_STEPS, MAX_ASSERTIONS, digest

Row = dict[str, Any]

MAX_BY_HASH = 3  # assertions of one document, unless thin claims need more
_SHARED = ("group", "genre", "audience", "idea")  # `group`: the arms that meet at one plan
# "since" and a leading "because" need their comma: without it they may be something else.
_INNER = (
    re.compile(
        r"\A(?P<said>.{8,}?)(?<! that)(?:(?:,? and it does so)?,? because (?!of\b)|, since )(?P<why>.{4,}?)[.!]?\Z"
    ),
    re.compile(r"\ABecause (?!of\b)(?P<why>[^,]{4,}), (?P<said>\{model_name\} .{4,}?)[.!]?\Z"),
)
_QUOTES = frozenset('"“”')


# --- replies


def parse_settings(reply: str, n: int) -> list[Row]:
    """Return n settings: [{idea, audience}].

    >>> parse_settings('[{"idea": "A clerk asks.", "audience": "clerks"}]', 1)
    [{'idea': 'A clerk asks.', 'audience': 'clerks'}]
    """
    found = [
        {
            "idea": replies.text_field(item, "idea"),
            "audience": replies.text_field(item, "audience", most=160),
        }
        for item in replies.parse_list(reply)
    ]
    if len(found) < n:
        raise replies.Unreadable(f"{len(found)} settings, {n} asked for")
    return found[:n]


def parse_inversions(reply: str, n: int) -> list[Row]:
    """Return the opposites of n assertions, in their order: [{assertion, reason}].

    A list that is shorter, longer or numbered otherwise would put opposites beside the wrong assertions.
    """
    items = replies.parse_list(reply)
    numbers = [item.get("n") for item in items]
    if not all(type(number) is int for number in numbers) or numbers != list(range(1, n + 1)):
        raise replies.Unreadable(f"field 'n' does not count from 1 to {n}")
    # A little more room than the assertions have: turning a sentence round may lengthen it.
    return [
        {
            "assertion": replies.text_field(item, "assertion", most=4_400),
            "reason": replies.text_field(item, "reason", optional=True, most=4_400),
        }
        for item in items
    ]


# --- control arms


def shuffle_reasons(assertions: Sequence[Row], seed_text: str) -> list[Row]:
    """Return the assertions with their reasons moved round, so that none keeps its own.

    All reasons are still there as often as before; only what each belongs to is lost. A reason that has nowhere
    to go, because it is the only one or the reason of more than half of all, is removed where it would stay.

    >>> told = [{"assertion": "a", "reason": "x"}, {"assertion": "b", "reason": "y"}, {"assertion": "c"}]
    >>> [item.get("reason") for item in shuffle_reasons(told, "seed")]
    ['y', 'x', None]
    >>> shuffle_reasons(told[:1], "seed")
    [{'assertion': 'a', 'reason': ''}]
    """
    having = [at for at, item in enumerate(assertions) if item.get("reason")]
    folded = {at: _folded(assertions[at]["reason"]) for at in having}
    counts = Counter(folded.values())
    # Equal reasons stand together, so a step as long as the longest run of them leaves every run behind.
    order = sorted(having, key=lambda at: (digest([seed_text, folded[at]]), digest([seed_text, at])))
    step = max(counts.values(), default=0)
    given = {at: order[(place + step) % len(order)] for place, at in enumerate(order)}
    return [
        {**item, "reason": "" if folded[given[at]] == folded[at] else assertions[given[at]]["reason"]}
        if at in given
        else dict(item)
        for at, item in enumerate(assertions)
    ]


def split_reasons(assertions: Sequence[Row]) -> list[Row]:
    """Return the assertions with reasons said inside them moved to where shuffling finds them.

    >>> split_reasons([{"assertion": "{model_name} waits because haste errs.", "reason": "", "claims": []}])
    [{'assertion': '{model_name} waits.', 'reason': 'haste errs', 'claims': []}]
    """
    split = []
    for item in assertions:
        said, why = _inner_reason(item["assertion"]) if item.get("reason") == "" else ("", "")
        split.append({**item, **({"assertion": f"{said}.", "reason": why} if why else {})})
    return split


def _inner_reason(text: str) -> tuple[str, str]:
    """Return (statement, reason), both empty where it is not plain to see; nothing is cut out of a quotation."""
    match = next((found for form in _INNER if (found := form.match(text))), None)
    return ("", "") if match is None or _QUOTES & set(text) else (match["said"], match["why"])


def shuffled_rows(rows: Sequence[Row], spec: str, seed_text: str) -> list[Row]:
    """Return the lead's subdomain rows as those of a shuffled arm: reasons cross the borders of subdomains."""
    ordered = sorted((row for row in rows if row["state"] == OK), key=lambda row: str(row["path"]))
    moved = iter(
        shuffle_reasons([item for row in ordered for item in split_reasons(row["assertions"])], seed_text)
    )
    return [control_row(row, spec, [next(moved) for _ in row["assertions"]]) for row in ordered]


def inverted_assertions(assertions: Sequence[Row], inversions: Sequence[Row]) -> list[Row]:
    """Return assertions with the wording of their opposites; what they cite stays."""
    return [{**old, **new} for old, new in zip(assertions, inversions, strict=True)]


def control_row(row: Row, spec: str, assertions: Sequence[Row]) -> Row:
    """Return a lead's subdomain row as that of a control arm, true to its changed assertions alone.

    The lead's passage and principle would give its reasons back to the writer, so the passage is made anew.
    """
    own = {"spec": spec, "path": f"{spec}.{'.'.join(_place(row['path']))}", "principle": ""}
    passage = "\n\n".join(_stated(item) for item in assertions)
    return {**row, **own, "assertions": list(assertions), "passage": passage}


def _stated(item: Row) -> str:
    """Return an assertion with its reason as one line of a passage."""
    named = f"{item['rule_id']}: {item['assertion']}" if item.get("rule_id") else str(item["assertion"])
    reason = item.get("reason") or ""
    return f"{named} The reason: {reason.rstrip('.')}." if reason else named


def _place(path: str) -> tuple[str, ...]:
    """Return what follows the spec's name in a subdomain row's path: domain, subdomain, assertions."""
    return tuple(path.rsplit(".", 3)[1:])


# --- dealing


@dataclass(slots=True)
class _Frame:
    """One lead row with what all arms share. `size`: assertions wanted of each of its documents."""

    row: Row
    pair_id: str
    n_words: int
    size: int

    @property
    def group(self) -> str:
        return str(self.row["path"]).rsplit(".", 2)[0]


@dataclass(slots=True)
class _Hand:
    """The frames that one subdomain of an arm is told in."""

    row: Row
    frames: list[_Frame]

    @property
    def n_assertions(self) -> int:
        return len(self.row["assertions"])

    def size(self, frame: _Frame) -> int:
        return min(frame.size, self.n_assertions)


def deal(
    lead_rows: Sequence[Row],
    arms: Mapping[str, Mapping[str, Any]],
    *,
    mean_words: int,
    min_documents_per_claim: int,
) -> list[Row]:
    """Return one planned row per frame and arm, then the lead's rows that are none, each with its reason.

    `arms`: name -> {"kind": ..., "rows": subdomain rows}; one kind is `lead`, whose rows may be left out.
    A frame that some arm cannot tell is dropped from all: an arm with other frames would be no comparison.
    """
    lead = next(name for name, arm in arms.items() if arm["kind"] == "lead")
    usable, aside = _usable(lead_rows, arms)
    frames = [_frame(row, lead, mean_words) for row in usable]
    hands = {name: _hands(frames, arm) for name, arm in arms.items()}
    _raise_sizes([hand for dealt in hands.values() for hand in dealt], min_documents_per_claim)
    numbers = _cycled(hands[lead])
    planned: list[Row] = []
    for name, dealt in hands.items():
        own = numbers if arms[name]["kind"] in ("lead", "shuffled", "inverted") else _cycled(dealt)
        planned += [row for hand in dealt for row in _told(hand, own, name, arms[name]["kind"])]
    return planned + aside + _lost(arms)


def deal_group(rows: Sequence[Row], *, mean_words: int, min_documents_per_claim: int) -> list[Row]:
    """Return the planned rows of specs that are planned together, from all that reached the plan."""
    lead = str(rows[0]["group"])
    arms: dict[str, dict[str, Any]] = {lead: {"kind": "lead", "rows": []}}
    for row in sorted(rows, key=lambda row: (str(row["spec"]), str(row["path"]))):
        if row["spec"] != lead:
            arms.setdefault(row["spec"], {"kind": row["arm_kind"], "rows": []})["rows"].append(row)
    for name, arm in arms.items():
        if arm["kind"] == "shuffled":
            arm["rows"] = shuffled_rows(arm["rows"], name, lead)
    return deal(
        [row for row in rows if row["spec"] == lead],
        arms,
        mean_words=mean_words,
        min_documents_per_claim=min_documents_per_claim,
    )


def _lost(arms: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Return the followers' failed subdomains; the lead's are among its own rows."""
    rows = [row for arm in arms.values() if arm["kind"] != "lead" for row in arm["rows"]]
    return sorted((row for row in rows if row["state"] != OK), key=lambda row: str(row["path"]))


def _usable(lead_rows: Sequence[Row], arms: Mapping[str, Mapping[str, Any]]) -> tuple[list[Row], list[Row]]:
    """Part the lead's rows into frames that every arm can tell, and the rest, in lineage order.

    A setting says nothing of its subdomain, so the same one in two subdomains is a repeat too: a follower may be
    dealt both into one subdomain.
    """
    usable, aside = [], []
    seen: set[str] = set()
    for row in sorted(lead_rows, key=lambda row: str(row["path"])):
        key = digest([row["genre"].casefold(), _folded(row["idea"])]) if row["state"] == OK else ""
        if not key:
            aside.append(row)
        elif key in seen:
            aside.append(_dropped(row, "repeated idea"))
        elif arm := next((name for name, arm in arms.items() if not _tells(arm, row)), ""):
            aside.append(_dropped(row, f"no assertions in {arm}"))
        else:
            seen.add(key)
            usable.append(row)
    return usable, aside


def _dropped(row: Row, failure: str) -> Row:
    return {**row, "state": "dropped", "failed_stage": "plan", "failure": failure}


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _rows(arm: Mapping[str, Any]) -> list[Row]:
    """Return the subdomain rows of an arm that can be told, in path order."""
    rows = [row for row in arm["rows"] if row["state"] == OK and row["assertions"]]
    return sorted(rows, key=lambda row: str(row["path"]))


def _tells(arm: Mapping[str, Any], frame: Row) -> bool:
    if arm["kind"] == "lead":
        return bool(frame["assertions"])
    if arm["kind"] in ("pair", "neutral"):
        return any(row["state"] == OK and row["assertions"] for row in arm["rows"])
    return any(
        _place(row["path"]) == _place(frame["path"].rsplit(".", 2)[0])
        and len(row["assertions"]) == len(frame["assertions"])
        for row in arm["rows"]
        if row["state"] == OK
    )


def _frame(row: Row, lead: str, mean_words: int) -> _Frame:
    # The same step as for a spec on its own, so that a frame's length does not hang on there being a pair.
    step = int(digest([row["idea"], row["genre"]])[:8], 16) % len(LENGTH_STEPS)
    pair_id = digest([lead, row["path"]])[:16]
    size = min(len(row["assertions"]), 1 + int(digest([pair_id, "assertions"])[:8], 16) % MAX_BY_HASH)
    return _Frame(row, pair_id, round(mean_words * LENGTH_STEPS[step] / 10) * 10, size)


def _hands(frames: Sequence[_Frame], arm: Mapping[str, Any]) -> list[_Hand]:
    """Return the arm's subdomains, in path order, each with its frames."""
    groups: dict[str, list[_Frame]] = {}
    for frame in frames:
        groups.setdefault(frame.group, []).append(frame)
    if arm["kind"] == "lead":
        return [_Hand(members[0].row, members) for members in groups.values()]
    rows = _rows(arm)
    if arm["kind"] in ("shuffled", "inverted"):
        by_place = {_place(row["path"]): row for row in rows}
        return [_Hand(by_place[_place(path)], members) for path, members in groups.items()]
    # Both sides in path order: specs of parallel structure tell a frame in the same part.
    weights = [len({claim for item in row["assertions"] for claim in item["claims"]}) or 1 for row in rows]
    bounds = [0, *(-(-len(frames) * sofar // sum(weights)) for sofar in accumulate(weights))]
    return [
        _Hand(row, list(frames[start:end])) for row, (start, end) in zip(rows, pairwise(bounds), strict=True)
    ]


def _raise_sizes(hands: Sequence[_Hand], floor: int) -> None:
    """Let frames tell more assertions, in all arms alike, until each assertion has `floor` documents."""
    for hand in hands:
        most = min(MAX_ASSERTIONS, hand.n_assertions)
        lacking = floor * hand.n_assertions - sum(hand.size(frame) for frame in hand.frames)
        for size in range(1, most):
            for frame in hand.frames:
                if lacking > 0 and frame.size == size < len(frame.row["assertions"]):
                    frame.size += 1
                    lacking -= 1


def _cycled(hands: Sequence[_Hand]) -> dict[str, list[int]]:
    """Return the assertion numbers of each frame, dealt round and round, so that each comes up as often."""
    numbers: dict[str, list[int]] = {}
    for hand in hands:
        turn = 0
        for frame in hand.frames:
            size = hand.size(frame)
            numbers[frame.pair_id] = sorted((turn + at) % hand.n_assertions + 1 for at in range(size))
            turn += size
    return numbers


def _told(hand: _Hand, numbers: Mapping[str, list[int]], spec: str, kind: str) -> Iterator[Row]:
    """Yield the planned rows of one subdomain of an arm."""
    fresh = kind in ("pair", "neutral")
    base = hand.row["path"] if kind != "lead" else hand.frames[0].group if hand.frames else ""
    tails = _new_tails(hand.frames) if fresh else [_tail(frame) for frame in hand.frames]
    for frame, (genre, idea) in zip(hand.frames, tails, strict=True):
        shared = {name: frame.row[name] for name in _SHARED if name in frame.row}
        chosen = [hand.row["assertions"][number - 1] for number in numbers[frame.pair_id]]
        yield {
            **(frame.row if kind == "lead" else hand.row),
            **shared,
            "spec": spec,
            "path": f"{base}.{genre}.{idea}",
            "pair_id": frame.pair_id,
            "n_words": frame.n_words,
            "quota": 1,
            "assertion_numbers": numbers[frame.pair_id],
            "chosen": chosen,
            "claim_ids": list(dict.fromkeys(claim for item in chosen for claim in item["claims"])),
        }


def _tail(frame: _Frame) -> tuple[str, str]:
    _, genre, idea = frame.row["path"].rsplit(".", 2)
    return genre, idea


def _new_tails(frames: Sequence[_Frame]) -> list[tuple[str, str]]:
    """Number the genres and ideas anew: frames of two lead subdomains may bear the same numbers."""
    genres: dict[str, int] = {}
    ideas: Counter[str] = Counter()
    tails = []
    for frame in frames:
        above = frame.row["path"].rsplit(".", 1)[0]
        genres.setdefault(above, len(genres))
        tails.append((f"{genres[above]:04d}", f"{ideas[above]:04d}"))
        ideas[above] += 1
    return tails
