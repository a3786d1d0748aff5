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
        meter.CreateObservableGauge("connections_idle", () => Idle(connection.GetCounters().Interactive));
        meter.CreateObservableGauge("redis_operations_waiting", () => connection.GetCounters().TotalOutstanding);
        connection.ConnectionFailed += (_, failure) =>
            _failures.Add(1, new KeyValuePair<string, object?>("kind", failure.FailureType.ToString()));
    }

    // A connection with nothing to answer is idle: here all are, or none, since they share what is sent.
    private static long Idle(ConnectionCounters counters) => counters.TotalOutstanding == 0 ? counters.SocketCount : 0;

    public void Waited(TimeSpan span) => _wait.Record(span.TotalMilliseconds);
}
