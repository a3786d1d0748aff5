// The health of currencyservice, with that of the ECB API. Liveness is the process alone: a restart mends no
// provider. Readiness is whether rates can be served. The dependency is told apart, for an alert of its own.
const PROBE_MS = 2000;

function healthHandlers({ ratesUrl, ratesAgeMs }) {
  async function ecb() {
    const from = performance.now();
    try {
      const answer = await fetch(ratesUrl, { method: 'HEAD', signal: AbortSignal.timeout(PROBE_MS) });
      return { ok: answer.ok, status: answer.status, latency_ms: Math.round(performance.now() - from) };
    } catch (error) {
      return { ok: false, error: error.name, latency_ms: Math.round(performance.now() - from) };
    }
  }

  return {
    live: (_, response) => response.end('ok'),
    ready: (_, response) => {
      response.statusCode = Number.isFinite(ratesAgeMs()) ? 200 : 503;
      response.end();
    },
    dependencies: async (_, response) => {
      const state = { ecb: await ecb(), rates_age_ms: ratesAgeMs() };
      response.setHeader('content-type', 'application/json');
      response.statusCode = state.ecb.ok ? 200 : 503;
      response.end(JSON.stringify(state));
    },
  };
}

module.exports = { healthHandlers };
