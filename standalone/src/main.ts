import type { RunningHost } from "@oceanchat/runtime/host";
import { type Life, type Running, runProgram } from "@oceanchat/runtime/program";
import { environmentsOf, keysOf } from "./config.ts";
import { SERVICES, type Service } from "./services.ts";

interface Hosted {
  readonly service: Service;
  readonly host: RunningHost;
}

/** All services of this process, each with a host of its own. */
async function prepare({ env, host }: Life): Promise<Running> {
  const environments = environmentsOf(SERVICES.flat(), env);
  const hosted = async (service: Service): Promise<Hosted> => {
    return { service, host: await host(service.name, environments.get(service.name) ?? env) };
  };
  const groups = await Promise.all(SERVICES.map((services) => Promise.all(services.map(hosted))));
  let stopping = false;
  return {
    async start() {
      for (const group of groups) {
        if (stopping) return;
        await Promise.all(group.map((each) => each.service.start(each.host)));
      }
    },
    async stop() {
      stopping = true;
      const failures: unknown[] = [];
      for (const group of groups.toReversed()) {
        const stopped = await Promise.allSettled(group.map((each) => each.host.stop()));
        failures.push(...stopped.flatMap((one) => (one.status === "rejected" ? [one.reason] : [])));
      }
      if (failures.length > 0) throw new AggregateError(failures, "services that did not stop");
    },
  };
}

await runProgram({ name: "standalone", keys: keysOf(SERVICES.flat()), prepare });
