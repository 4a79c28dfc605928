import assert from "node:assert/strict";
import { ConfigError, readConfig, url } from "@oceanchat/runtime/config";

const read = (value: string, schemes: readonly string[]) =>
  readConfig({ it: url("OCEANCHAT_IT", "It.", undefined, schemes) }, { OCEANCHAT_IT: value }).it;

describe("a URL in the configuration", () => {
  it("may name several hosts of MongoDB and of NATS", () => {
    const mongodb = ["mongodb", "mongodb+srv"];
    const nats = ["nats", "tls"];
    for (const [value, schemes] of [
      ["mongodb://127.0.0.1:27017", mongodb],
      ["mongodb://a,b/?replicaSet=x", mongodb],
      ["mongodb://user:p%40ss@a:27017,b:27018,[::1]:27019/db?readPreferenceTags=dc:ny,rack:1", mongodb],
      ["mongodb+srv://cluster.example/?retryWrites=false", mongodb],
      ["nats://a:4222,nats://b:4222", nats],
      ["nats://user:pass@a:4222,b:4222", nats],
      ["tls://a,tls://b", nats],
      ["redis://127.0.0.1:6379/0", ["redis", "rediss"]],
    ] as const) {
      assert.equal(read(value, schemes), value);
    }
  });

  it("is refused when a host of it is not one", () => {
    for (const [value, schemes] of [
      ["a:4222", ["nats"]],
      ["nats://", ["nats"]],
      ["nats://a:4222,", ["nats"]],
      ["nats://a:4222,,b", ["nats"]],
      ["nats://a:port", ["nats"]],
      ["nats://a:4222,b:99999", ["nats"]],
      ["nats://a,http://b", ["nats"]],
      ["http://a", ["mongodb"]],
      ["mongodb+srv://a,b", ["mongodb", "mongodb+srv"]],
      ["redis://a,b", ["redis"]],
      ["redis://a,redis://b", ["redis"]],
    ] as const) {
      assert.throws(() => read(value, schemes), ConfigError, value);
    }
  });
});
