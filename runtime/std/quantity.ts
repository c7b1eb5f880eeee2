// Sums of Kubernetes quantities (`250m`, `64Mi`, `1.5G`). Pure; exact: nano-units in a BigInt.

const QUANTITY = /^([+-]?)(\d+)(?:\.(\d*))?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d{1,2})?$/;

const NANO = 1_000_000_000n;
const DECIMAL: Readonly<Record<string, bigint>> = {
  n: 1n,
  u: 1_000n,
  m: 1_000_000n,
  "": NANO,
  k: NANO * 10n ** 3n,
  M: NANO * 10n ** 6n,
  G: NANO * 10n ** 9n,
  T: NANO * 10n ** 12n,
  P: NANO * 10n ** 15n,
  E: NANO * 10n ** 18n,
};
const BINARY: readonly (readonly [string, bigint])[] = [
  ["Ei", 1n << 60n],
  ["Pi", 1n << 50n],
  ["Ti", 1n << 40n],
  ["Gi", 1n << 30n],
  ["Mi", 1n << 20n],
  ["Ki", 1n << 10n],
];

/** Text that is no quantity counts as nothing: one odd node must not hide the others. */
export function sumQuantities(quantities: readonly string[]): bigint {
  return quantities.reduce((sum, text) => sum + (nanoUnits(text) ?? 0n), 0n);
}

/** Nano-units; undefined when it is no quantity. */
export function nanoUnits(text: string): bigint | undefined {
  const match = QUANTITY.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "0", fraction = "", suffix = ""] = match;
  const scale = scaleOf(suffix);
  const digits = BigInt(whole + fraction);
  const value = (digits * scale) / 10n ** BigInt(fraction.length);
  return sign === "-" ? -value : value;
}

/** For cpu and counts: whole units when it is whole, else thousandths, rounded up as kube-apiserver does. */
export function formatDecimal(nano: bigint): string {
  if (nano % NANO === 0n) return String(nano / NANO);
  return `${String((nano + 999_999n) / 1_000_000n)}m`;
}

/** For memory: the largest power of 1024 that leaves a whole number. */
export function formatBinary(nano: bigint): string {
  const bytes = (nano + NANO - 1n) / NANO;
  const found = BINARY.find(([, size]) => bytes !== 0n && bytes % size === 0n);
  return found === undefined ? String(bytes) : `${String(bytes / found[1])}${found[0]}`;
}

function scaleOf(suffix: string): bigint {
  const decimal = DECIMAL[suffix];
  if (decimal !== undefined) return decimal;
  const binary = BINARY.find(([name]) => name === suffix);
  if (binary !== undefined) return NANO * binary[1];
  const exponent = Number(suffix.slice(1));
  // The pattern bounds the exponent; below nano nothing is left.
  return exponent >= 0 ? NANO * 10n ** BigInt(exponent) : NANO / 10n ** BigInt(Math.min(-exponent, 30));
}
