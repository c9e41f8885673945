-- The records that spans carry, one table each. A cost is NULL where the price is not known.
CREATE TABLE IF NOT EXISTS executions (
    started_at DateTime64(6, 'UTC'),
    trace_id String,
    span_id String,
    parent_span_id String,
    environment LowCardinality(String),
    domain LowCardinality(String),
    agent_role LowCardinality(String),
    skill_name LowCardinality(String),
    skill_version LowCardinality(String),
    trigger_type LowCardinality(String),
    user_id String,
    session_id String,
    duration_ms UInt64,
    success Bool,
    error_type LowCardinality(String),
    error_message String,
    input_tokens UInt64,
    output_tokens UInt64,
    model_cost_usd Nullable(Decimal(18, 9)),
    confidence Nullable(Float64),
    actions_taken Array(String),
    cpu_millis Nullable(UInt64),
    memory_mb Nullable(UInt64),
    io_bytes Nullable(UInt64)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(started_at)
ORDER BY (domain, agent_role, skill_name, started_at)
TTL toDateTime(started_at) + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS model_calls (
    started_at DateTime64(6, 'UTC'),
    trace_id String,
    span_id String,
    execution_span_id String,
    environment LowCardinality(String),
    domain LowCardinality(String),
    agent_role LowCardinality(String),
    skill_name LowCardinality(String),
    skill_version LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    response_model LowCardinality(String),
    finish_reasons Array(String),
    latency_ms UInt64,
    time_to_first_token_ms Nullable(UInt64),
    input_tokens UInt64,
    output_tokens UInt64,
    cache_read_tokens UInt64,
    cache_creation_tokens UInt64,
    cost_usd Nullable(Decimal(18, 9)),
    cost_source LowCardinality(String),
    error_type LowCardinality(String)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(started_at)
ORDER BY (domain, agent_role, skill_name, model, started_at)
TTL toDateTime(started_at) + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS feedback (
    given_at DateTime64(6, 'UTC'),
    trace_id String,
    span_id String,
    execution_span_id String,
    environment LowCardinality(String),
    domain LowCardinality(String),
    agent_role LowCardinality(String),
    skill_name LowCardinality(String),
    skill_version LowCardinality(String),
    verdict LowCardinality(String),
    accepted Bool,
    rating Nullable(UInt8)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(given_at)
ORDER BY (domain, agent_role, skill_name, given_at)
TTL toDateTime(given_at) + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS evaluations (
    made_at DateTime64(6, 'UTC'),
    trace_id String,
    span_id String,
    execution_span_id String,
    environment LowCardinality(String),
    domain LowCardinality(String),
    agent_role LowCardinality(String),
    skill_name LowCardinality(String),
    skill_version LowCardinality(String),
    evaluation LowCardinality(String),
    passed Bool,
    score Nullable(Float64)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(made_at)
ORDER BY (domain, agent_role, skill_name, made_at)
TTL toDateTime(made_at) + INTERVAL 400 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS executions_from_spans TO executions AS
SELECT
    Timestamp AS started_at,
    TraceId AS trace_id,
    SpanId AS span_id,
    ParentSpanId AS parent_span_id,
    ResourceAttributes['deployment.environment.name'] AS environment,
    ResourceAttributes['aspora.domain'] AS domain,
    ResourceAttributes['aspora.agent.role'] AS agent_role,
    ResourceAttributes['aspora.skill.name'] AS skill_name,
    SpanAttributes['aspora.skill.version'] AS skill_version,
    SpanAttributes['aspora.trigger.type'] AS trigger_type,
    SpanAttributes['user.id'] AS user_id,
    SpanAttributes['session.id'] AS session_id,
    intDiv(Duration, 1000000) AS duration_ms,
    StatusCode != 'Error' AS success,
    SpanAttributes['error.type'] AS error_type,
    StatusMessage AS error_message,
    toUInt64OrZero(SpanAttributes['gen_ai.usage.input_tokens']) AS input_tokens,
    toUInt64OrZero(SpanAttributes['gen_ai.usage.output_tokens']) AS output_tokens,
    toDecimal64OrNull(SpanAttributes['aspora.cost.model_usd'], 9) AS model_cost_usd,
    toFloat64OrNull(SpanAttributes['aspora.output.confidence']) AS confidence,
    JSONExtract(SpanAttributes['aspora.output.actions'], 'Array(String)') AS actions_taken,
    toUInt64OrNull(SpanAttributes['aspora.resources.cpu_millis']) AS cpu_millis,
    toUInt64OrNull(SpanAttributes['aspora.resources.memory_mb']) AS memory_mb,
    toUInt64OrNull(SpanAttributes['aspora.resources.io_bytes']) AS io_bytes
FROM otel_traces
WHERE SpanAttributes['aspora.record'] = 'execution';

CREATE MATERIALIZED VIEW IF NOT EXISTS model_calls_from_spans TO model_calls AS
SELECT
    Timestamp AS started_at,
    TraceId AS trace_id,
    SpanId AS span_id,
    ParentSpanId AS execution_span_id,
    ResourceAttributes['deployment.environment.name'] AS environment,
    ResourceAttributes['aspora.domain'] AS domain,
    ResourceAttributes['aspora.agent.role'] AS agent_role,
    ResourceAttributes['aspora.skill.name'] AS skill_name,
    SpanAttributes['aspora.skill.version'] AS skill_version,
    SpanAttributes['gen_ai.provider.name'] AS provider,
    SpanAttributes['gen_ai.request.model'] AS model,
    SpanAttributes['gen_ai.response.model'] AS response_model,
    JSONExtract(SpanAttributes['gen_ai.response.finish_reasons'], 'Array(String)') AS finish_reasons,
    intDiv(Duration, 1000000) AS latency_ms,
    toUInt64(round(1000 * toFloat64OrNull(SpanAttributes['gen_ai.response.time_to_first_chunk'])))
        AS time_to_first_token_ms,
    toUInt64OrZero(SpanAttributes['gen_ai.usage.input_tokens']) AS input_tokens,
    toUInt64OrZero(SpanAttributes['gen_ai.usage.output_tokens']) AS output_tokens,
    toUInt64OrZero(SpanAttributes['gen_ai.usage.cache_read.input_tokens']) AS cache_read_tokens,
    toUInt64OrZero(SpanAttributes['gen_ai.usage.cache_creation.input_tokens'])
        AS cache_creation_tokens,
    toDecimal64OrNull(SpanAttributes['aspora.cost.model_usd'], 9) AS cost_usd,
    SpanAttributes['aspora.cost.source'] AS cost_source,
    SpanAttributes['error.type'] AS error_type
FROM otel_traces
WHERE SpanAttributes['aspora.record'] = 'model_call';

CREATE MATERIALIZED VIEW IF NOT EXISTS feedback_from_spans TO feedback AS
SELECT
    Timestamp AS given_at,
    TraceId AS trace_id,
    SpanId AS span_id,
    ParentSpanId AS execution_span_id,
    ResourceAttributes['deployment.environment.name'] AS environment,
    ResourceAttributes['aspora.domain'] AS domain,
    ResourceAttributes['aspora.agent.role'] AS agent_role,
    ResourceAttributes['aspora.skill.name'] AS skill_name,
    SpanAttributes['aspora.skill.version'] AS skill_version,
    SpanAttributes['aspora.feedback.verdict'] AS verdict,
    SpanAttributes['aspora.feedback.accepted'] = 'true' AS accepted,
    toUInt8OrNull(SpanAttributes['aspora.feedback.rating']) AS rating
FROM otel_traces
WHERE SpanAttributes['aspora.record'] = 'feedback';

CREATE MATERIALIZED VIEW IF NOT EXISTS evaluations_from_spans TO evaluations AS
SELECT
    Timestamp AS made_at,
    TraceId AS trace_id,
    SpanId AS span_id,
    ParentSpanId AS execution_span_id,
    ResourceAttributes['deployment.environment.name'] AS environment,
    ResourceAttributes['aspora.domain'] AS domain,
    ResourceAttributes['aspora.agent.role'] AS agent_role,
    ResourceAttributes['aspora.skill.name'] AS skill_name,
    SpanAttributes['aspora.skill.version'] AS skill_version,
    SpanAttributes['gen_ai.evaluation.name'] AS evaluation,
    SpanAttributes['gen_ai.evaluation.score.label'] = 'pass' AS passed,
    toFloat64OrNull(SpanAttributes['gen_ai.evaluation.score.value']) AS score
FROM otel_traces
WHERE SpanAttributes['aspora.record'] = 'evaluation';
