// The Secret that Cluster API keeps for a workload cluster: what is used, and what is refused without a word of its content.

import { expect, test } from "@jest/globals";
import { stringify } from "yaml";
import type { KubeObject, ObjectKey, ResourceType } from "#api/meta.ts";
import { connectWorkloadCluster, NoKubeconfigError } from "./workload-kubeconfig.ts";

const KEY = { namespace: "default", name: "oslo" };
const { signal } = new AbortController();
const PRIVATE = "very-private";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

interface Config {
  readonly "current-context"?: string;
  readonly servers?: Readonly<Record<string, string>>;
  readonly user?: object;
}

/** One context, cluster and user of the same name for each server. */
const aKubeconfig = (config: Config = {}): string => {
  const { servers = { oslo: "https://oslo.example:6443" }, user = { token: PRIVATE } } = config;
  const names = Object.keys(servers);
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": config["current-context"] ?? names[0],
    clusters: names.map((name) => ({ name, cluster: { server: servers[name] } })),
    users: names.map((name) => ({ name, user })),
    contexts: names.map((name) => ({ name, context: { cluster: name, user: name } })),
  });
};

const asked: ObjectKey[] = [];
const parentWith = (
  data: Readonly<Record<string, string>> | "no Secret" | undefined,
): Parameters<typeof connectWorkloadCluster>[0] => ({
  get: <T extends KubeObject>(_type: ResourceType<T>, key: ObjectKey) => {
    asked.push(key);
    const secret = { apiVersion: "v1", kind: "Secret", metadata: key, ...(data === undefined ? {} : { data }) };
    return Promise.resolve(data === "no Secret" ? undefined : (secret as unknown as T));
  },
});

test("the Secret beside the Cluster is read, and its server is the one", async () => {
  asked.length = 0;
  await using workload = await connectWorkloadCluster(parentWith({ value: base64(aKubeconfig()) }), KEY, signal);
  expect(asked).toEqual([{ namespace: "default", name: "oslo-kubeconfig" }]);
  expect(workload.client.connection.server).toBe("https://oslo.example:6443");
  expect(await workload.client.connection.authorization(signal)).toEqual({ authorization: `Bearer ${PRIVATE}` });
});

test("of several contexts the current one is used, wherever it stands", async () => {
  const text = aKubeconfig({
    "current-context": "oslo",
    servers: { first: "https://first.example:6443", oslo: "https://oslo.example:6443", last: "https://last.example:6443" },
  });
  await using workload = await connectWorkloadCluster(parentWith({ value: base64(text) }), KEY, signal);
  expect(workload.client.connection.server).toBe("https://oslo.example:6443");
});

type Data = Parameters<typeof parentWith>[0];

test.each<[string, Data, readonly [NoKubeconfigError["reason"], RegExp]]>([
  ["no Secret", "no Secret", ["KubeconfigMissing", /^Secret oslo-kubeconfig is missing$/]],
  ["a Secret without data", undefined, ["KubeconfigMissing", /^Secret oslo-kubeconfig has no key value$/]],
  ["a Secret with another key", { kubeconfig: "eA==" }, ["KubeconfigMissing", /has no key value$/]],
  ["an empty key", { value: "" }, ["KubeconfigUnusable", /cannot be used: .*expected object/]],
  ["no YAML", { value: base64(`private: [${PRIVATE}`) }, ["KubeconfigUnusable", /cannot be used: it is not YAML$/]],
  ["bytes that are no text", { value: "gICA" }, ["KubeconfigUnusable", /cannot be used/]],
  ["a list", { value: base64(`- ${PRIVATE}`) }, ["KubeconfigUnusable", /cannot be used: .*expected object/]],
  [
    "a command",
    { value: base64(aKubeconfig({ user: { exec: { command: PRIVATE } } })) },
    ["KubeconfigUnusable", /users\.0\.user\.exec is refused: a command would run in the integration's pod/],
  ],
  [
    "a command of another context than the current one",
    {
      value: base64(aKubeconfig().replace("users:", `users:\n  - { name: other, user: { exec: { command: ${PRIVATE} } } }`)),
    },
    ["KubeconfigUnusable", /users\.0\.user\.exec is refused/],
  ],
  [
    "a server without https",
    { value: base64(aKubeconfig({ servers: { oslo: "http://127.0.0.1:6443" } })) },
    ["KubeconfigUnusable", /clusters\.0\.cluster\.server must be an https:\/\/ URL/],
  ],
  [
    "no server",
    { value: base64(aKubeconfig({ servers: { oslo: "" } })) },
    ["KubeconfigUnusable", /clusters\.0\.cluster\.server must be an https:\/\/ URL/],
  ],
  [
    "a current context that is not there",
    { value: base64(aKubeconfig({ "current-context": "rome" })) },
    ["KubeconfigUnusable", /its context, user or keys do not fit$/],
  ],
])("%s is said, and nothing of it is quoted", async (_what, data, [reason, message]) => {
  const error = await connectWorkloadCluster(parentWith(data), KEY, signal).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(NoKubeconfigError);
  expect(error).toMatchObject({ reason, message: expect.stringMatching(message) });
  expect((error as NoKubeconfigError).message).not.toContain(PRIVATE);
});
