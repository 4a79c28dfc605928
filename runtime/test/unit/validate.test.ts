import assert from "node:assert/strict";
import { shared } from "@oceanchat/runtime/fail";
import { createRequestValidator, planRules } from "@oceanchat/runtime/validate";
import { EchoItemSchema, SayRequestSchema } from "../support/echo_pb.ts";

describe("planRules", () => {
  it("validates an empty message of each kind and takes no offence at what it lacks", () => {
    const seen: string[] = [];
    planRules(
      (schema) => {
        seen.push(schema.typeName);
        throw shared.invalidFields([{ field: "text", description: "is missing" }]);
      },
      [SayRequestSchema, EchoItemSchema],
    );
    assert.deepEqual(seen, [SayRequestSchema.typeName, EchoItemSchema.typeName]);
    planRules(createRequestValidator(), [SayRequestSchema]);
  });

  it("throws when rules can't be planned", () => {
    const broken = () => {
      throw shared.internal(new Error("a rule that is none"));
    };
    assert.throws(() => planRules(broken, [SayRequestSchema]), /internal/);
  });
});
