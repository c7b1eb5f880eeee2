// The order of test files: the longest first, so that no worker is left alone with one at the end. What Jest does with the durations of
// earlier runs, and by size without; but the longest tests start programs and are small.
import TestSequencer from "@jest/test-sequencer";

/** First what runs a whole fleet, last what runs in milliseconds. */
const KINDS = [/\/test\/e2e\//, /\/test\/(scenarios|conformance|interop)\//, /\.real\.test\.ts$/, /./];

export default class LongestFirst extends TestSequencer {
  sort(tests) {
    const kindOf = ({ path }) => KINDS.findIndex((kind) => kind.test(path));
    return super.sort(tests).sort((a, b) => kindOf(a) - kindOf(b));
  }
}
