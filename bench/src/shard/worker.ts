// A thread of the load generator.
import { parentPort, workerData } from "node:worker_threads";
import type { Asked, Said, ShardCall } from "./calls.ts";
import type { ShardPlan } from "./plan.ts";
import { Shard } from "./shard.ts";

const TELL_EVERY = 250;

function serve(plan: ShardPlan, say: (said: Said) => void): (asked: Asked) => void {
  const shard = new Shard(plan);
  const answer = async (call: ShardCall) => {
    switch (call.kind) {
      case "connect":
        await shard.connect(call.pace, (open) => open % TELL_EVERY === 0 && say({ kind: "open", open }));
        break;
      case "load":
        await shard.load(call.times);
        break;
      case "readSlowly":
        shard.readSlowly(call.slowly);
        break;
      case "catchUp":
        shard.catchUp();
        break;
      case "churn":
        shard.churn(call.perSecond);
        break;
      case "phase":
        shard.phase(call.phase);
        break;
      case "behind":
        return { behind: shard.behind };
      case "result":
        return { result: shard.result() };
      case "close":
        shard.close();
        parentPort?.close();
    }
    return {};
  };
  return ({ number, call }) => {
    answer(call).then(
      (answered) => say({ kind: "done", number, ...answered }),
      (error: unknown) =>
        say({ kind: "failed", number, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  };
}

const port = parentPort;
if (port === null) throw new Error("this is a thread of bench, not a program");
port.on(
  "message",
  serve(workerData, (said) => port.postMessage(said)),
);
