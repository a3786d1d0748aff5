// Rates from the European Central Bank behind a circuit breaker. While the circuit is open, and whenever
// a call fails, the newest rates that ever came are served: old rates are better than none.
const FRESH_MS = 60 * 60 * 1000;    // rates are good for an hour
const CALL_MS = 5000;               // the longest a call may take
const PROBE_MS = 30 * 1000;         // how long the circuit stays open before one call is let through
const CALLS = 10;                   // the circuit judges by the last ten calls

class RatesBreaker {
  constructor(load, log) {
    this.load = load;               // (signal) => rates
    this.log = log;
    this.failed = [];               // of the last calls: true or false
    this.openUntil = 0;
    this.rates = null;
    this.ratesAt = -Infinity;
  }

  note(failed) {
    this.failed = [...this.failed, failed].slice(-CALLS);
    const errors = this.failed.filter(Boolean).length;
    if (failed && this.failed.length === CALLS && errors >= CALLS / 2) {
      if (this.openUntil === 0) this.log.error({ event: 'circuit_opened', dependency: 'ecb' });
      this.openUntil = Date.now() + PROBE_MS;
    } else if (!failed && this.openUntil !== 0) {
      this.log.info({ event: 'circuit_closed', dependency: 'ecb' });
      this.openUntil = 0;
      this.failed = [];
    }
  }

  last(cause) {
    if (this.rates === null) throw cause;
    return this.rates;
  }

  async get() {
    const now = Date.now();
    if (now - this.ratesAt < FRESH_MS) return this.rates;
    if (now < this.openUntil) return this.last(new Error('exchange rates are unavailable'));
    if (this.openUntil !== 0) this.openUntil = now + PROBE_MS;   // this call is the probe, the others wait
    try {
      this.rates = await this.load(AbortSignal.timeout(CALL_MS));
      this.ratesAt = Date.now();
      this.note(false);
      return this.rates;
    } catch (error) {
      this.note(true);
      return this.last(error);
    }
  }
}

module.exports = { RatesBreaker };
