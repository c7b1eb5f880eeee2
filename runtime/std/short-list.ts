// A list that people read in a condition, an Event or a message: the first few, and how many more there are.

export function shortList(texts: readonly string[], shownMax: number, what = "more"): readonly string[] {
  const hidden = texts.length - shownMax;
  return hidden > 0 ? [...texts.slice(0, shownMax), `and ${String(hidden)} ${what}`] : texts;
}
