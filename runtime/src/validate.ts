import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { Code } from "@connectrpc/connect";
import { ServiceError, shared } from "./fail.ts";
import { createPatternMatch } from "./pattern-match.ts";

/** Throws INVALID_FIELD when a request breaks a rule of its schema. */
export type RequestValidator = <D extends DescMessage>(schema: D, request: MessageShape<D>) => void;

/** Checks requests against the protovalidate rules in the contracts; one per process, since it caches compiled rules. */
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

/** Has the rules of these messages compiled: else the first request waits for that, 100 ms for the very first. */
export function planRules(validate: RequestValidator, schemas: readonly DescMessage[]): void {
  for (const schema of schemas) {
    try {
      validate(schema, create(schema));
    } catch (error) {
      const broken = error instanceof ServiceError && error.code === Code.InvalidArgument; // an empty message breaks many a rule
      if (!broken) throw error;
    }
  }
}
