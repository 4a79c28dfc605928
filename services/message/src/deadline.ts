import { shared } from "@oceanchat/runtime/fail";

/** The result of the work, or UNAVAILABLE when it takes longer. For reads: the work itself goes on, and nobody looks at it. */
export async function within<T>(timeoutMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(shared.unavailable(`${what} did not answer in ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
