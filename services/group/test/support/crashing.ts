import type { GroupPorts } from "../../src/core/context.ts";

/** The process died. */
export class Crash extends Error {
  override readonly name = "Crash";
}

/** When a process dies: at its call number `at` (from 1), before it has an effect or before it is answered. */
export interface Death {
  readonly at: number;
  readonly after: boolean;
}

/** Ports of a process that dies. `delay` is awaited around each call, to mix those of several processes. */
export function dyingPorts(ports: GroupPorts, death: Death | undefined, delay: () => Promise<void> = async () => {}) {
  let calls = 0;
  let dead = false;
  const around = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name, target);
        if (typeof method !== "function") return method;
        return async (...given: unknown[]) => {
          const last = ++calls === death?.at;
          if (dead || (last && !death.after)) {
            dead = true;
            throw new Crash();
          }
          await delay();
          const answer: unknown = await Reflect.apply(method, target, given);
          await delay();
          if (last) dead = true;
          if (dead) throw new Crash();
          return answer;
        };
      },
    });
  const { groups, members, conversations } = ports;
  const dying: GroupPorts = {
    ...ports,
    groups: around(groups),
    members: around(members),
    conversations: around(conversations),
  };
  return { ports: dying, isDead: () => dead };
}
