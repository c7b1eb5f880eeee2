// What a child may answer, and which way it is asked.

import { expect, test } from "@jest/globals";
import { createClient } from "#kube/client.ts";
import { createAskCluster, wayTo, type Way } from "#scheduler/ask-predictor.ts";
import { clustersOf } from "#test/framework/scheduler-story.ts";
import { startScriptedApiserver } from "#test/framework/scripted-apiserver.ts";

const id = "8f6b5f8e-0000-4000-8000-000000000001";
const [cluster] = clustersOf({
  clusters: { paris: { labels: { "clusters.clusternet.io/cluster-id": id } } },
  subscription: {},
}).map((each) => ({ ...each, status: { ...each.status, predictorEnabled: true } }));

async function answerTo(answer: unknown): Promise<unknown> {
  await using server = await startScriptedApiserver((exchange) => {
    exchange.json(answer);
  });
  await using connection = server.connect({ token: "t" });
  const parent = createClient(connection, { component: "test" });
  return await createAskCluster({ parent, straight: undefined })(cluster!, {}, new AbortController().signal);
}

test("what upstream answers, and what ours adds, is understood", async () => {
  await expect(answerTo({ replicas: { default: 3 } })).resolves.toEqual({ replicas: { default: 3 } });
  const more = { replicas: { default: 3 }, placed: { web: 2 }, of: "another version" };
  await expect(answerTo(more)).resolves.toMatchObject({ placed: { web: 2 } });
});

test.each([-1, 1e300, 2 ** 31, 1.5, "3", null, []])("%j replicas are no answer", async (replicas) => {
  await expect(answerTo({ replicas: { default: replicas } })).rejects.toThrow(/default/);
});

test("an answer without end fills nobody's memory", async () => {
  const reasons = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`reason number ${String(index)} of many`, 1]));
  await expect(answerTo({ replicas: { default: 3 }, unfit: reasons })).rejects.toThrow("The answer is longer than 1048576 bytes");
});

const direct = { predictorDirectAccess: true, predictorAddress: "https://paris:8080" };
const hub: Way = { type: "hub", clusterId: id };
test.each<[string, { readonly straight: boolean }, object, Way | { readonly type: "none"; readonly reason: unknown }]>([
  ["through its tunnel", { straight: true }, {}, hub],
  ["straight, as it wants it", { straight: true }, direct, { type: "straight", address: "https://paris:8080" }],
  ["through its tunnel by who cannot tell that it is the child", { straight: false }, direct, hub],
  ["never without TLS", { straight: true }, { ...direct, predictorAddress: "http://paris:8080" }, hub],
  ["never at what is no address", { straight: true }, { ...direct, predictorAddress: "paris" }, hub],
  [
    "not without a tunnel",
    { straight: true },
    { useSocket: false },
    { type: "none", reason: expect.stringMatching(/useSocket.*predictorDirectAccess is false/) },
  ],
  [
    "not without a tunnel by who does not ask straight",
    { straight: false },
    { ...direct, useSocket: false },
    { type: "none", reason: expect.stringMatching(/useSocket.*--predictor-ca-file/) },
  ],
  [
    "not without a tunnel when its address is none",
    { straight: true },
    { ...direct, predictorAddress: "http://paris", useSocket: false },
    { type: "none", reason: expect.stringMatching(/useSocket.*"http:\/\/paris" is no https URL/) },
  ],
  ["not when it does not tell", { straight: true }, { predictorEnabled: false }, { type: "none", reason: expect.any(String) }],
])("a child is asked %s", (...[, can, status, way]) => {
  expect(wayTo({ ...cluster!, status: { ...cluster!.status, ...status } }, can)).toEqual(way);
});
