// A process that takes messages and never finishes: `node hanging-consumer.ts <nats url> <stream> <ack_wait ms>`. Prints a line when it holds 10.
import { consumerSpec, openBus, prepare, roomStream } from "./bus.ts";

const [url = "", name = "", ackWaitMs = ""] = process.argv.slice(2);
const bus = await openBus(url);
await prepare(bus, roomStream(name), { ...consumerSpec, ackWaitMs: Number(ackWaitMs) });
const consumption = await bus.consume({
  stream: name,
  consumer: consumerSpec.name,
  lanes: 1,
  laneOf: () => 0,
  maxBatch: 1,
  maxInFlight: 10,
  handle: () => new Promise<void>(() => {}),
});
const timer = setInterval(() => {
  if (consumption.held().messages < 10) return;
  clearInterval(timer);
  process.stdout.write("holding\n");
}, 5);
