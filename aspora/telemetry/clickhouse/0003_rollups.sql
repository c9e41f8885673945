-- Sums that answer "what did it cost" and "did it get worse" without reading every execution: by
-- hour for a quarter of a year, by day for five. Rows of one key are merged by the engine in its
-- own time, so queries sum them. Costs are of calls with a price; `unpriced_calls` counts the rest.

CREATE TABLE IF NOT EXISTS cost_by_hour (
    hour DateTime('UTC'),
    domain LowCardinality(String),
    agent_role LowCardinality(String),
    skill_name LowCardinality(String),
    skill_version LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64),
    unpriced_calls SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    cost_usd SimpleAggregateFunction(sum, Decimal(38, 9)),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    cache_read_tokens SimpleAggregateFunction(sum, UInt64),
    cache_creation_tokens SimpleAggregateFunction(sum, UInt64),
    unpriced_tokens SimpleAggregateFunction(sum, UInt64),
    latency_ms AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (domain, agent_role, skill_name, skill_version, provider, model, hour)
TTL hour + INTERVAL 90 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS cost_by_hour_from_calls TO cost_by_hour AS
SELECT
    toStartOfHour(started_at) AS hour,
    domain, agent_role, skill_name, skill_version, provider, model,
    count() AS calls,
    countIf(isNull(m.cost_usd)) AS unpriced_calls,
    countIf(error_type != '') AS errors,
    sum(ifNull(m.cost_usd, toDecimal64(0, 9))) AS cost_usd,
    sum(m.input_tokens) AS input_tokens,
    sum(m.output_tokens) AS output_tokens,
    sum(m.cache_read_tokens) AS cache_read_tokens,
    sum(m.cache_creation_tokens) AS cache_creation_tokens,
    sumIf(m.input_tokens + m.output_tokens, isNull(m.cost_usd)) AS unpriced_tokens,
    quantilesTDigestState(0.5, 0.95, 0.99)(m.latency_ms) AS latency_ms
FROM model_calls AS m
GROUP BY hour, domain, agent_role, skill_name, skill_version, provider, model;

CREATE TABLE IF NOT EXISTS quality_by_hour (
    hour DateTime('UTC'),
    domain LowCardinality(String),
    agent_role LowCardinality(String),
    skill_name LowCardinality(String),
    skill_version LowCardinality(String),
    executions SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    duration_ms AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64),
    confidence_sum SimpleAggregateFunction(sum, Float64),
    confidence_count SimpleAggregateFunction(sum, UInt64),
    accepted SimpleAggregateFunction(sum, UInt64),
    corrected SimpleAggregateFunction(sum, UInt64),
    rejected SimpleAggregateFunction(sum, UInt64),
    rating_sum SimpleAggregateFunction(sum, UInt64),
    rating_count SimpleAggregateFunction(sum, UInt64),
    hallucination_checks SimpleAggregateFunction(sum, UInt64),
    hallucinations SimpleAggregateFunction(sum, UInt64),
    quality_checks SimpleAggregateFunction(sum, UInt64),
    quality_failures SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (domain, agent_role, skill_name, skill_version, hour)
TTL hour + INTERVAL 90 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS quality_by_hour_from_executions TO quality_by_hour AS
SELECT
    toStartOfHour(started_at) AS hour,
    domain, agent_role, skill_name, skill_version,
    count() AS executions,
    countIf(NOT success) AS errors,
    quantilesTDigestState(0.5, 0.95, 0.99)(e.duration_ms) AS duration_ms,
    sum(ifNull(confidence, 0)) AS confidence_sum,
    countIf(isNotNull(confidence)) AS confidence_count
FROM executions AS e
GROUP BY hour, domain, agent_role, skill_name, skill_version;

CREATE MATERIALIZED VIEW IF NOT EXISTS quality_by_hour_from_feedback TO quality_by_hour AS
SELECT
    toStartOfHour(given_at) AS hour,
    domain, agent_role, skill_name, skill_version,
    countIf(verdict = 'accepted') AS accepted,
    countIf(verdict = 'corrected') AS corrected,
    countIf(verdict = 'rejected') AS rejected,
    sum(ifNull(rating, 0)) AS rating_sum,
    countIf(isNotNull(rating)) AS rating_count
FROM feedback
GROUP BY hour, domain, agent_role, skill_name, skill_version;

CREATE MATERIALIZED VIEW IF NOT EXISTS quality_by_hour_from_evaluations TO quality_by_hour AS
SELECT
    toStartOfHour(made_at) AS hour,
    domain, agent_role, skill_name, skill_version,
    countIf(evaluation = 'hallucination') AS hallucination_checks,
    countIf(evaluation = 'hallucination' AND NOT passed) AS hallucinations,
    countIf(evaluation = 'quality') AS quality_checks,
    countIf(evaluation = 'quality' AND NOT passed) AS quality_failures
FROM evaluations
GROUP BY hour, domain, agent_role, skill_name, skill_version;

CREATE TABLE IF NOT EXISTS cost_by_day (
    day Date,
    domain LowCardinality(String),
    agent_role LowCardinality(String),
    skill_name LowCardinality(String),
    skill_version LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64),
    unpriced_calls SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    cost_usd SimpleAggregateFunction(sum, Decimal(38, 9)),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    cache_read_tokens SimpleAggregateFunction(sum, UInt64),
    cache_creation_tokens SimpleAggregateFunction(sum, UInt64),
    unpriced_tokens SimpleAggregateFunction(sum, UInt64),
    latency_ms AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYear(day)
ORDER BY (domain, agent_role, skill_name, skill_version, provider, model, day)
TTL day + INTERVAL 1827 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS cost_by_day_from_calls TO cost_by_day AS
SELECT
    toDate(started_at) AS day,
    domain, agent_role, skill_name, skill_version, provider, model,
    count() AS calls,
    countIf(isNull(m.cost_usd)) AS unpriced_calls,
    countIf(error_type != '') AS errors,
    sum(ifNull(m.cost_usd, toDecimal64(0, 9))) AS cost_usd,
    sum(m.input_tokens) AS input_tokens,
    sum(m.output_tokens) AS output_tokens,
    sum(m.cache_read_tokens) AS cache_read_tokens,
    sum(m.cache_creation_tokens) AS cache_creation_tokens,
    sumIf(m.input_tokens + m.output_tokens, isNull(m.cost_usd)) AS unpriced_tokens,
    quantilesTDigestState(0.5, 0.95, 0.99)(m.latency_ms) AS latency_ms
FROM model_calls AS m
GROUP BY day, domain, agent_role, skill_name, skill_version, provider, model;

CREATE TABLE IF NOT EXISTS quality_by_day (
    day Date,
    domain LowCardinality(String),
    agent_role LowCardinality(String),
    skill_name LowCardinality(String),
    skill_version LowCardinality(String),
    executions SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    duration_ms AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64),
    confidence_sum SimpleAggregateFunction(sum, Float64),
    confidence_count SimpleAggregateFunction(sum, UInt64),
    accepted SimpleAggregateFunction(sum, UInt64),
    corrected SimpleAggregateFunction(sum, UInt64),
    rejected SimpleAggregateFunction(sum, UInt64),
    rating_sum SimpleAggregateFunction(sum, UInt64),
    rating_count SimpleAggregateFunction(sum, UInt64),
    hallucination_checks SimpleAggregateFunction(sum, UInt64),
    hallucinations SimpleAggregateFunction(sum, UInt64),
    quality_checks SimpleAggregateFunction(sum, UInt64),
    quality_failures SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYear(day)
ORDER BY (domain, agent_role, skill_name, skill_version, day)
TTL day + INTERVAL 1827 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS quality_by_day_from_executions TO quality_by_day AS
SELECT
    toDate(started_at) AS day,
    domain, agent_role, skill_name, skill_version,
    count() AS executions,
    countIf(NOT success) AS errors,
    quantilesTDigestState(0.5, 0.95, 0.99)(e.duration_ms) AS duration_ms,
    sum(ifNull(confidence, 0)) AS confidence_sum,
    countIf(isNotNull(confidence)) AS confidence_count
FROM executions AS e
GROUP BY day, domain, agent_role, skill_name, skill_version;

CREATE MATERIALIZED VIEW IF NOT EXISTS quality_by_day_from_feedback TO quality_by_day AS
SELECT
    toDate(given_at) AS day,
    domain, agent_role, skill_name, skill_version,
    countIf(verdict = 'accepted') AS accepted,
    countIf(verdict = 'corrected') AS corrected,
    countIf(verdict = 'rejected') AS rejected,
    sum(ifNull(rating, 0)) AS rating_sum,
    countIf(isNotNull(rating)) AS rating_count
FROM feedback
GROUP BY day, domain, agent_role, skill_name, skill_version;

CREATE MATERIALIZED VIEW IF NOT EXISTS quality_by_day_from_evaluations TO quality_by_day AS
SELECT
    toDate(made_at) AS day,
    domain, agent_role, skill_name, skill_version,
    countIf(evaluation = 'hallucination') AS hallucination_checks,
    countIf(evaluation = 'hallucination' AND NOT passed) AS hallucinations,
    countIf(evaluation = 'quality') AS quality_checks,
    countIf(evaluation = 'quality' AND NOT passed) AS quality_failures
FROM evaluations
GROUP BY day, domain, agent_role, skill_name, skill_version;
