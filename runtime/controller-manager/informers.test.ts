import { expect, test } from "@jest/globals";
import { createClient } from "#kube/client.ts";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import { startScriptedApiserver } from "#test/framework/scripted-apiserver.ts";
import { createDeliveryInformers } from "./informers.ts";

test("what is large about Descriptions is held once for all clusters that get the same", async () => {
  const description = (namespace: string, raw: readonly string[]): object => ({
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Description",
    metadata: { namespace, name: "web", uid: namespace, resourceVersion: "1" },
    spec: { deployer: "Generic", raw },
  });
  const items = [description("oslo", ["same"]), description("paris", ["same"]), description("rome", ["other"])];
  await using server = await startScriptedApiserver((exchange) => {
    if (exchange.isWatch) exchange.stream();
    else exchange.json({ metadata: { resourceVersion: "1" }, items });
  });
  await using connection = server.connect();
  const names = { reservedNamespace: "clusternet-reserved", systemNamespace: "clusternet-system" };
  const client = createClient(connection, { component: "test" });
  const { descriptions } = createDeliveryInformers(client, { ...names, clock: realClock, log: silentLogger });
  const stopping = new AbortController();
  const running = descriptions.run(stopping.signal);
  await descriptions.whenSynced(stopping.signal);
  const rawOf = (namespace: string): unknown => descriptions.get(`${namespace}/web`)?.spec.raw;
  expect(rawOf("paris")).toEqual(["same"]);
  expect(rawOf("paris")).toBe(rawOf("oslo"));
  expect(rawOf("rome")).toEqual(["other"]);
  stopping.abort(new Error("The test is over"));
  await running;
});
