import { inTurns } from "@oceanchat/runtime/in-turns";
import type { Locator } from "./core/locator.ts";
import { tell } from "./core/notices.ts";
import { Outbox } from "./core/outbox.ts";
import { plan } from "./core/plan.ts";
import { type Addressed, address } from "./core/recipients.ts";
import { Rosters } from "./core/rosters.ts";
import type { Entry, Groups, Log, Push } from "./ports.ts";

/** What orchestrator needs. */
export interface OrchestratorNeeds {
  readonly groups: Groups;
  readonly log: Log;
  readonly locator: Pick<Locator, "locate">;
  readonly push: Push;
  /** Milliseconds since any moment. */
  readonly now: () => number;
  /** How many ids of group members are remembered. */
  readonly maxIds: number;
}

/** What was handed over for a batch. */
export interface HandedOver {
  /** Tasks for gateways. */
  readonly online: number;
  /** How many users will be told, over all records. */
  readonly offline: number;
  /** How many will not be because the stream of offline tasks is full. */
  readonly dropped: number;
}

/** The rules of fan-out. */
export interface OrchestratorCore {
  /**
   * Hands a batch of records of some logs, in order, over to the pushers; resolves when all of it is stored. Rejects when
   * something can't be reached: then the same records must come again. They may come in other batches.
   */
  handOver(batch: readonly Entry[]): Promise<HandedOver>;
}

const GATEWAYS_AT_ONCE = 32;

export function createOrchestratorCore(needs: OrchestratorNeeds): OrchestratorCore {
  const rosters = new Rosters(needs);
  const { locator, push } = needs;
  const outbox = new Outbox(push);
  return {
    async handOver(batch) {
      const { addressed, done } = await address(rosters, batch);
      const locations = await locator.locate(everyUser(addressed));
      const { online, offline } = plan(addressed, locations);
      let tasks = 0;
      const publishOnline = inTurns(online, GATEWAYS_AT_ONCE, async ([gatewayId, deliveries]) => {
        await outbox.send(gatewayId, locations.addressOf(gatewayId), deliveries);
        tasks++;
      });
      const told = tell(push, offline);
      // Both, even when one fails: nothing of a batch may be under way when it is tried again.
      await Promise.allSettled([publishOnline, told]);
      await publishOnline;
      const notices = await told;
      done();
      return { online: tasks, ...notices };
    },
  };
}

function everyUser(addressed: readonly Addressed[]): Set<string> {
  const users = new Set<string>();
  for (const userIds of new Set(addressed.map((each) => each.userIds))) for (const userId of userIds) users.add(userId);
  return users;
}
