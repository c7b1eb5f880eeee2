// Stops on programmer errors. Not for bad input: that is an expected outcome and is returned or thrown as a typed error.

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`Bug: ${message}`);
}

/** The `default` branch of an exhaustive switch: adding a case breaks the build here. */
export function assertNever(value: never): never {
  throw new Error(`Bug: unexpected value ${JSON.stringify(value)}`);
}
