/** Does something with every item, so many at a time. After a failure nothing new is begun; rejects when all has ended. */
export async function inTurns<T>(items: Iterable<T>, atOnce: number, act: (item: T) => Promise<void>): Promise<void> {
  const left = items[Symbol.iterator]();
  let failed = false;
  const work = async () => {
    while (!failed) {
      const { done, value } = left.next();
      if (done) return;
      try {
        await act(value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: atOnce }, work));
  for (const worker of workers) if (worker.status === "rejected") throw worker.reason;
}
