/** A `Retry-After` header in milliseconds: it holds seconds or a date; undefined if it holds neither. */
export function retryAfterMs(header: unknown, nowMs: number): number | undefined {
  if (typeof header !== "string" || header === "") return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
