// The agent's flags: what is required, what is understood, and what is refused with its name.
import { describe, expect, test } from "@jest/globals";
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

describe("the predictor's own port", () => {
  const on = ["--predictor-direct-access", "--predictor-direct-url=https://predictor.paris.example:8080"];
  const cert = "--predictor-cert-file=/tls/tls.crt";
  const key = "--predictor-key-file=/tls/tls.key";
  const ca = "--predictor-client-ca-file=/tls/ca.crt";
  const plain = ["--predictor-direct-access", "--predictor-insecure", "--predictor-direct-url=http://10.0.0.7:8080"];
  const accessOf = (argv: readonly string[]): unknown => parseAgentOptions(argv, env).directAccess;

  test("is closed; opened, it wants certificates of the scheduler; and it is open to all only where that is said", () => {
    expect(accessOf([])).toBeUndefined();
    expect(accessOf([...on, cert, key, ca])).toEqual({
      type: "tls",
      url: "https://predictor.paris.example:8080",
      port: 8080,
      certFile: "/tls/tls.crt",
      keyFile: "/tls/tls.key",
      clientCaFile: "/tls/ca.crt",
      clientNames: ["clusternet-scheduler"],
    });
    expect(accessOf([...on, cert, key, ca, "--predictor-client-names=a,b"])).toMatchObject({ clientNames: ["a", "b"] });
    expect(accessOf([...plain, "--predictor-port=9"])).toEqual({ type: "plain", url: "http://10.0.0.7:8080", port: 9 });
  });

  test.each([
    [[...on, key, ca], /--predictor-cert-file: Not given, and the port is served over TLS .* name the PEM file/],
    [[...on, cert, ca], /--predictor-key-file: Not given/],
    [[...on, cert, key], /--predictor-client-ca-file: Not given/],
    [[...on, cert, key, ca, "--predictor-client-names="], /--predictor-client-names: Empty, so nobody may ask/],
    [["--predictor-direct-access", cert, key, ca], /--predictor-direct-url: Not given; name where the parent reaches/],
    [[...on, cert, key, ca, "--predictor=false"], /--predictor-direct-access: There is nothing to serve with --predictor=false/],
    [[cert], /--predictor-cert-file: Of no use without --predictor-direct-access; add that/],
    [["--predictor-insecure"], /--predictor-insecure: Of no use without --predictor-direct-access/],
    [["--predictor-direct-url=https://a"], /--predictor-direct-url: Of no use without --predictor-direct-access/],
    [[...plain, ca], /--predictor-client-ca-file: Of no use with --predictor-insecure, which serves without TLS/],
    [[...on, "--predictor-insecure"], /--predictor-direct-url: Expected http:.* as --predictor-insecure serves it/],
    [
      ["--predictor-direct-access", "--predictor-direct-url=http://a:1", cert, key, ca],
      /url: Expected https:.*only with --predictor-insecure/,
    ],
    [["--predictor-direct-access", "--predictor-direct-url=a:1", cert, key, ca], /--predictor-direct-url: Expected https:/],
    [["--predictor-direct-access", "--predictor-direct-url=https://u:S3CRET@a", cert, key, ca], /nothing else/],
    [["--predictor-direct-access", "--predictor-direct-url=https://a/b", cert, key, ca], /nothing else/],
  ])("refuses %j", (argv, says) => {
    expect(() => parseAgentOptions(argv, env)).toThrow(says);
    expect(() => parseAgentOptions(argv, env)).not.toThrow(/S3CRET/);
  });
});
