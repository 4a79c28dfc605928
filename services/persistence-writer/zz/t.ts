import { startServers } from "@oceanchat/infra/servers-for-tests";
import { MongoClient } from "mongodb";
import { pino } from "pino";
import { createWriterCore } from "../src/core.ts";
import { openStore } from "../src/store.ts";

let total = 0,
  lostT = 0;
const s = await startServers({ mongo: true });
for (let r = 0; r < Number(process.argv[2] ?? 5); r++) {
  const store = await openStore({ mongodbUrl: s.mongodbUrl, mongodbDatabase: "x" } as never, pino({ level: "warn" }));
  const core = createWriterCore(store);
  const acked: string[] = [];
  const at = new Map<string, [number, number]>();
  let stop = false;
  let errors = 0;
  const lanes = Promise.all(
    Array.from({ length: 4 }, (_, L) =>
      (async () => {
        let n = 0;
        while (!stop) {
          const k = 1 + Math.floor(Math.random() * 3);
          const batch = Array.from({ length: k }, () => {
            n++;
            return {
              row: {
                recordId: `r${r}-${L}-${n}`,
                conversationId: `c${r}-${L}`,
                seq: BigInt(n),
                senderUserId: "u",
                clientMessageId: `m${r}-${L}-${n}`,
                kind: "message",
                streamSequence: BigInt(n),
                acceptedTime: new Date(),
                record: new Uint8Array(200),
              },
              directUserIds: [`a${L}`, `b${L}`],
            };
          });
          const st = performance.now();
          for (;;) {
            try {
              const w = await core.write(batch);
              w.forEach((x, i) => {
                if (x.kind === "stored") {
                  acked.push(batch[i]!.row.recordId);
                  at.set(batch[i]!.row.recordId, [st, performance.now()]);
                } else console.log(x);
              });
              break;
            } catch (e) {
              errors++;
              await new Promise((r) => setTimeout(r, 100));
            }
          }
        }
      })(),
    ),
  );
  await new Promise((r) => setTimeout(r, 1500 + Math.random() * 500));
  const t0 = performance.now();
  await s.kill("mongodb");
  await s.untilReady("mongodb");
  await new Promise((r) => setTimeout(r, 1500));
  stop = true;
  const done = await Promise.race([lanes.then(() => true), new Promise((r) => setTimeout(() => r(false), 15000))]);
  const m = await MongoClient.connect(s.mongodbUrl);
  const have = new Set(
    (
      await m
        .db("x")
        .collection("records")
        .find({}, { projection: { recordId: 1 } })
        .toArray()
    ).map((d) => d.recordId),
  );
  const lost = acked.filter((id) => !have.has(id));
  total += acked.length;
  lostT += lost.length;
  console.log(
    lost.map((id) => `${id} began ${Math.round(at.get(id)![0] - t0)} acked ${Math.round(at.get(id)![1] - t0)}`),
  );
  console.log(
    "round",
    r,
    "acked",
    acked.length,
    "lost",
    lost.slice(0, 10).join(),
    "errors",
    errors,
    done ? "" : "LANES HUNG",
    Math.round(performance.now() - t0),
  );
  await m.close();
  await store.close();
  if (!done) break;
}
console.log({ total, lostT });
await s.stop();
process.exit(0);
