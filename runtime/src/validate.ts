import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { shared } from "./fail.ts";
import { createPatternMatch } from "./pattern-match.ts";

/** Throws INVALID_FIELD when a request breaks a rule of its schema. */
export type RequestValidator = <D extends DescMessage>(schema: D, request: MessageShape<D>) => void;

/** Checks requests against the protovalidate rules in the contracts; one per door, since it caches compiled rules. */
export function createRequestValidator(): RequestValidator {
  const validator = createValidator({ regexMatch: createPatternMatch() });
  return (schema, request) => {
    const result = validator.validate(schema, request);
    if (result.kind === "invalid") {
      throw shared.invalidFields(
        result.violations.map((v) => ({ field: pathToString(v.field), description: v.message })),
      );
    }
    if (result.kind === "error") throw shared.internal(result.error);
  };
}
