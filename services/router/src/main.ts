import { RouterMeshService } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { runProcess } from "@oceanchat/runtime/process";
import { planRules } from "@oceanchat/runtime/validate";
import { routerKeys } from "./config.ts";
import { Breaker } from "./core/breaker.ts";
import { createExchange } from "./core/exchange.ts";
import { Limits } from "./core/limits.ts";
import { commandSchemas } from "./core/packets.ts";
import { openMessage, openPresence, openQuery } from "./peers.ts";
import { routerMeshHandlers } from "./service.ts";

/** Starts the router. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(routerKeys, host.env);
  const message = await openMessage(host, config);
  const breaker = () => new Breaker({ failures: config.breakerFailures, openMs: config.breakerOpenMs });
  const limits = new Limits(config);
  const exchange = createExchange({
    targets: {
      message: { port: message, breaker: breaker() },
      query: { port: await openQuery(host, config), breaker: breaker() },
      presence: { port: await openPresence(host, config), breaker: breaker() },
    },
    limits,
    validate: host.validate,
    now: host.now,
    onDefect: (cause, { connectionId, userId }) =>
      host.log.error({ err: cause, connectionId, userId }, "a packet failed"),
  });
  planRules(host.validate, commandSchemas); // or the first message waits for it
  const handlers = routerMeshHandlers(exchange, message, limits, host.tracing);
  await host.serve({ mesh: [implement(RouterMeshService, handlers)] });
}

if (import.meta.main) await runProcess("router", routerKeys, start);
