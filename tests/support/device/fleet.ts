import { directId, type Edge, TestUser, type TestUser as User } from "../user.ts";
import { Device } from "./device.ts";
import type { Message } from "./diary.ts";

/** One message in so many goes to the group of all, the others to the neighbour. */
const TO_ALL = 10;

/** Several users with a device each, in pairs and in one group, who write to each other at a steady rate. */
export class Fleet {
  readonly devices: readonly Device[];
  readonly #group: string;
  readonly #sending = new Set<Promise<void>>();
  #ticker: NodeJS.Timeout | undefined;
  #begunAt = 0;
  #sent = 0;
  /** How long they have been writing. */
  seconds = 0;

  private constructor(devices: readonly Device[], group: string) {
    this.devices = devices;
    this.#group = group;
  }

  /** Registers users, an even number, puts them into a group and connects their devices. */
  static async gather(at: Edge, count: number): Promise<Fleet> {
    const users: User[] = [];
    for (let n = 0; n < count; n++) users.push(await TestUser.register(at, `user${n}`));
    const [first, ...others] = users;
    if (first === undefined) throw new TypeError("a fleet of nobody");
    const { conversationId } = await first.createGroup(others);
    const devices = users.map((user) => new Device(user));
    await Promise.all(devices.map((device) => device.start()));
    return new Fleet(devices, conversationId);
  }

  /** The conversations of a device: with its neighbour, and the group of all. */
  conversationsOf(index: number): string[] {
    const [own, other] = [this.devices[index], this.devices[index ^ 1]];
    if (own === undefined || other === undefined) throw new RangeError(`no device ${index}`);
    return [directId(own.user.userId, other.user.userId), this.#group];
  }

  /** Open loop: who is slow makes nobody else slower. */
  start(perSecond: number): void {
    this.#begunAt = performance.now();
    this.#ticker = setInterval(() => {
      const due = ((performance.now() - this.#begunAt) * perSecond) / 1000;
      while (this.#sent < due) this.#sendNext();
    }, 10);
  }

  #sendNext(): void {
    const n = this.#sent++;
    const index = Math.floor(Math.random() * this.devices.length);
    const [direct, group] = this.conversationsOf(index);
    const conversationId = n % TO_ALL === 0 ? group : direct;
    const sending = this.devices[index]?.send(conversationId ?? "", `message ${n}`) ?? Promise.resolve();
    const settled = sending.finally(() => this.#sending.delete(settled));
    this.#sending.add(settled);
  }

  /** Sends nothing new; resolves when every message is accepted or refused. */
  async finish(timeoutMs: number): Promise<void> {
    clearInterval(this.#ticker);
    this.seconds = (performance.now() - this.#begunAt) / 1000;
    const late = new Promise<never>((_, reject) => {
      const stuck = () => this.devices.map(({ state }) => state).join("\n");
      setTimeout(() => reject(new Error(`not all was accepted in ${timeoutMs} ms:\n${stuck()}`)), timeoutMs).unref();
    });
    await Promise.race([Promise.all(this.#sending), late]);
  }

  async end(): Promise<void> {
    clearInterval(this.#ticker);
    await Promise.all(this.devices.map((device) => device.end()));
  }

  get messages(): Message[] {
    return this.devices.flatMap(({ diary }) => diary.messages);
  }

  /** Resolves when every device has everything that was accepted in its conversations. */
  async untilComplete(timeoutMs: number): Promise<void> {
    const heads = new Map<string, number>();
    for (const { conversationId, accepted } of this.messages) {
      heads.set(conversationId, Math.max(heads.get(conversationId) ?? 0, accepted?.seq ?? 0));
    }
    await Promise.all(
      this.devices.flatMap((device, index) =>
        this.conversationsOf(index).map((id) => device.untilHas(id, heads.get(id) ?? 0, timeoutMs)),
      ),
    );
  }

  /** What is not as it must be: each accepted message is on each device once, where it was accepted, in the log's order. */
  async violations(): Promise<string[]> {
    const found: string[] = [];
    const accepted = Map.groupBy(this.messages, ({ conversationId }) => conversationId);
    for (const [index, device] of this.devices.entries()) {
      for (const id of this.conversationsOf(index)) {
        const log = (await device.user.records(id)).map(({ seq, recordId }) => `${seq} ${recordId}`);
        const { records, contradictions } = device.timeline(id);
        const has = records.map(({ seq, recordId }) => `${seq} ${recordId}`);
        const differs = has.findIndex((record, place) => record !== log[place]);
        const who = `${device.user.username} in ${id}`;
        if (differs >= 0 || has.length !== log.length) {
          found.push(`${who}: ${has.length} of ${log.length} records; ${differs}: ${has[differs]} for ${log[differs]}`);
        }
        found.push(...contradictions.map((what) => `${who}: two records in one place, ${what}`));
        if (new Set(records.map(({ recordId }) => recordId)).size !== records.length) found.push(`${who}: one twice`);
        const places = new Set(has);
        for (const message of accepted.get(id) ?? []) {
          const place = `${message.accepted?.seq} ${message.accepted?.recordId}`;
          if (!places.has(place)) found.push(`${who}: no ${place}, message ${message.key}`);
        }
      }
    }
    return found;
  }

  totals() {
    const sum = (of: (device: Device) => number) => this.devices.reduce((all, device) => all + of(device), 0);
    return {
      repeatedTries: sum(({ diary }) => diary.messages.reduce((all, { tries }) => all + tries.length - 1, 0)),
      pushed: sum(({ diary }) => diary.pushed),
      dropped: sum(({ timelines }) => [...timelines.values()].reduce((all, { repeated }) => all + repeated, 0)),
      fetched: sum(({ diary }) => diary.fetched),
      gaps: sum(({ diary }) => diary.gaps),
      sentAway: sum(({ diary }) => diary.sentAway),
    };
  }
}
