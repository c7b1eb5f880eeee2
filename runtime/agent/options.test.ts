// The agent's flags: what is required, what is understood, and what is refused with its name.
import { expect, test } from "@jest/globals";
import { parseAgentOptions } from "./options.ts";

const env = { PARENT_URL: "https://parent:6443", REG_TOKEN: "abcdef.0123456789abcdef" };

test("takes the parent and the token from the environment", () => {
  expect(parseAgentOptions([], env)).toMatchObject({
    clusterRegParentUrl: "https://parent:6443",
    clusterRegToken: "abcdef.0123456789abcdef",
    clusterSyncMode: "Pull",
    clusterStatusReportFrequency: 180_000,
    clusterStatusCollectFrequency: 20_000,
    allowPush: false,
    clusterLabels: {},
    leaderElectResourceName: "clusternet-agent",
    leaderElectResourceNamespace: "clusternet-system",
  });
});

test("understands upstream's name of the report frequency", () => {
  expect(parseAgentOptions(["--cluster-status-update-frequency=1m"], env).clusterStatusReportFrequency).toBe(60_000);
});

test("reads labels", () => {
  expect(parseAgentOptions(["--cluster-labels=env=prod,tier=edge"], env).clusterLabels).toEqual({ env: "prod", tier: "edge" });
});

test.each([
  { argv: [], env: {}, says: /--cluster-reg-parent-url/ },
  { argv: ["--cluster-reg-parent-url=http://parent"], env, says: /--cluster-reg-parent-url: Expected an https URL/ },
  { argv: [], env: { ...env, REG_TOKEN: "S3CRET" }, says: /--cluster-reg-token: Expected a bootstrap token/ },
  { argv: ["--cluster-labels=env"], env, says: /--cluster-labels: Expected k=v, got "env"/ },
  { argv: ["--cluster-status-report-frequency=10ms"], env, says: /--cluster-status-report-frequency: Expected 1s to 1h/ },
  { argv: ["--cluster-sync-mode=Pul"], env, says: /--cluster-sync-mode/ },
])("refuses $argv", ({ argv, env: given, says }) => {
  expect(() => parseAgentOptions(argv, given)).toThrow(says);
  expect(() => parseAgentOptions(argv, given)).not.toThrow(/S3CRET/);
});
