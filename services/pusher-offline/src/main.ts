import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { PushService } from "@oceanchat/gen/oceanchat/push/v1/push_service_pb";
import { OfflineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { mongoOptions } from "@oceanchat/runtime/mongo";
import { runProcess } from "@oceanchat/runtime/process";
import { openSendQueue } from "./bus.ts";
import { pusherOfflineKeys } from "./config.ts";
import { consumeLater, consumeSends, consumeTasks } from "./consumer.ts";
import { createDispatch } from "./core/dispatch.ts";
import { createSender } from "./core/send.ts";
import { createPushCore } from "./core.ts";
import { openPeers } from "./peers.ts";
import { connectProviders } from "./providers/configured.ts";
import { pushHandlers } from "./service.ts";
import { openStore } from "./store.ts";

/** Starts pusher-offline. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(pusherOfflineKeys, host.env);
  const { now, tracing } = host;
  const store = await openStore(mongoOptions(host, config));
  host.defer("store", () => store.close());
  const providers = await connectProviders(config, { now });
  for (const provider of providers.values()) host.defer(provider.name, () => provider.close());
  const configured = new Set(providers.keys());
  const peers = await openPeers(host, config);
  const bus = await host.bus(config.natsUrl);
  await bus.ensureStream(OfflineTaskSchema);
  await bus.ensureStream(DeadLetterSchema);

  const dispatch = createDispatch({ store, queue: openSendQueue(bus), peers, configured, now });
  const consumptions = [
    await consumeTasks(bus, tracing, dispatch),
    await consumeLater(bus, tracing, dispatch, { returnMs: config.returnMs, now }),
  ];
  for (const provider of providers.values()) {
    const sender = createSender({ store, provider, maxAttempts: config.maxAttempts, now });
    consumptions.push(await consumeSends(bus, tracing, provider.name, sender));
  }
  host.beforeStop("consumers", async () => void (await Promise.all(consumptions.map((each) => each.stop()))));
  await host.serve({
    public: [implement(PushService, pushHandlers(createPushCore({ store, configured, now })))],
    verify: host.tokenVerifier(peers.signingKeys),
  });
}

if (import.meta.main) await runProcess("pusher-offline", pusherOfflineKeys, start);
