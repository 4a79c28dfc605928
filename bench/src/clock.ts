/** Milliseconds that all threads of this process agree on, and that never go back. */
export function createClock(): () => number {
  const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  return () => performance.now() + offset;
}
