import { expect, test } from "@jest/globals";
import { stringify } from "yaml";
import { kubeconfigProblem } from "./kubeconfig-rules.ts";
import { parseIntegrationOptions } from "./options.ts";

const cluster = { server: "https://oslo.example:6443", "certificate-authority-data": "UEVN" };
const user = { "client-certificate-data": "UEVN", "client-key-data": "UEVN" };
const aKubeconfig = (more: { readonly cluster?: object; readonly user?: object } = {}): string =>
  stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "k", cluster: { ...cluster, ...more.cluster } }],
    users: [{ name: "u", user: { ...user, ...more.user } }],
  });

test("what Cluster API writes is used", () => {
  expect(kubeconfigProblem(aKubeconfig())).toBeUndefined();
  expect(kubeconfigProblem(aKubeconfig({ user: { token: "t" } }))).toBeUndefined();
});

test.each<[string, string, RegExp]>([
  ["runs a command", aKubeconfig({ user: { exec: { command: "sh" } } }), /exec is refused: a command/],
  ["runs an old kind of command", aKubeconfig({ user: { "auth-provider": { name: "gcp" } } }), /auth-provider is refused/],
  ["sends our own token away", aKubeconfig({ user: { tokenFile: "/var/run/secrets/token" } }), /tokenFile is refused: a path/],
  ["reads a key of ours", aKubeconfig({ user: { "client-key": "/etc/key" } }), /client-key is refused/],
  [
    "reads a certificate of ours",
    aKubeconfig({ cluster: { "certificate-authority": "/etc/ca" } }),
    /certificate-authority is refused/,
  ],
  ["trusts anybody", aKubeconfig({ cluster: { "insecure-skip-tls-verify": true } }), /insecure-skip-tls-verify is refused/],
  ["speaks in the clear", aKubeconfig({ cluster: { server: "http://oslo" } }), /must be an https/],
  ["is empty", "", /expected object/],
  ["names nobody", stringify({ clusters: [], users: [] }), /must name a cluster; users must name a user/],
  ["is no YAML, and is not quoted", "private: [key", /^it is not YAML$/],
])("a kubeconfig that %s is refused", (_what, text, says) => {
  expect(kubeconfigProblem(text)).toMatch(says);
});

test("a token to join lives for at least two hours", () => {
  expect(parseIntegrationOptions(["--join-token-lifetime=2h"], {}).joinTokenLifetime).toBe(7_200_000);
  expect(() => parseIntegrationOptions(["--join-token-lifetime=119m"], {})).toThrow(/join-token-lifetime.*at least 2h/s);
});
