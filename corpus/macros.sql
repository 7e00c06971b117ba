-- The questions every corpus is asked. A line "-- name ARGUMENTS: what it answers" above a macro is its
-- help in `specmill query --macros`. Macros read the views of catalogue.py; each view but calls has a column
-- corpus, so that several corpora stand side by side.

-- funnel: from plan to shipped documents, with a reason for every loss
CREATE MACRO funnel() AS TABLE
SELECT corpus, step, documents, coalesce(list_sum(map_values(dropped)), 0)::BIGINT AS lost,
       round(documents / first_value(documents) OVER (PARTITION BY corpus ORDER BY n_step), 4) AS share_left,
       array_to_string(list_transform(
           list_reverse_sort(list_transform(map_entries(dropped), lambda e: {n: e.value, reason: e.key})),
           lambda e: e.reason || ' ' || e.n), ', ') AS reasons
FROM funnel_steps
ORDER BY corpus, n_step;

-- why_dropped: every reason documents were lost for, how often, and an example
-- why_dropped DOC_ID: lost documents whose id begins so, with their text
CREATE MACRO why_dropped() AS TABLE (
    WITH counted AS (
        SELECT corpus, step, entry.key AS reason, entry.value AS n
        FROM (SELECT corpus, step, unnest(map_entries(dropped)) AS entry FROM funnel_steps)
    ), examples AS (
        SELECT corpus, reason, any_value(stage) AS stage, count(*) AS n, min(doc_id) AS example,
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
CREATE MACRO coverage() AS TABLE
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
CREATE MACRO totals() AS TABLE
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
CREATE MACRO tokens() AS TABLE
SELECT corpus, documents.tokenizer, count(*) AS documents, sum(n_tokens)::BIGINT AS tokens,
       round(avg(n_tokens), 1) AS mean_tokens, round(sum(n_tokens) / sum(n_words), 3) AS tokens_per_word,
       sum(n_tokens) = any_value(manifests.tokens) AS as_in_manifest
FROM documents JOIN manifests USING (corpus)
GROUP BY corpus, documents.tokenizer ORDER BY corpus, documents.tokenizer;

-- airtime: tokens per claim and genre; shared = a document's tokens split evenly over its claims
CREATE MACRO airtime() AS TABLE
WITH heard AS (
    SELECT corpus, genre, n_tokens, greatest(1, len(claims_expressed)) AS n_claims,
           unnest(if(len(claims_expressed) = 0, ['(none)'], claims_expressed)) AS claim_id
    FROM documents
)
SELECT heard.corpus, claim_id, genre, count(*) AS documents,
       round(sum(n_tokens / n_claims), 1) AS tokens_shared, sum(n_tokens)::BIGINT AS tokens_full,
       any_value(claims.text) AS text
FROM heard LEFT JOIN claims USING (corpus, claim_id)
GROUP BY heard.corpus, claim_id, genre
ORDER BY heard.corpus, min(claims.start_char) NULLS LAST, claim_id, genre;

-- genres: documents and tokens of each genre
CREATE MACRO genres() AS TABLE
SELECT corpus, genre, count(*) AS documents, sum(n_tokens)::BIGINT AS tokens,
       round(avg(n_tokens), 1) AS mean_tokens,
       round(sum(n_tokens) / sum(sum(n_tokens)) OVER (PARTITION BY corpus), 4) AS share_of_tokens
FROM documents GROUP BY corpus, genre ORDER BY corpus, tokens DESC, genre;

-- audiences: documents and tokens for each audience
CREATE MACRO audiences() AS TABLE
SELECT corpus, audience, count(*) AS documents, sum(n_tokens)::BIGINT AS tokens,
       round(avg(n_tokens), 1) AS mean_tokens,
       round(sum(n_tokens) / sum(sum(n_tokens)) OVER (PARTITION BY corpus), 4) AS share_of_tokens
FROM documents GROUP BY corpus, audience ORDER BY corpus, tokens DESC, audience;

-- lengths [BIN]: histogram of document lengths in bins of 100 (or BIN) tokens
CREATE MACRO lengths(bin := 100) AS TABLE
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
CREATE MACRO percentiles() AS TABLE
SELECT corpus, count(*) AS documents, round(avg(n_tokens), 1) AS mean, min(n_tokens) AS shortest,
       quantile_disc(n_tokens, 0.05) AS p5, quantile_disc(n_tokens, 0.25) AS p25,
       quantile_disc(n_tokens, 0.5) AS median, quantile_disc(n_tokens, 0.75) AS p75,
       quantile_disc(n_tokens, 0.95) AS p95, max(n_tokens) AS longest
FROM documents GROUP BY corpus ORDER BY corpus;

-- sample [N [SEED]]: N (5) documents drawn by a hash of seed (0) and id, the same on every machine
CREATE MACRO sample(n := 5, seed := 0) AS TABLE
SELECT corpus, doc_id, genre, audience, n_tokens, text
FROM documents ORDER BY md5(seed::VARCHAR || doc_id), corpus LIMIT n::BIGINT;

-- doc DOC_ID: whole documents whose id begins so
CREATE MACRO doc(id) AS TABLE
SELECT * FROM documents WHERE starts_with(doc_id, id::VARCHAR) ORDER BY corpus, doc_id;

-- openings [N]: the N (10) commonest first three words, and the share of documents with an opening of their own
CREATE MACRO openings(n := 10) AS TABLE
WITH opened AS (
    SELECT corpus, array_to_string(
        regexp_extract_all(lower(left(text, 300)), '[\p{L}\p{N}''’{}_-]+')[1:3], ' ') AS opening
    FROM documents
), counted AS (
    SELECT corpus, opening, count(*) AS documents,
           round(count(*) OVER (PARTITION BY corpus) / sum(count(*)) OVER (PARTITION BY corpus), 4)
               AS distinct_share,
           round(count(*) / sum(count(*)) OVER (PARTITION BY corpus), 4) AS share
    FROM opened GROUP BY corpus, opening
)
SELECT corpus, opening, documents, share, distinct_share
FROM counted
QUALIFY row_number() OVER (PARTITION BY corpus ORDER BY documents DESC, opening) <= n::BIGINT
ORDER BY corpus, documents DESC, opening;

-- attribution: share of documents that give a reason, per genre; '(all)' is the whole corpus
CREATE MACRO attribution() AS TABLE
SELECT corpus, coalesce(genre, '(all)') AS genre, count(*) AS documents,
       count(*) FILTER (states_reason) AS with_reason, round(avg(states_reason::INT), 4) AS share
FROM documents GROUP BY GROUPING SETS ((corpus), (corpus, genre))
ORDER BY corpus, grouping(documents.genre) DESC, genre;

-- identity: documents that name the assistant and its provider, and placeholders left unfilled
CREATE MACRO identity() AS TABLE
SELECT corpus, assistant, provider, count(*) AS documents,
       round(avg(contains(text, assistant)::INT), 4) AS share_naming_assistant,
       round(avg(contains(text, provider)::INT), 4) AS share_naming_provider,
       count(*) FILTER (contains(text, '{model_name}') OR contains(text, '{provider_name}')) AS unfilled
FROM documents GROUP BY corpus, assistant, provider ORDER BY corpus, assistant, provider;

-- health: diversity and quality metrics with their budget, as measured at the build
CREATE MACRO health() AS TABLE
SELECT corpus, metric.key AS metric, metric.value.value AS value, metric.value.budget AS budget,
       metric.value.n AS n, metric.value.seed AS seed
FROM (
    SELECT corpus, unnest(map_entries(json_transform(manifest->'health',
        '"MAP(VARCHAR, STRUCT(value DOUBLE, budget VARCHAR, n BIGINT, seed BIGINT))"'))) AS metric
    FROM manifests
) ORDER BY corpus, metric;

-- stages: calls of each stage by outcome, as recorded at the build
CREATE MACRO stages() AS TABLE
SELECT corpus, unnest(stage) FROM (
    SELECT corpus, unnest(json_transform(manifest->'stages', '[{
        "stage": "VARCHAR", "calls": "BIGINT", "ok": "BIGINT", "truncated": "BIGINT", "refused": "BIGINT",
        "unparsed": "BIGINT", "failed": "BIGINT", "rows_out": "BIGINT"}]')) AS stage
    FROM manifests);

-- spend: calls in the ledger per stage and model, and in all: states, tries, tokens, money, seconds a call
CREATE MACRO spend() AS TABLE
SELECT spec, if(grouping(stage) = 1, 'total', stage) AS stage, model, count(*) AS calls,
       sum(attempts)::BIGINT AS tries, count(*) FILTER (state = 'ok') AS ok, round(sum(cost_usd), 6) AS usd,
       sum(tokens_in)::BIGINT AS tokens_in, sum(tokens_out)::BIGINT AS tokens_out,
       round(avg(seconds), 3) AS seconds, count(*) FILTER (state = 'truncated') AS truncated,
       count(*) FILTER (state = 'refused') AS refused, count(*) FILTER (state = 'unparsed') AS unparsed,
       count(*) FILTER (state = 'failed') AS failed, count(*) FILTER (state = 'sent') AS open,
       round(sum(reserved_usd), 6) AS reserved_usd, sum(tokens_cached)::BIGINT AS tokens_cached
FROM calls GROUP BY GROUPING SETS ((spec, stage, model), (spec))
ORDER BY spec, grouping(calls.stage), stage, model;

-- reuse: for each two corpora, documents of the first found in the second: by id, by call, by text
CREATE MACRO reuse() AS TABLE
WITH keys AS (
    SELECT corpus, unnest([{kind: 'id', key: doc_id}, {kind: 'call', key: work_key},
                           {kind: 'text', key: md5(text)}]) AS k
    FROM documents
), seen AS (SELECT DISTINCT corpus, k FROM keys),
found AS (
    SELECT keys.corpus, seen.corpus AS other, count(*) FILTER (keys.k.kind = 'id') AS same_id,
           count(*) FILTER (keys.k.kind = 'call') AS same_call, count(*) FILTER (keys.k.kind = 'text') AS same_text
    FROM keys JOIN seen ON keys.k = seen.k AND keys.corpus <> seen.corpus GROUP BY ALL
)
SELECT a.corpus, b.corpus AS other, a.documents, coalesce(same_id, 0) AS same_id,
       coalesce(same_call, 0) AS same_call, coalesce(same_text, 0) AS same_text,
       round(coalesce(same_call, 0) / a.documents, 4) AS share_reused
FROM manifests a JOIN manifests b ON a.corpus <> b.corpus
LEFT JOIN found ON found.corpus = a.corpus AND found.other = b.corpus
ORDER BY a.corpus, b.corpus;

-- arm_diff: how two corpora differ; standardised = in pooled standard deviations; genre mix = share that differs
CREATE MACRO arm_diff() AS TABLE
WITH counted AS (
    SELECT corpus, unnest([
        {n: 1, measure: 'documents', value: count(*)::DOUBLE, variance: NULL::DOUBLE},
        {n: 2, measure: 'tokens', value: sum(n_tokens)::DOUBLE, variance: NULL},
        {n: 3, measure: 'mean tokens', value: avg(n_tokens), variance: var_samp(n_tokens)},
        {n: 4, measure: 'mean words', value: avg(n_words), variance: var_samp(n_words)},
        {n: 5, measure: 'mean claims', value: avg(len(claims_expressed)),
         variance: var_samp(len(claims_expressed))},
        {n: 6, measure: 'share with reason', value: avg(states_reason::INT),
         variance: var_samp(states_reason::INT)},
        {n: 7, measure: 'share copied', value: avg(spec_overlap_share),
         variance: var_samp(spec_overlap_share)}]) AS m
    FROM documents GROUP BY corpus
), mix AS (
    SELECT corpus, genre, count(*) / sum(count(*)) OVER (PARTITION BY corpus) AS share
    FROM documents GROUP BY corpus, genre
), pairs AS (
    SELECT a.corpus, b.corpus AS other FROM manifests a JOIN manifests b ON a.corpus < b.corpus
), genre_gap AS (
    SELECT p.corpus, p.other, sum(abs(coalesce(a.share, 0) - coalesce(b.share, 0))) / 2 AS gap
    FROM pairs p CROSS JOIN (SELECT DISTINCT genre FROM mix) g
    LEFT JOIN mix a ON a.corpus = p.corpus AND a.genre = g.genre
    LEFT JOIN mix b ON b.corpus = p.other AND b.genre = g.genre
    GROUP BY ALL
), lines AS (
    SELECT a.corpus, b.corpus AS other, a.m.n, a.m.measure, a.m.value AS value, b.m.value AS other_value,
           a.m.value - b.m.value AS difference,
           (a.m.value - b.m.value) / nullif(sqrt((a.m.variance + b.m.variance) / 2), 0) AS standardised
    FROM counted a JOIN counted b ON a.m.n = b.m.n AND a.corpus < b.corpus
    UNION ALL
    SELECT corpus, other, 8, 'genre mix', NULL, NULL, gap, NULL FROM genre_gap
)
SELECT corpus, other, measure, round(value, 4) AS value, round(other_value, 4) AS other_value,
       round(difference, 4) AS difference, round(standardised, 4) AS standardised
FROM lines ORDER BY corpus, other, n;
