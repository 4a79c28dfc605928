/** What a gateway has done since its last report. */
export class Counters {
  opened = 0;
  closed = 0;
  refused = 0;
  uplinks = 0;
  uplinksFailed = 0;
  heartbeats = 0;
  delivered = 0;
  /** Hints in place of records, to connections that were too slow for them. */
  hinted = 0;
  /** Signals that were left out for the same reason. */
  dropped = 0;

  /** Gives the counts and begins anew. */
  take(): Readonly<Record<string, number>> {
    const counts = Object.fromEntries(Object.entries(this));
    Object.assign(this, new Counters());
    return counts;
  }
}
