import { create } from "@bufbuild/protobuf";
import type { Signal } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { GatewaySignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import { type Target, TargetSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { inTurns } from "@oceanchat/runtime/in-turns";
import type { Audience, Groups, SignalOutlet } from "../ports.ts";
import { CurrentMembers } from "./current-members.ts";
import type { Locator } from "./locator.ts";

/** Something passing on its way to people. */
export interface Passing {
  readonly audience: Audience;
  /** Who causes it; he isn't told. */
  readonly fromUserId: string;
  readonly signal: Signal;
}

/** What signals need. */
export interface SignalNeeds {
  readonly groups: Groups;
  readonly locator: Pick<Locator, "locate">;
  readonly outlet: SignalOutlet;
  /** Milliseconds since any moment. */
  readonly now: () => number;
}

/** What has not been handed over since the last look. */
export interface SignalLosses {
  /** Too many waited, or they had waited for too long. */
  readonly dropped: number;
  /** Something could not be asked. */
  readonly failed: number;
  /** The last reason of a failure. */
  readonly error: unknown;
}

/** In larger groups nobody is told. */
const MAX_MEMBERS = { typing: 500, receipt: 100 } as const;
const MEMBERS = { members: MAX_MEMBERS.typing, freshMs: 1000, groups: 10_000, ids: 200_000 };
/** How many wait, in each lane. */
const MAX_WAITING = 1024;
const MAX_BATCH = 64;
/** How many groups are asked for at the same time. */
const GROUPS_AT_ONCE = 8;
/** What has waited for longer is not worth telling, in milliseconds. */
const STALE_MS = 2000;
const TARGETS_PER_SIGNAL = 4000;

interface Lane {
  waiting: { readonly passing: Passing; readonly since: number }[];
  running: Promise<void> | undefined;
}

/**
 * Hands signals over, at most once: what can't be handed over now is dropped. Groups have a lane of their own, so when group is
 * slow, direct conversations go on; a lane takes them in the order in which they came.
 */
export class SignalFanOut {
  readonly #needs: SignalNeeds;
  readonly #members: CurrentMembers;
  readonly #lanes: Readonly<Record<Audience["kind"], Lane>> = {
    users: { waiting: [], running: undefined },
    group: { waiting: [], running: undefined },
  };
  #dropped = 0;
  #failed = 0;
  #error: unknown;

  constructor(needs: SignalNeeds) {
    this.#needs = needs;
    this.#members = new CurrentMembers(needs, MEMBERS);
  }

  /** Takes a signal, or drops it when too many wait. */
  take(passing: Passing): void {
    const lane = this.#lanes[passing.audience.kind];
    if (lane.waiting.length >= MAX_WAITING) {
      this.#dropped++;
      return;
    }
    lane.waiting.push({ passing, since: this.#needs.now() });
    lane.running ??= this.#work(lane);
  }

  /** What was lost since the last time. */
  losses(): SignalLosses {
    const losses = { dropped: this.#dropped, failed: this.#failed, error: this.#error };
    this.#dropped = 0;
    this.#failed = 0;
    this.#error = undefined;
    return losses;
  }

  /** Resolves when nothing is under way; what waits is dropped. */
  async stop(): Promise<void> {
    const lanes = Object.values(this.#lanes);
    for (const lane of lanes) lane.waiting = [];
    await Promise.all(lanes.map(({ running }) => running));
  }

  /** Never rejects. */
  async #work(lane: Lane): Promise<void> {
    // What comes in the same turn goes into the same batch.
    await Promise.resolve();
    while (lane.waiting.length > 0) {
      const oldest = this.#needs.now() - STALE_MS;
      const taken = lane.waiting.splice(0, MAX_BATCH);
      const batch = taken.filter(({ since }) => since >= oldest).map(({ passing }) => passing);
      this.#dropped += taken.length - batch.length;
      try {
        await this.#handOver(batch);
      } catch (error) {
        this.#failed += batch.length;
        this.#error = error;
      }
    }
    lane.running = undefined;
  }

  async #handOver(batch: readonly Passing[]): Promise<void> {
    const { locator, outlet } = this.#needs;
    const members = await this.#membersOf(batch);
    const addressed = batch.map((passing) => ({ signal: passing.signal, userIds: recipients(passing, members) }));
    const users = new Set(addressed.flatMap(({ userIds }) => userIds));
    if (users.size === 0) return;
    const locations = await locator.locate(users);
    for (const { signal, userIds } of addressed) {
      const byGateway = new Map<string, Target[]>();
      for (const userId of userIds) {
        for (const { gatewayId, connectionId, codec } of locations.of(userId)) {
          const target = create(TargetSchema, { connectionId, userId, codec });
          if (!byGateway.get(gatewayId)?.push(target)) byGateway.set(gatewayId, [target]);
        }
      }
      for (const [gatewayId, targets] of byGateway) {
        for (let from = 0; from < targets.length; from += TARGETS_PER_SIGNAL) {
          const part = create(GatewaySignalSchema, {
            gatewayId,
            gatewayAddress: locations.addressOf(gatewayId),
            signal,
          });
          part.targets = targets.slice(from, from + TARGETS_PER_SIGNAL);
          outlet.send(part);
        }
      }
    }
  }

  /** By group; undefined for those that are too large. */
  async #membersOf(batch: readonly Passing[]): Promise<Map<string, readonly string[] | undefined>> {
    const groupIds = batch.flatMap(({ audience }) => (audience.kind === "group" ? [audience.groupId] : []));
    const members = new Map<string, readonly string[] | undefined>();
    await inTurns(new Set(groupIds), GROUPS_AT_ONCE, async (groupId) => {
      members.set(groupId, await this.#members.of(groupId));
    });
    return members;
  }
}

function recipients(
  { audience, fromUserId, signal }: Passing,
  members: ReadonlyMap<string, readonly string[] | undefined>,
): readonly string[] {
  const userIds = audience.kind === "users" ? audience.userIds : members.get(audience.groupId);
  const limit = signal.kind.case === "receipt" ? MAX_MEMBERS.receipt : MAX_MEMBERS.typing;
  if (userIds === undefined || userIds.length > limit) return [];
  return userIds.filter((userId) => userId !== fromUserId);
}
