import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { DoorMethods } from "./door-methods.ts";
import { pathOf } from "./grpc-wire.ts";
import { heardLater } from "./heard-later.ts";
import { InFlight } from "./in-flight.ts";
import { GivenUp, NearCall, type NearCallOptions } from "./near-call.ts";
import type { Turns } from "./turns.ts";
import { asSent } from "./wire-error.ts";

/** A stream of batched calls to a door, as the door sees it. */
export interface NearCaller {
  /** The door is closed: what is unanswered is lost. */
  lose(cause: unknown): void;
}

const WHO = "a service of this process";

/** A mesh door as services of the same process see it: what a gRPC server does for the others, without one. */
export class Neighbour {
  readonly methods: DoorMethods;
  /** When calls begin. */
  readonly turns: Turns;
  readonly #changed: () => void;
  readonly #services: ReadonlySet<string>;
  readonly #calls = new InFlight<NearCall>();
  readonly #callers = new Set<NearCaller>();
  #serving = false;
  #closed = false;
  /** Called when nothing runs any more. */
  #idle = () => {};

  /** `changed` hears when it serves or doesn't any more. */
  constructor(methods: DoorMethods, turns: Turns, changed: () => void) {
    this.methods = methods;
    this.turns = turns;
    this.#changed = changed;
    this.#services = new Set(methods.services);
  }

  /** Whether calls to this service are taken. */
  serves(service: string): boolean {
    return this.#serving && this.#services.has(service);
  }

  setServing(serving: boolean): void {
    if (this.#closed || serving === this.#serving) return;
    this.#serving = serving;
    this.#changed();
  }

  /** Rejects with the service's ServiceError, with OUTCOME_UNKNOWN at the deadline and with a `GivenUp`. */
  unary(method: DescMethod, request: Message, options: NearCallOptions): Promise<Message> {
    return new Promise((resolve, reject) => {
      const path = pathOf(method);
      const handler = this.methods.handler(method);
      const leave = this.methods.enter(path, WHO);
      const call = this.#begin(path, options, reject);
      const answer = async () => {
        try {
          resolve(await this.methods.unary(method, handler, request, call.context));
        } catch (thrown) {
          reject(asSent(this.methods.report(thrown, path, call.context)));
        } finally {
          call.end();
          leave();
        }
      };
      this.turns.add(() => {
        if (call.isOver) leave();
        else void answer();
      });
    });
  }

  /** Rejects as `unary` does, after the messages that came before. */
  async *stream(method: DescMethod, request: Message, options: NearCallOptions): AsyncGenerator<Message> {
    const path = pathOf(method);
    const handler = this.methods.handler(method);
    const leave = this.methods.enter(path, WHO);
    const lost = Promise.withResolvers<never>();
    heardLater(lost.promise);
    const call = this.#begin(path, options, lost.reject);
    const responses = this.methods.stream(method, handler, request, call.context);
    try {
      for (;;) {
        const next = await Promise.race([lost.promise, responses.next()]);
        if (next.done) return;
        yield next.value;
      }
    } catch (thrown) {
      throw call.isOver ? thrown : asSent(this.methods.report(thrown, path, call.context));
    } finally {
      call.end();
      call.abort();
      void responses.return(undefined).then(leave, leave); // when the handler has come to an end
    }
  }

  /** Takes a place for a stream of batched calls; gives what frees it. Throws OVERLOADED when there is none. */
  open(path: string, caller: NearCaller): () => void {
    const leave = this.methods.enter(path, WHO);
    this.#callers.add(caller);
    return () => {
      leave();
      this.#callers.delete(caller);
      this.#left();
    };
  }

  /** Not serving for good. Resolves when what runs is answered, at the latest after so many milliseconds; the rest is lost. */
  async close(graceMs: number): Promise<void> {
    this.setServing(false);
    this.#closed = true;
    const idle = Promise.withResolvers<void>();
    this.#idle = idle.resolve;
    this.#left();
    const timer = setTimeout(idle.resolve, graceMs);
    await idle.promise;
    clearTimeout(timer);
    const cause = new GivenUp("the door is closed");
    for (const call of this.#calls.takeIf(() => true)) call.giveUp(cause);
    for (const caller of [...this.#callers]) caller.lose(cause);
  }

  #begin(path: string, options: NearCallOptions, onLost: (error: Error) => void): NearCall {
    const call = new NearCall(path, options, onLost, () => {
      this.#calls.take(number);
      this.#left();
    });
    const number = this.#calls.add(call);
    call.watch();
    return call;
  }

  #left(): void {
    if (this.#closed && this.#calls.size === 0 && this.#callers.size === 0) this.#idle();
  }
}
