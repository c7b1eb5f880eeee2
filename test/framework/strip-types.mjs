// The whole Jest transform: Node's own type stripping, so tests run the very text that Node runs. Positions do not move.
import { stripTypeScriptTypes } from "node:module";

export default {
  process(source, path) {
    return { code: path.endsWith(".ts") ? stripTypeScriptTypes(source) : source };
  },
};
