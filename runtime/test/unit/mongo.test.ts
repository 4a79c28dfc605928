import assert from "node:assert/strict";
import { isDuplicate, reading, writing } from "@oceanchat/runtime/mongo";
import { refused } from "@oceanchat/runtime/testing";
import { MongoNetworkError, MongoServerError, MongoServerSelectionError, type TopologyDescription } from "mongodb";

const topology: Pick<TopologyDescription, "type"> = { type: "Single" };
const notFound = new MongoServerSelectionError("no server", topology as TopologyDescription);
const lost = new MongoNetworkError("connection closed");
const broken = Object.assign(new Error("This socket has been ended by the other party"), { code: "EPIPE" });
const shutdown = new MongoServerError({ code: 11600, errorLabels: ["RetryableWriteError"], message: "shutdown" });
const steppedDown = new MongoServerError({ code: 189, message: "stepped down" });
const duplicate = new MongoServerError({ code: 11000, message: "E11000" });

const failing = (error: unknown) => async () => {
  throw error;
};

describe("errors of the store", () => {
  it("are UNAVAILABLE for reads that may be repeated", async () => {
    for (const error of [lost, broken, notFound, shutdown, steppedDown]) {
      await refused(reading(failing(error)), "UNAVAILABLE");
    }
  });

  it("are OUTCOME_UNKNOWN for writes", async () => {
    for (const error of [lost, broken, notFound, shutdown, steppedDown]) {
      await refused(writing(failing(error)), "OUTCOME_UNKNOWN");
    }
  });

  it("stay what they are when the request is to blame", async () => {
    await assert.rejects(writing(failing(duplicate)), duplicate);
    await assert.rejects(reading(failing(new TypeError("a defect"))), TypeError);
    const refusal = new MongoServerError({ code: 13, message: "not allowed" });
    await assert.rejects(reading(failing(refusal)), refusal);
    assert.deepEqual([duplicate, lost, refusal].map(isDuplicate), [true, false, false]);
  });
});
