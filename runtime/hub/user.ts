// Who a request comes from, as one value. Pure.

export interface User {
  readonly name: string;
  /** "" when the parent gave none. */
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
  /** The same for equal users only: the key of caches. */
  readonly key: string;
}

export const ALL_AUTHENTICATED = "system:authenticated";
