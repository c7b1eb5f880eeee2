import { expect, test } from "@jest/globals";
import { stringify } from "yaml";
import { readAccess } from "./kubeconfig.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** `cluster`, `user`: fields more in the chosen ones. */
function kubeconfig({ cluster = {}, user = {} }: { readonly cluster?: object; readonly user?: object } = {}): string {
  const certificates = { "client-certificate-data": base64("certificate"), "client-key-data": base64("key") };
  const at = (server: string): object => ({ server, "certificate-authority-data": base64(`authority of ${server}`) });
  return stringify({
    "current-context": "a",
    contexts: [
      { name: "a", context: { cluster: "a", user: "admin", namespace: "shop" } },
      { name: "b", context: { cluster: "b", user: "admin" } },
    ],
    clusters: [
      { name: "a", cluster: { ...at("https://a"), ...cluster } },
      { name: "b", cluster: at("https://b") },
    ],
    users: [{ name: "admin", user: { ...certificates, ...user } }],
  });
}

async function read(text: string, chosen: { readonly context?: string; readonly cluster?: string } = {}): Promise<unknown> {
  const access = await readAccess({ kubeconfig: text, context: chosen.context, cluster: chosen.cluster });
  const { server, defaultNamespace, tls } = access;
  const { ca, cert, key, rejectUnauthorized } = tls;
  const pems = [ca, cert, key].map(String);
  return { server, defaultNamespace, pems, rejectUnauthorized, authorization: await access.authorization() };
}

/** Says nothing, but is not what the short way knows. */
const theLongWay = { cluster: { "insecure-skip-tls-verify": false } };

test.each([{}, { context: "b" }, { cluster: "b" }, { context: "b", cluster: "a" }])(
  "%j: certificates in the kubeconfig are read as @kubernetes/client-node reads them",
  async (chosen) => {
    expect(await read(kubeconfig(), chosen)).toEqual(await read(kubeconfig(theLongWay), chosen));
  },
);

test("takes the chosen context's cluster, user and namespace", async () => {
  expect(await read(kubeconfig())).toEqual({
    server: "https://a",
    defaultNamespace: "shop",
    pems: ["authority of https://a", "certificate", "key"],
    rejectUnauthorized: true,
    authorization: {},
  });
});

test("a kubeconfig that asks for more is read with all of it", async () => {
  const text = kubeconfig({ cluster: { "insecure-skip-tls-verify": true }, user: { token: "secret" } });
  expect(await read(text)).toMatchObject({ rejectUnauthorized: false, authorization: { authorization: "Bearer secret" } });
});
