// Runs an operation on Redis again when the connection fails: after 100, 200 and 400 ms, each with up to half of
// it added by chance, so that the replicas of cartservice do not come back all at once.
internal static class RedisRetry
{
    private const int Tries = 4;
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);

    public static async Task<T> RunAsync<T>(Func<Task<T>> operation, ILogger log, CancellationToken cancel)
    {
        for (var n = 0; ; n++)
        {
            try
            {
                return await operation();
            }
            catch (Exception e) when (n + 1 < Tries && e is (RedisConnectionException or RedisTimeoutException))
            {
                var pause = First * Math.Pow(2, n) * (1 + Random.Shared.NextDouble() / 2);
                log.LogWarning(e, "Redis failed, try {Next} of {Tries} in {Pause}", n + 2, Tries, pause);
                await Task.Delay(pause, cancel);
            }
        }
    }
}
