-- The questions every corpus is asked. A line "-- name ARGUMENTS: what it answers" above a macro is its
-- help in `specmill query --macros`. Macros read the views of views.py; each view but calls and spent has a column
-- corpus, so that several corpora stand side by side. Readers of a published corpus may have DuckDB 1.3: CASE, not
-- the newer function IF. Scalar macros are parts of the others and have no help.

-- funnel: from plan to shipped documents, with a reason for every loss
CREATE OR REPLACE MACRO funnel() AS TABLE
SELECT corpus, step, documents, coalesce(list_sum(map_values(dropped)), 0)::BIGINT AS lost,
       round(documents / first_value(documents) OVER (PARTITION BY corpus ORDER BY n_step), 4) AS share_left,
       array_to_string(list_transform(
           list_reverse_sort(list_transform(map_entries(dropped), lambda e: {n: e.value, reason: e.key})),
           lambda e: e.reason || ' ' || e.n), ', ') AS reasons
FROM funnel_steps
ORDER BY corpus, n_step;

-- why_dropped: every reason documents were lost for, how often, and an example
-- why_dropped DOC_ID: lost documents whose id begins so, with their text
CREATE OR REPLACE MACRO why_dropped() AS TABLE (
    WITH counted AS (
        SELECT corpus, step, entry.key AS reason, entry.value AS n
        FROM (SELECT corpus, step, unnest(map_entries(dropped)) AS entry FROM funnel_steps)
    ), examples AS (
        SELECT corpus, reason, min(stage) AS stage, count(*) AS n, min(doc_id) AS example,
               arg_min(detail, doc_id) AS detail
        FROM dropped GROUP BY corpus, reason
    )
    SELECT corpus, reason, coalesce(step, stage) AS stage, coalesce(counted.n, examples.n) AS n, example, detail
    FROM counted FULL JOIN examples USING (corpus, reason)
    ORDER BY corpus, n DESC, reason
), (id) AS TABLE (
    SELECT * FROM dropped WHERE starts_with(doc_id, id::VARCHAR) ORDER BY corpus, doc_id
);

-- coverage: per claim, the documents planned for it and those found to express it; least taught first
CREATE OR REPLACE MACRO coverage() AS TABLE
WITH planned AS (
    SELECT corpus, claim_id, count(*) AS planned
    FROM (SELECT corpus, unnest(claim_ids) AS claim_id FROM documents) GROUP BY ALL
), expressed AS (
    SELECT corpus, claim_id, count(*) AS expressed, sum(n_tokens)::BIGINT AS tokens
    FROM (SELECT corpus, unnest(claims_expressed) AS claim_id, n_tokens FROM documents) GROUP BY ALL
)
SELECT corpus, claim_id, coalesce(planned, 0) AS planned, coalesce(expressed, 0) AS expressed,
       coalesce(tokens, 0) AS tokens, text
FROM claims LEFT JOIN planned USING (corpus, claim_id) LEFT JOIN expressed USING (corpus, claim_id)
ORDER BY corpus, expressed, tokens, start_char;

-- totals: size of each corpus: documents, tokens, words, genres, audiences, claims
CREATE OR REPLACE MACRO totals() AS TABLE
WITH counted AS (
    SELECT corpus, count(*) AS documents, sum(n_tokens)::BIGINT AS tokens, sum(n_words)::BIGINT AS words,
           count(DISTINCT genre) AS genres, count(DISTINCT audience) AS audiences
    FROM documents GROUP BY corpus
), reached AS (
    SELECT corpus, count(*) AS claims, count(*) FILTER (planned > 0) AS claims_planned,
           count(*) FILTER (expressed > 0) AS claims_expressed
    FROM coverage() GROUP BY corpus
)
SELECT counted.*, claims, claims_planned, claims_expressed
FROM counted LEFT JOIN reached USING (corpus)
ORDER BY corpus;

-- tokens: tokens by tokenizer, and whether the shards agree with the manifest
CREATE OR REPLACE MACRO tokens() AS TABLE
SELECT corpus, documents.tokenizer, count(*) AS documents, sum(n_tokens)::BIGINT AS tokens,
       round(avg(n_tokens), 1) AS mean_tokens, round(sum(n_tokens) / sum(n_words), 3) AS tokens_per_word,
       sum(n_tokens) = any_value(manifests.tokens) AS as_in_manifest
FROM documents JOIN manifests USING (corpus)
GROUP BY corpus, documents.tokenizer ORDER BY corpus, documents.tokenizer;

-- airtime: tokens per claim and genre; shared = a document's tokens split evenly over its claims
CREATE OR REPLACE MACRO airtime() AS TABLE
WITH heard AS (
    SELECT corpus, genre, n_tokens, greatest(1, len(claims_expressed)) AS n_claims,
           unnest(CASE WHEN len(claims_expressed) = 0 THEN ['(none)'] ELSE claims_expressed END) AS claim_id
    FROM documents
), summed AS (  -- whole numbers: fractions would add up otherwise in another order of threads
    SELECT corpus, claim_id, genre, n_claims, count(*) AS documents, sum(n_tokens)::BIGINT AS tokens
    FROM heard GROUP BY ALL
)
SELECT summed.corpus, claim_id, genre, sum(documents)::BIGINT AS documents,
       round(sum(tokens / n_claims ORDER BY n_claims), 1) AS tokens_shared, sum(tokens)::BIGINT AS tokens_full,
       any_value(claims.text) AS text
FROM summed LEFT JOIN claims USING (corpus, claim_id)
GROUP BY summed.corpus, claim_id, genre
ORDER BY summed.corpus, min(claims.start_char) NULLS LAST, claim_id, genre;

-- genres: documents and tokens of each genre
CREATE OR REPLACE MACRO genres() AS TABLE
SELECT corpus, genre, count(*) AS documents, sum(n_tokens)::BIGINT AS tokens,
       round(avg(n_tokens), 1) AS mean_tokens,
       round(sum(n_tokens) / sum(sum(n_tokens)) OVER (PARTITION BY corpus), 4) AS share_of_tokens
FROM documents GROUP BY corpus, genre ORDER BY corpus, tokens DESC, genre;

-- audiences: documents and tokens for each audience
CREATE OR REPLACE MACRO audiences() AS TABLE
SELECT corpus, audience, count(*) AS documents, sum(n_tokens)::BIGINT AS tokens,
       round(avg(n_tokens), 1) AS mean_tokens,
       round(sum(n_tokens) / sum(sum(n_tokens)) OVER (PARTITION BY corpus), 4) AS share_of_tokens
FROM documents GROUP BY corpus, audience ORDER BY corpus, tokens DESC, audience;

-- lengths [BIN]: histogram of document lengths in bins of 100 (or BIN) tokens
CREATE OR REPLACE MACRO lengths(bin := 100) AS TABLE
WITH binned AS (
    SELECT corpus, (n_tokens // bin::INT) * bin::INT AS from_tokens, count(*) AS documents
    FROM documents GROUP BY ALL
)
SELECT corpus, from_tokens, from_tokens + bin::INT - 1 AS to_tokens, documents,
       round(sum(documents) OVER up_to / sum(documents) OVER (PARTITION BY corpus), 4) AS share_up_to,
       rtrim(bar(documents, 0, max(documents) OVER (PARTITION BY corpus), 20)) AS histogram
FROM binned
WINDOW up_to AS (PARTITION BY corpus ORDER BY from_tokens)
ORDER BY corpus, from_tokens;

-- percentiles: document lengths in tokens: mean, extremes, percentiles
CREATE OR REPLACE MACRO percentiles() AS TABLE
SELECT corpus, count(*) AS documents, round(avg(n_tokens), 1) AS mean, min(n_tokens) AS shortest,
       quantile_disc(n_tokens, 0.05) AS p5, quantile_disc(n_tokens, 0.25) AS p25,
       quantile_disc(n_tokens, 0.5) AS median, quantile_disc(n_tokens, 0.75) AS p75,
       quantile_disc(n_tokens, 0.95) AS p95, max(n_tokens) AS longest
FROM documents GROUP BY corpus ORDER BY corpus;

-- sample [N [SEED]]: N (5) documents drawn by a hash of seed (0) and id, the same on every machine
CREATE OR REPLACE MACRO sample(n := 5, seed := 0) AS TABLE
WITH drawn AS MATERIALIZED (
    SELECT corpus, file, place, md5(seed::VARCHAR || doc_id) AS rank FROM located
    ORDER BY rank, corpus LIMIT n::BIGINT
)
SELECT corpus, doc_id, genre, audience, n_tokens, text
FROM located JOIN drawn USING (corpus, file, place) ORDER BY rank, corpus;

-- doc DOC_ID: whole documents whose id begins so
CREATE OR REPLACE MACRO doc(id) AS TABLE
SELECT * FROM documents WHERE starts_with(doc_id, id::VARCHAR) ORDER BY corpus, doc_id;

-- nearest DOC_ID [N]: the N (10) documents of all corpora that share most word pairs with one; 1 = all of them
CREATE OR REPLACE MACRO adjacent_words(text) AS list_distinct(list_transform(
    list_zip(regexp_extract_all(lower(text), '[\p{L}\p{N}]+')[:-2],
             regexp_extract_all(lower(text), '[\p{L}\p{N}]+')[2:]),
    lambda pair: pair[1] || ' ' || pair[2]));
CREATE OR REPLACE MACRO nearest(id, n := 10) AS TABLE
WITH wanted AS MATERIALIZED (
    SELECT corpus, train_order, file, place, n_words FROM located WHERE starts_with(doc_id, id::VARCHAR)
    ORDER BY corpus, doc_id LIMIT 1
), its_pairs AS MATERIALIZED (
    SELECT pair FROM word_pairs SEMI JOIN wanted USING (corpus, train_order)
), rare AS MATERIALIZED (  -- a million holders at most, however many texts there are
    SELECT pair FROM word_pairs SEMI JOIN its_pairs USING (pair)
    GROUP BY pair QUALIFY sum(count(*)) OVER (ORDER BY count(*), pair) <= 1_000_000
), sharing AS MATERIALIZED (
    SELECT corpus, train_order, count(*) AS n_shared
    FROM (FROM word_pairs SEMI JOIN rare USING (pair)) ANTI JOIN wanted USING (corpus, train_order)
    GROUP BY corpus, train_order ORDER BY n_shared DESC, corpus, train_order LIMIT 2000
), candidates AS MATERIALIZED (  -- by similarity as far as the sampled pairs can tell; fewer where texts are many
    SELECT l.corpus, l.file, l.place
    FROM located l JOIN sharing s ON l.corpus = s.corpus AND l.train_order = s.train_order, wanted
    ORDER BY n_shared / greatest(8, (l.n_words + wanted.n_words) / 16 - n_shared) DESC, l.corpus, l.train_order
    LIMIT greatest(n::BIGINT, (SELECT CASE WHEN sum(documents) <= 200_000 THEN 100 ELSE 12 END FROM manifests))
), its_text AS MATERIALIZED (
    SELECT adjacent_words(text) AS pairs FROM located SEMI JOIN wanted USING (corpus, file, place)
), compared AS (
    SELECT corpus, doc_id, genre, n_tokens, text, adjacent_words(text) AS pairs
    FROM located SEMI JOIN candidates USING (corpus, file, place)
), counted AS (
    SELECT compared.*, len(list_intersect(compared.pairs, its_text.pairs)) AS shared_pairs,
           len(compared.pairs) + len(its_text.pairs) - shared_pairs AS all_pairs
    FROM compared, its_text
)
SELECT corpus, doc_id, round(shared_pairs / greatest(all_pairs, 1), 4) AS similarity, shared_pairs, genre, n_tokens,
       regexp_replace(left(text, 200), '\s+', ' ', 'g') AS begins
FROM counted ORDER BY similarity DESC, corpus, doc_id LIMIT n::BIGINT;

-- search WORDS [N]: the N (10) documents that fit best by BM25; a phrase stands in double quotes
CREATE OR REPLACE MACRO search_terms(words) AS list_filter(list_distinct(list_transform(
    regexp_extract_all(lower(words::VARCHAR), '"[^"]*"|[^\s"]+'),
    lambda term: trim(regexp_replace(term, '[^\p{L}\p{N}]+', ' ', 'g')))), lambda term: term <> '');
CREATE OR REPLACE MACRO search_any(words) AS '(?:^|[^\p{L}\p{N}])((?:' || array_to_string(list_transform(
    list_reverse_sort(search_terms(words)),
    lambda term: replace(term, ' ', '[^\p{L}\p{N}]+')), '|') || ')[\p{L}\p{N}]*)';
CREATE OR REPLACE MACRO search(words, n := 10) AS TABLE
WITH found AS MATERIALIZED (
    SELECT corpus, file, place, n_words, list_transform(hits,
        lambda hit: ' ' || regexp_replace(lower(hit), '[^\p{L}\p{N}]+', ' ', 'g') || ' ') AS hits
    FROM (
        SELECT corpus, file, place, n_words, regexp_extract_all(text, '(?i)' || search_any(words), 1) AS hits
        FROM located WHERE len(search_terms(words)) > 0
    ) WHERE len(hits) > 0
), terms AS (SELECT unnest(search_terms(words)) AS term),
counted AS MATERIALIZED (
    SELECT corpus, file, place, n_words, term,
           len(list_filter(hits, lambda hit: contains(hit, ' ' || term || ' '))) AS n_hits
    FROM found, terms
), rarity AS (
    SELECT term, count(*) AS n_holding FROM counted WHERE n_hits > 0 GROUP BY term
), size AS (SELECT count(*) AS documents, avg(n_words) AS mean_words FROM documents),
scored AS MATERIALIZED (
    SELECT corpus, file, place, sum(n_hits)::BIGINT AS hits,
           sum(ln(1 + (documents - n_holding + 0.5) / (n_holding + 0.5)) * n_hits * 2.2
               / (n_hits + 1.2 * (0.25 + 0.75 * n_words / mean_words)) ORDER BY term) AS score
    FROM counted JOIN rarity USING (term), size WHERE n_hits > 0
    GROUP BY corpus, file, place ORDER BY score DESC, corpus, file, place LIMIT n::BIGINT
)
SELECT corpus, doc_id, round(score, 3) AS score, hits, genre, n_tokens,
       '… ' || trim(regexp_replace(regexp_extract(text, '(?is).{0,70}' || search_any(words) || '.{0,70}'),
           '\s+', ' ', 'g')) || ' …' AS snippet
FROM located JOIN scored USING (corpus, file, place) ORDER BY scored.score DESC, corpus, file, place;

-- openings [N]: the N (10) commonest first three words, and the share of documents with an opening of their own
CREATE OR REPLACE MACRO openings(n := 10) AS TABLE
WITH counted AS (
    SELECT corpus, opening, count(*) AS documents FROM marks GROUP BY corpus, opening
), commonest AS (
    SELECT corpus, sum(documents) AS of_documents, round(count(*) / sum(documents), 4) AS distinct_share,
           unnest(min({fewer: -documents, opening: opening}, n::BIGINT)) AS found
    FROM counted GROUP BY corpus
)
SELECT corpus, found.opening AS opening, -found.fewer AS documents,
       round(-found.fewer / of_documents, 4) AS share, distinct_share
FROM commonest ORDER BY corpus, documents DESC, opening;

-- attribution: share of documents that give a reason, per genre; '(all)' is the whole corpus
CREATE OR REPLACE MACRO attribution() AS TABLE
SELECT corpus, coalesce(genre, '(all)') AS genre, count(*) AS documents,
       count(*) FILTER (states_reason) AS with_reason, round(avg(states_reason::INT), 4) AS share
FROM documents GROUP BY GROUPING SETS ((corpus), (corpus, genre))
ORDER BY corpus, grouping(documents.genre) DESC, genre;

-- identity: documents that name the assistant and its provider, and placeholders left unfilled
CREATE OR REPLACE MACRO identity() AS TABLE
SELECT corpus, assistant, provider, count(*) AS documents,
       round(avg(names_assistant::INT), 4) AS share_naming_assistant,
       round(avg(names_provider::INT), 4) AS share_naming_provider, count(*) FILTER (unfilled) AS unfilled
FROM marks GROUP BY corpus, assistant, provider ORDER BY corpus, assistant, provider;

-- health: diversity and quality metrics with their budget, as measured at the build
CREATE OR REPLACE MACRO health() AS TABLE
SELECT corpus, metric.key AS metric, metric.value.value AS value, metric.value.budget AS budget,
       metric.value.n AS n, metric.value.seed AS seed
FROM (
    SELECT corpus, unnest(map_entries(json_transform(manifest->'health',
        '"MAP(VARCHAR, STRUCT(value DOUBLE, budget VARCHAR, n BIGINT, seed BIGINT))"'))) AS metric
    FROM manifests
) ORDER BY corpus, metric;

-- stages: calls of each stage by outcome, as recorded at the build
CREATE OR REPLACE MACRO stages() AS TABLE
SELECT corpus, unnest(stage) FROM (
    SELECT corpus, unnest(json_transform(manifest->'stages', '[{
        "stage": "VARCHAR", "calls": "BIGINT", "ok": "BIGINT", "truncated": "BIGINT", "refused": "BIGINT",
        "unparsed": "BIGINT", "failed": "BIGINT", "rows_out": "BIGINT"}]')) AS stage
    FROM manifests);

-- spend: calls in the ledger per stage and model, and in all: states, tries, tokens, money, seconds a call
CREATE OR REPLACE MACRO spend() AS TABLE
SELECT spec, CASE WHEN grouping(stage) = 1 THEN 'total' ELSE stage END AS stage, model,
       sum(calls)::BIGINT AS calls, sum(tries)::BIGINT AS tries,
       coalesce(sum(calls) FILTER (state = 'ok'), 0)::BIGINT AS ok,
       round(sum(cost_usd), 6) AS usd, sum(tokens_in)::BIGINT AS tokens_in, sum(tokens_out)::BIGINT AS tokens_out,
       round(sum(seconds) / nullif(sum(timed), 0), 3) AS seconds,
       coalesce(sum(calls) FILTER (state = 'truncated'), 0)::BIGINT AS truncated,
       coalesce(sum(calls) FILTER (state = 'refused'), 0)::BIGINT AS refused,
       coalesce(sum(calls) FILTER (state = 'unparsed'), 0)::BIGINT AS unparsed,
       coalesce(sum(calls) FILTER (state = 'failed'), 0)::BIGINT AS failed,
       coalesce(sum(calls) FILTER (state = 'sent'), 0)::BIGINT AS open,
       round(sum(reserved_usd), 6) AS reserved_usd, sum(tokens_cached)::BIGINT AS tokens_cached
FROM spent GROUP BY GROUPING SETS ((spec, stage, model), (spec))
ORDER BY spec, grouping(spent.stage), stage, model;

-- reuse: for each two corpora, documents of the first found in the second: by id, by call, by text
CREATE OR REPLACE MACRO reuse() AS TABLE
WITH ids AS (
    SELECT a.corpus, b.corpus AS other, count(*) AS n
    FROM (SELECT corpus, hash(doc_id) AS id FROM documents) a
    JOIN (SELECT corpus, hash(doc_id) AS id FROM documents) b ON a.id = b.id AND a.corpus <> b.corpus GROUP BY ALL
), asked AS MATERIALIZED (
    SELECT corpus, hash(work_key) AS call, count(*) AS n FROM documents GROUP BY ALL
), calls AS (
    SELECT a.corpus, b.corpus AS other, sum(a.n)::BIGINT AS n
    FROM asked a JOIN asked b ON a.call = b.call AND a.corpus <> b.corpus GROUP BY ALL
), told AS MATERIALIZED (
    SELECT corpus, text_hash, count(*) AS n FROM marks GROUP BY ALL
), texts AS (
    SELECT a.corpus, b.corpus AS other, sum(a.n)::BIGINT AS n
    FROM told a JOIN told b ON a.text_hash = b.text_hash AND a.corpus <> b.corpus GROUP BY ALL
)
SELECT a.corpus, b.corpus AS other, a.documents, coalesce(ids.n, 0) AS same_id,
       coalesce(calls.n, 0) AS same_call, coalesce(texts.n, 0) AS same_text,
       round(coalesce(calls.n, 0) / a.documents, 4) AS share_reused
FROM manifests a JOIN manifests b ON a.corpus <> b.corpus
LEFT JOIN ids ON ids.corpus = a.corpus AND ids.other = b.corpus
LEFT JOIN calls ON calls.corpus = a.corpus AND calls.other = b.corpus
LEFT JOIN texts ON texts.corpus = a.corpus AND texts.other = b.corpus
ORDER BY a.corpus, b.corpus;

-- arm_diff: every corpus beside the first; standardised = in pooled standard deviations, KS and mix from 0 to 1
-- Of whole numbers, to the last digit: var_samp depends on the order in which threads come by.
CREATE OR REPLACE MACRO whole_variance(x) AS
    (count(x) * sum(x::HUGEINT * x) - sum(x)::HUGEINT * sum(x))::DOUBLE / nullif(count(x) * (count(x) - 1), 0);
CREATE OR REPLACE MACRO arm_diff() AS TABLE
WITH pairs AS (
    SELECT a.corpus, b.corpus AS other, b.n_corpus
    FROM manifests a JOIN manifests b ON a.n_corpus = 1 AND b.n_corpus > 1
), counted AS MATERIALIZED (
    SELECT corpus, unnest([
        {n: 1, measure: 'documents', value: count(*)::DOUBLE, variance: NULL::DOUBLE},
        {n: 2, measure: 'tokens', value: sum(n_tokens)::DOUBLE, variance: NULL},
        {n: 3, measure: 'mean tokens', value: avg(n_tokens), variance: whole_variance(n_tokens)},
        {n: 4, measure: 'median tokens', value: median(n_tokens)::DOUBLE, variance: NULL},
        {n: 5, measure: 'mean words', value: avg(n_words), variance: whole_variance(n_words)},
        {n: 6, measure: 'mean claims', value: avg(len(claims_expressed)),
         variance: whole_variance(len(claims_expressed))},
        {n: 7, measure: 'share with reason', value: avg(states_reason::INT),
         variance: whole_variance(states_reason::INT)},
        {n: 8, measure: 'share copied', value: avg(copied) / 1e9, variance: whole_variance(copied) / 1e18}]) AS m
    FROM (SELECT *, round(spec_overlap_share * 1e9)::BIGINT AS copied FROM documents) GROUP BY corpus
), lengths AS (
    SELECT corpus, n_tokens, count(*) AS n FROM documents GROUP BY corpus, n_tokens
), steps AS (
    SELECT p.corpus, p.other, n_tokens, coalesce(sum(n) FILTER (l.corpus = p.corpus), 0) AS here,
           coalesce(sum(n) FILTER (l.corpus = p.other), 0) AS there
    FROM pairs p JOIN lengths l ON l.corpus IN (p.corpus, p.other) GROUP BY ALL
), gaps AS (
    SELECT corpus, other,
           abs(sum(here) OVER up_to / sum(here) OVER whole - sum(there) OVER up_to / sum(there) OVER whole) AS gap
    FROM steps WINDOW whole AS (PARTITION BY corpus, other), up_to AS (PARTITION BY corpus, other ORDER BY n_tokens)
), mix AS MATERIALIZED (
    SELECT corpus, genre, count(*) / sum(count(*)) OVER (PARTITION BY corpus) AS share
    FROM documents GROUP BY corpus, genre
), genre_gaps AS (
    SELECT p.corpus, p.other, genre, abs(sum(CASE WHEN m.corpus = p.corpus THEN share ELSE -share END)) AS gap
    FROM pairs p JOIN mix m ON m.corpus IN (p.corpus, p.other) GROUP BY ALL
), ids AS (
    SELECT d.corpus, count(*) AS n FROM documents d SEMI JOIN (
        SELECT doc_id FROM documents WHERE corpus = (SELECT corpus FROM manifests WHERE n_corpus = 1)
    ) USING (doc_id)
    GROUP BY d.corpus
), texts AS (
    SELECT m.corpus, count(*) AS n FROM marks m SEMI JOIN (
        SELECT text_hash FROM marks WHERE corpus = (SELECT corpus FROM manifests WHERE n_corpus = 1)
    ) USING (text_hash)
    GROUP BY m.corpus
), lines AS (
    SELECT p.corpus, p.other, p.n_corpus, a.m.n, a.m.measure, a.m.value AS value, b.m.value AS other_value,
           a.m.value - b.m.value AS difference,
           (a.m.value - b.m.value) / nullif(sqrt((a.m.variance + b.m.variance) / 2), 0) AS standardised
    FROM pairs p JOIN counted a ON a.corpus = p.corpus JOIN counted b ON b.corpus = p.other AND a.m.n = b.m.n
    UNION ALL
    SELECT corpus, other, n_corpus, 9, 'length KS', NULL, NULL, max(gap), NULL
    FROM gaps JOIN pairs USING (corpus, other) GROUP BY ALL
    UNION ALL
    SELECT corpus, other, n_corpus, 10, 'genre mix', NULL, NULL, sum(gap ORDER BY genre) / 2, NULL
    FROM genre_gaps JOIN pairs USING (corpus, other) GROUP BY ALL
    UNION ALL
    SELECT p.corpus, other, n_corpus, 11, 'doc_ids in both', NULL, coalesce(n, 0), NULL, NULL
    FROM pairs p LEFT JOIN ids ON ids.corpus = p.other
    UNION ALL
    SELECT p.corpus, other, n_corpus, 12, 'texts in both', NULL, coalesce(n, 0), NULL, NULL
    FROM pairs p LEFT JOIN texts ON texts.corpus = p.other
)
SELECT corpus, other, measure, round(value, 4) AS value, round(other_value, 4) AS other_value,
       round(difference, 4) AS difference, round(standardised, 4) AS standardised
FROM lines ORDER BY n_corpus, n;

-- leak: documents marked as expressing claims of other specs, by spec and claim; '(any)' = all of a spec's
CREATE OR REPLACE MACRO leak() AS TABLE
WITH marked AS (
    SELECT corpus, doc_id, unnest(leaks) AS leak FROM documents WHERE len(leaks) > 0
), read AS (
    SELECT corpus, doc_id, split_part(leak, ':', 1) AS spec, split_part(leak, ':', 2) AS claim FROM marked
), counted AS (
    SELECT corpus, CASE WHEN spec = '' THEN '(contradicts its own)' ELSE spec END AS other_spec,
           coalesce(claim, '(any)') AS claim_id, count(DISTINCT doc_id) AS n, min(DISTINCT doc_id, 3) AS examples
    FROM read GROUP BY GROUPING SETS ((corpus, spec), (corpus, spec, claim))
), told AS (
    SELECT manifests.spec, claims.claim_id, min(claims.text) AS text
    FROM claims JOIN manifests USING (corpus) GROUP BY manifests.spec, claims.claim_id
)
SELECT counted.corpus, other_spec, counted.claim_id, n AS documents, round(n / m.documents, 4) AS share, examples,
       text
FROM counted JOIN manifests m ON m.corpus = counted.corpus
LEFT JOIN told ON told.claim_id = counted.claim_id
    AND told.spec = CASE WHEN other_spec = '(contradicts its own)' THEN m.spec ELSE other_spec END
ORDER BY counted.corpus, other_spec, counted.claim_id <> '(any)', n DESC, counted.claim_id;
