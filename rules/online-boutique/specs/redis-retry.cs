private async Task<T> ExecuteWithRetry<T>(Func<Task<T>> operation, int maxRetries = 3)
{
    int attempt = 0;
    while (true)
    {
        try
        {
            return await operation();
        }
        catch (RedisConnectionException ex)
        {
            attempt++;
            if (attempt >= maxRetries)
            {
                _logger.LogError(ex, "Redis operation failed after {Attempts} attempts", attempt);
                throw;
            }

            var delay = TimeSpan.FromMilliseconds(Math.Pow(2, attempt) * 100);
            _logger.LogWarning("Redis connection failed, retrying in {Delay} ms (attempt {Attempt}/{MaxRetries})",
                delay.TotalMilliseconds, attempt, maxRetries);
            await Task.Delay(delay);
        }
    }
}
