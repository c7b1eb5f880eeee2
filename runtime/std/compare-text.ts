// The order of texts by their code units: the same on every machine and for every language, unlike localeCompare.

/** For sort and toSorted. */
export function compareText(a: string, b: string): -1 | 0 | 1 {
  return a < b ? -1 : a > b ? 1 : 0;
}
