import { startCollector } from "./demo/collector.ts";
import { connect, deliver, login, type Stage, send } from "./demo/steps.ts";
import { openTap } from "./demo/tap.ts";
import { startInstallation } from "./support/installation.ts";

// Starts an OceanChat of its own and shows each step of a login and of a group message as it is observed from the outside: answers,
// spans, logs, what is published, the store. Ends with 0 only if all 15 were seen.

const STEPS = 15;
let seen = 0;
const collector = await startCollector();
process.stdout.write("starting a mesh of its own …\n");
const installation = await startInstallation({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_BSP_SCHEDULE_DELAY: "200",
  OCEANCHAT_TRACE_RATIO: "1",
});
process.once("SIGINT", () => {
  void stop().then(() => process.exit(130));
});

async function stop(): Promise<void> {
  await installation.stop();
  await collector.close();
}

try {
  const tap = await openTap(installation.mesh.endpoints.infra.nats, ["log.>", "push.>"]);
  const stage: Stage = {
    installation,
    collector,
    tap,
    show: (step, what, evidence) => {
      seen += 1;
      process.stdout.write(`✔ (${step.padStart(2)}) ${what}\n        ${evidence}\n`);
    },
  };
  await login(stage);
  const cast = await connect(stage);
  const accepted = await send(stage, cast);
  await deliver(stage, cast, accepted);
  await Promise.all([cast.socketA.close(), cast.socketB.close(), tap.close()]);
} catch (error) {
  process.stdout.write(`✘ (${String(seen + 1).padStart(2)}) ${error instanceof Error ? error.stack : String(error)}\n`);
} finally {
  await stop();
}
process.stdout.write(`\n${seen} of ${STEPS} steps seen\n`);
process.exitCode = seen === STEPS ? 0 : 1;
