import assert from "node:assert/strict";
import { isDuplicate, reading, writing } from "@oceanchat/runtime/mongo";
import { refused } from "@oceanchat/runtime/testing";
import { MongoNetworkError, MongoServerError, MongoServerSelectionError, type TopologyDescription } from "mongodb";

const topology: Pick<TopologyDescription, "type"> = { type: "Unknown" };
const lost = new MongoNetworkError("connection closed");
const notFound = new MongoServerSelectionError("no server", topology as TopologyDescription);
const steppingDown = new MongoServerError({ code: 11600, errorLabels: ["RetryableWriteError"], message: "shutdown" });
const duplicate = new MongoServerError({ code: 11000, message: "E11000" });

const failing = (error: unknown) => async () => {
  throw error;
};

describe("errors of the store", () => {
  it("are UNAVAILABLE for reads that may be repeated", async () => {
    for (const error of [lost, notFound, steppingDown]) await refused(reading(failing(error)), "UNAVAILABLE");
  });

  it("are OUTCOME_UNKNOWN for writes, unless nothing was sent", async () => {
    for (const error of [lost, steppingDown]) await refused(writing(failing(error)), "OUTCOME_UNKNOWN");
    await refused(writing(failing(notFound)), "UNAVAILABLE");
  });

  it("stay what they are when the request is to blame", async () => {
    await assert.rejects(writing(failing(duplicate)), duplicate);
    await assert.rejects(reading(failing(new TypeError("a defect"))), TypeError);
    assert.equal(isDuplicate(duplicate), true);
    assert.equal(isDuplicate(lost), false);
  });
});
