// Connections to children that are asked again and again.

import { expect, test } from "@jest/globals";
import { StraightConnections } from "#scheduler/straight-connections.ts";
import { startScriptedApiserver } from "#test/framework/scripted-apiserver.ts";

const { signal } = new AbortController();
const source = { read: () => Promise.resolve({ headers: {}, caPem: "pem" }), forget: () => undefined };

test("the same child is asked on connections that stay, with a slash at its end or without", async () => {
  await using server = await startScriptedApiserver((exchange) => {
    exchange.json({});
  });
  await using connections = new StraightConnections(source);
  for (let question = 0; question < 10; question += 1) {
    const client = await connections.clientOf(question % 2 === 0 ? server.server : `${server.server}/`, signal);
    await client.request({ method: "POST", path: "/ask", body: {} }, signal);
  }
  expect(server.exchanges).toHaveLength(10);
  // A second one is opened when the first has not quite finished.
  expect(new Set(server.exchanges.map(({ remotePort }) => remotePort)).size).toBeLessThanOrEqual(2);
});

test("of more children than connections, who was not asked for the longest time is let go", async () => {
  await using connections = new StraightConnections(source, 2);
  const clientOf = (child: string): Promise<unknown> => connections.clientOf(`https://${child}.example.com`, signal);
  const [paris, oslo] = [await clientOf("paris"), await clientOf("oslo")];
  expect(await clientOf("paris")).toBe(paris);
  await clientOf("rome");
  expect(await clientOf("paris")).toBe(paris);
  expect(await clientOf("oslo")).not.toBe(oslo);
});

test("without an authority for predictors nobody is asked", async () => {
  await using connections = new StraightConnections({ ...source, read: () => Promise.resolve({ headers: {} }) });
  await expect(connections.clientOf("https://paris.example.com", signal)).rejects.toThrow("authorities");
});
