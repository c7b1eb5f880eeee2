// Process entry of the agent.

import { runProcess } from "#std/run-process.ts";
import { packageVersion } from "#std/version.ts";
import { createAgent } from "./agent.ts";
import { parseAgentOptions } from "./options.ts";

await runProcess({ component: "agent", version: packageVersion }, async ({ argv, env, clock, log, signal }) => {
  const agent = createAgent(parseAgentOptions(argv, env), { env, clock, log });
  await agent.run(signal);
});
