import { type EventLoopUtilization, performance } from "node:perf_hooks";

/** How long is looked at a time, in milliseconds. */
const WINDOW_MS = 200;
const BUSY = 0.9;

/** Whether the event loop has found something to do whenever it looked: then more may wait in the system, unseen. */
export class LoopLoad {
  #last: EventLoopUtilization = performance.eventLoopUtilization();
  #isBusy = false;

  isBusy(): boolean {
    const since = performance.eventLoopUtilization(this.#last);
    if (since.active + since.idle >= WINDOW_MS) {
      this.#isBusy = since.utilization > BUSY;
      this.#last = performance.eventLoopUtilization();
    }
    return this.#isBusy;
  }
}
