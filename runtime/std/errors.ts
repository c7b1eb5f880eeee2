// Anything that was thrown -> an Error, and an Error -> one line a person can read.

export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The message and those of its causes, outermost first, without repeats: `Cannot reach parent: connect ECONNREFUSED …`. */
export function errorChain(thrown: unknown): string {
  const messages: string[] = [];
  for (let error: unknown = thrown, depth = 0; error !== undefined && error !== null && depth < 8; depth += 1) {
    const { message, cause } = toError(error);
    if (message !== "" && !messages.some((seen) => seen.includes(message))) messages.push(message);
    error = error instanceof AggregateError ? (error.errors[0] as unknown) : cause;
  }
  return messages.join(": ");
}
