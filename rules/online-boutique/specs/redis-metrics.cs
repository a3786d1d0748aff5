// The connections from cartservice to Redis, as OpenTelemetry metrics. `connection` is the one multiplexer of the process.
internal sealed class RedisMetrics
{
    private readonly Histogram<double> _wait;
    private readonly Counter<long> _failures;

    public RedisMetrics(IConnectionMultiplexer connection)
    {
        var meter = new Meter("cartservice.redis");
        _wait = meter.CreateHistogram<double>("redis_connection_wait_ms", "ms");
        _failures = meter.CreateCounter<long>("redis_connection_errors");
        meter.CreateObservableGauge("connections_active", () => connection.GetCounters().Interactive.SocketCount);
        meter.CreateObservableGauge("redis_operations_waiting", () => connection.GetCounters().TotalOutstanding);
        connection.ConnectionFailed += (_, failure) =>
            _failures.Add(1, new KeyValuePair<string, object?>("kind", failure.FailureType.ToString()));
    }

    public void Waited(TimeSpan span) => _wait.Record(span.TotalMilliseconds);
}
