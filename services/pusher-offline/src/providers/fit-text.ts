const ELLIPSIS = "…";

/**
 * The text, or as much of its beginning as fits, cut between what people see as characters and ended by "…";
 * undefined if not even that fits.
 */
export function fitText(text: string, fits: (candidate: string) => boolean): string | undefined {
  if (fits(text)) return text;
  if (!fits(ELLIPSIS)) return undefined;
  const cuts = [...new Intl.Segmenter("und").segment(text)].map(({ index }) => index);
  let low = 0; // the cut at `low` fits, the one at `high` doesn't
  let high = cuts.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (fits(text.slice(0, cuts[middle]) + ELLIPSIS)) low = middle;
    else high = middle;
  }
  return text.slice(0, cuts[low]).trimEnd() + ELLIPSIS;
}

/** The bytes of a value's JSON. */
export const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
