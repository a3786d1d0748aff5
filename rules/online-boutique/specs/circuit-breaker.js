const CircuitBreaker = require('opossum');
const NodeCache = require('node-cache');

const cache = new NodeCache({ stdTTL: 3600 }); // 1 hour cache

async function fetchExchangeRates() {
    const response = await fetch(ECB_API_URL, { signal: AbortSignal.timeout(5000) });
    return parseXMLRates(await response.text());
}

const breaker = new CircuitBreaker(fetchExchangeRates, {
    timeout: 5000,
    errorThresholdPercentage: 50,
    resetTimeout: 30000
});

// The fallback outlives the cache: old rates are better than none.
breaker.fallback(() => {
    const cached = cache.get('exchange_rates_fallback');
    if (cached) return cached;
    throw new Error('No fallback data available');
});

breaker.on('open', () => console.error('Circuit breaker opened - ECB API unavailable'));

async function getExchangeRates() {
    const cached = cache.get('exchange_rates');
    if (cached) return cached;

    const rates = await breaker.fire();
    cache.set('exchange_rates', rates);
    cache.set('exchange_rates_fallback', rates, 0); // kept until it is replaced
    return rates;
}
