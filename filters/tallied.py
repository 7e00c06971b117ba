"""A datatrove filter that keeps its figures once per task: per document they cost more than a cheap gate does."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.utils.typeshelper import StatHints


class TalliedFilter(BaseFilter):  # type: ignore[misc]
    """Put it before another filter among the bases; verdicts, and the rows of what is dropped, stay as they are."""

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        tally: Counter[str] = Counter()
        with self.exclusion_writer as writer, self.track_time("task"):
            for doc in data:
                verdict = self.filter(doc)
                if verdict is True:
                    tally[StatHints.forwarded] += 1
                    yield doc
                    continue
                reason = verdict[1] if isinstance(verdict, tuple) else ""
                tally.update((StatHints.dropped, f"dropped_{reason}"))
                doc.metadata["filter_reason"] = reason
                writer.write(doc, rank)
        tally[StatHints.total] = tally[StatHints.forwarded] + tally[StatHints.dropped]
        for label, n in tally.items():
            self.stat_update(label, value=n, unit="task")
