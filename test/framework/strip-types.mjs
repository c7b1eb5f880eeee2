// The whole Jest transform: Node's own type stripping, so tests run the very text that Node runs. Positions do not move.
import { stripTypeScriptTypes } from "node:module";

// Jest loads this in each of its workers, outside of the tests. A worker whose Jest was killed would stay with all that its test started;
// the kernel closes the channel between them, whatever happened.
process.once("disconnect", () => process.exit(1));

export default {
  process(source, path) {
    return { code: path.endsWith(".ts") ? stripTypeScriptTypes(source) : source };
  },
};
