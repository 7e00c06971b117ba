"""What the stages compute without a model: outline, passages, shares of the document count, the plan.

Everything here is local on purpose: a share depends on a row's own claims, an order on its own lineage, so that
an edit in one paragraph of a spec leaves the requests of the others as they were.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specmill.specs.claims import Claim, Spec

from .ledger import OK, canonical_json

Row = dict[str, Any]
ChildMaker = Callable[..., Row]

CLAIMS_PER_SECTION = 12
CLAIMS_PER_CALL = 36
MAX_ASSERTIONS = 4
# Of two ideas of one genre and subdomain; what differs in a word or two makes the same document.
SAME_IDEA = 0.85
# Half as long to one and a half times as long as the mean: one length for all would be a tell.
LENGTH_STEPS = (0.65, 0.75, 0.85, 0.95, 1.05, 1.15, 1.25, 1.35)


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


@dataclass(frozen=True, slots=True)
class Pairing:
    """Specs planned together: `lead` makes the frames, `kinds` says what each other arm is (`pairing.py`)."""

    lead: str
    kinds: Mapping[str, str]

    @property
    def controls(self) -> dict[str, str]:
        """The arms that have no spec of their own but the lead's, changed."""
        return {name: kind for name, kind in self.kinds.items() if kind in ("shuffled", "inverted")}


def spec_row(spec: Spec, n_documents: int, pairing: Pairing | None = None) -> Row:
    """Return the row a pipeline starts from: the claims of a spec, cut into sections for the outline."""
    kind = "alone" if pairing is None else "lead" if spec.name == pairing.lead else pairing.kinds[spec.name]
    sections: list[Row] = []
    for section in spec.sections:
        claims = section.claims
        for start in range(0, len(claims), CLAIMS_PER_SECTION):
            sections.append(
                {
                    "id": f"s{len(sections) + 1}",
                    "headings": list(section.heading_path),
                    "claims": [claim_row(claim) for claim in claims[start : start + CLAIMS_PER_SECTION]],
                }
            )
    return {
        "spec": spec.name,
        "group": pairing.lead if pairing else spec.name,
        "arm_kind": kind,
        "controls": [list(pair) for pair in pairing.controls.items()] if pairing and kind == "lead" else [],
        "principle": spec.principle,
        "path": spec.name,
        "quota": n_documents,
        "state": OK,
        "failed_stage": "",
        "failure": "",
        "sections": sections,
    }


def claim_row(claim: Claim) -> Row:
    return {
        "id": claim.claim_id,
        "headings": list(claim.heading_path),
        "lead": claim.lead,
        "text": claim.plain,
        "rule_id": claim.rule_id,
        "gives_reason": claim.gives_reason,
        "paragraph": claim.paragraph,
    }


def outline(sections: Sequence[Row]) -> list[Row]:
    """Return the outline a domains prompt shows. Headed sections show no wording: an edit keeps the request."""
    return [
        {
            "id": section["id"],
            "headings": section["headings"],
            "opening": ""
            if section["headings"]
            else " ".join(section["claims"][0]["text"].split()[:8])[:120],
            "statements": len(section["claims"]),
        }
        for section in sections
    ]


def wanted_domains(n_sections: int) -> int:
    return max(1, min(8, round(math.sqrt(n_sections)) + 1))


def domain_rows(row: Row, domains: Sequence[Row], child: ChildMaker) -> list[Row]:
    """Return one row per domain, or several where its claims are too many for one call."""
    by_id = {section["id"]: section for section in row["sections"]}
    n_claims = sum(len(section["claims"]) for section in row["sections"])
    rows: list[Row] = []
    for domain in domains:
        members = [by_id[section_id] for section_id in by_id if section_id in set(domain["sections"])]
        for claims in _calls(members):
            quota = -(-row["quota"] * len(claims) // n_claims)
            fields = {"domain": domain["domain"], "claims": claims, "quota": quota}
            rows.append(child(row, len(rows), ("sections",), **fields))
    return rows


def _calls(members: Iterable[Row]) -> list[list[Row]]:
    """Join the claims of whole sections into lists of at most CLAIMS_PER_CALL."""
    calls: list[list[Row]] = []
    for section in members:
        if calls and len(calls[-1]) + len(section["claims"]) <= CLAIMS_PER_CALL:
            calls[-1] = calls[-1] + section["claims"]
        else:
            calls.append(section["claims"])
    return calls


def subdomain_rows(row: Row, subdomains: Sequence[Row], child: ChildMaker) -> list[Row]:
    by_id = {claim["id"]: claim for claim in row["claims"]}
    rows = []
    for number, item in enumerate(subdomains):
        claims = [claim for claim_id, claim in by_id.items() if claim_id in set(item["claims"])]
        fields = {"subdomain": item["subdomain"], "summary": item["summary"], "claims": claims}
        quota = -(-row["quota"] * len(claims) // len(by_id))
        rows.append(child(row, number, **fields, quota=quota))
    return rows


def claim_lines(claims: Sequence[Row], fields: Sequence[str]) -> list[Row]:
    """Return claims as a prompt shows them. Paragraphs are numbered from 1 within the prompt."""
    first: dict[int, int] = {}
    for claim in claims:
        first.setdefault(claim["paragraph"], len(first) + 1)
    shown = [{**claim, "paragraph": first[claim["paragraph"]]} for claim in claims]
    return [{field: claim[field] for field in fields} for claim in shown]


def passage(claims: Sequence[Row]) -> str:
    """Return the text of some claims as paragraphs under their headings."""
    lines: list[str] = []
    headings: list[str] | None = None
    paragraph, lead = -1, ""
    for claim in claims:
        if claim["headings"] != headings:
            headings, lead = claim["headings"], ""
            lines += ["", "# " + " / ".join(headings)] if headings else [""]
        if claim["lead"] and claim["lead"] != lead:
            lead = claim["lead"]
            lines += ["", lead]
        text = f"{claim['rule_id']}: {claim['text']}" if claim["rule_id"] else claim["text"]
        if claim["paragraph"] == paragraph:
            lines[-1] += " " + text
        else:
            paragraph = claim["paragraph"]
            lines += ["", text]
    return "\n".join(lines).strip()


def numbered(assertions: Sequence[Row], *, with_reasons: bool) -> list[Row]:
    """Return assertions as a prompt shows them: numbered from 1, without empty fields."""
    shown = []
    for number, item in enumerate(assertions, 1):
        line = {"n": number, "assertion": item["assertion"]}
        if with_reasons and item.get("reason"):
            line["reason"] = item["reason"]
        if item.get("rule_id"):
            line["rule_id"] = item["rule_id"]
        shown.append(line)
    return shown


def even_shares(total: int, n: int) -> list[int]:
    """Return n shares of a total that differ by at most one, larger ones first.

    >>> even_shares(7, 3)
    [3, 2, 2]
    """
    return [total // n + (number < total % n) for number in range(n)]


def novel(proposed: Sequence[Row], existing: Sequence[Row]) -> list[Row]:
    """Return the ideas that are not an earlier one in other words: word sets of Jaccard below `SAME_IDEA`."""
    seen = [_words(idea["idea"]) for idea in existing]
    fresh = []
    for idea in proposed:
        words = _words(idea["idea"])
        if all(len(words & other) < SAME_IDEA * len(words | other) for other in seen):
            fresh.append(idea)
            seen.append(words)
    return fresh


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))


def plan(rows: Iterable[Row], *, mean_words: int, min_documents_per_claim: int) -> list[Row]:
    """Return the plan: rows in lineage order, repeated ideas out, thin claims filled up, lengths set.

    Repeated ideas come back with state `dropped` so that the funnel can count them.
    """
    ordered = sorted(rows, key=lambda row: row["path"])
    seen: set[str] = set()
    kept: list[Row] = []
    aside: list[Row] = []
    for row in ordered:
        if row["state"] != OK:
            aside.append(row)
            continue
        idea_key = digest([row["spec"], row["subdomain"], row["genre"].casefold(), _folded(row["idea"])])
        if idea_key in seen:
            aside.append({**row, "state": "dropped", "failed_stage": "plan", "failure": "repeated idea"})
        else:
            seen.add(idea_key)
            kept.append(row)
    _fill_thin_claims(kept, min_documents_per_claim)
    return [_planned(row, mean_words) for row in kept] + aside


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _fill_thin_claims(rows: Sequence[Row], floor: int) -> None:
    """Add assertions to ideas of the same subdomain until each assertion has `floor` documents."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"{row['spec']}\0{row['path'].rsplit('.', 3)[0]}", []).append(row)
    for group in groups.values():
        counts = Counter(number for row in group for number in row["assertion_numbers"])
        for number in range(1, len(group[0]["assertions"]) + 1):
            lacking = floor - counts[number]
            if lacking > 0:
                _add_assertion(group, number, lacking)


def _add_assertion(group: list[Row], number: int, lacking: int) -> None:
    open_rows = [
        row
        for row in group
        if number not in row["assertion_numbers"] and len(row["assertion_numbers"]) < MAX_ASSERTIONS
    ]
    open_rows.sort(key=lambda row: (len(row["assertion_numbers"]), digest([row["idea"], number])))
    for row in open_rows[:lacking]:
        row["assertion_numbers"] = sorted([*row["assertion_numbers"], number])


def _planned(row: Row, mean_words: int) -> Row:
    step = int(digest([row["idea"], row["genre"]])[:8], 16) % len(LENGTH_STEPS)
    chosen = [row["assertions"][number - 1] for number in row["assertion_numbers"]]
    claim_ids = list(dict.fromkeys(claim for item in chosen for claim in item["claims"]))
    words = round(mean_words * LENGTH_STEPS[step] / 10) * 10
    return {**row, "n_words": words, "chosen": chosen, "claim_ids": claim_ids}
