// The image's entry: `node runtime/main.ts COMPONENT [flags]`. One image for all; the first argument is the component.

import { setFlagsFromString } from "node:v8";

// Left alone, the heap of a busy hub grows to four times what lives in it before a collection: memory that a limit has to pay for.
// NODE_OPTIONS does not take this one.
setFlagsFromString("--heap-growing-percent=30");

const components: Readonly<Record<string, () => Promise<unknown>>> = {
  hub: () => import("#hub/main.ts"),
  agent: () => import("#agent/main.ts"),
  scheduler: () => import("#scheduler/main.ts"),
  "controller-manager": () => import("#controller-manager/main.ts"),
  "cluster-api-integration": () => import("#cluster-api-integration/main.ts"),
};

const [component = ""] = process.argv.splice(2, 1);
const start = components[component];
if (start === undefined) {
  const known = Object.keys(components).join(", ");
  process.stderr.write(`Unknown component ${JSON.stringify(component)}: the first argument must be one of ${known}\n`);
  process.exit(2);
}
await start();
