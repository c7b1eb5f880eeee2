// Real kubectl, an old one and the newest, against a child through the parent's API server, as an ordinary user.
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { request } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execa, type ResultPromise } from "execa";
import { eventually } from "#test/framework/eventually.ts";
import { FAKE_POD_ANSWER, startFakeNodes, type FakeNodes } from "#test/framework/fake-nodes.ts";
import { resolveTool } from "#tools/toolchain.ts";
import { startHubBed, type HubBed } from "./hub-bed.ts";
import { allow, socketsProxyRules } from "./hub-objects.ts";

const user = { kind: "User", name: "ana", apiGroup: "rbac.authorization.k8s.io" };
/** 1.32 from the machine, when it has one, and the newest from the toolchain. */
const newest = await resolveTool("kubectl");
const onPath = await execa("kubectl", ["version", "--client"], { reject: false });
const versions = [
  { name: "newest", path: newest },
  ...(onPath.exitCode === 0 ? [{ name: "of this machine", path: "kubectl" }] : []),
];

const quiet = { reject: false, timeout: 30_000 } as const;
type Kubectl = ResultPromise<typeof quiet>;

let bed: HubBed;
let nodes: FakeNodes;
let kubeconfig: string;
let directKubeconfig: string;

beforeAll(async () => {
  bed = await startHubBed();
  // Not what another server at this address has told an earlier kubectl.
  process.env["KUBECACHEDIR"] = join(bed.parent.directory, "kubectl-cache");
  nodes = await startFakeNodes(bed.child, { logLines: ["first line"] });
  await allow(bed.parent.admin, { name: "ana-proxy", subject: user, rules: socketsProxyRules });
  const resources = ["configmaps", "pods", "pods/log", "pods/exec", "pods/attach", "pods/portforward"];
  await allow(bed.child.admin, { name: "ana", subject: user, rules: [{ apiGroups: [""], resources, verbs: ["*"] }] });
  kubeconfig = join(bed.parent.directory, "through-the-hub.kubeconfig");
  const direct = await bed.parent.kubeconfigFor({ user: "ana" });
  const { stdout } = await execa(newest, ["--kubeconfig", direct, "config", "view", "--raw", "-o", "json"]);
  await writeFile(kubeconfig, stdout.replaceAll(bed.parent.server, bed.proxyUrl), { mode: 0o600 });
  directKubeconfig = await bed.child.kubeconfigFor({ user: "ana" });
  await bed.child.admin.create("/api/v1/namespaces/default/pods", {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: { nodeName: nodes.nodes[0], containers: [{ name: "web", image: "web" }], tolerations: [{ operator: "Exists" }] },
  });
  await eventually("the pod runs", async () => {
    const pod = await bed.child.admin.get<{ status: { phase: string } }>("/api/v1/namespaces/default/pods/web");
    return pod?.status.phase === "Running";
  });
}, 120_000);

afterAll(async () => {
  await nodes[Symbol.asyncDispose]();
  await bed[Symbol.asyncDispose]();
});

describe.each(versions)("kubectl $name", ({ name, path }) => {
  const kubectl = (...args: string[]): Kubectl => execa(path, ["--kubeconfig", kubeconfig, ...args], quiet);
  const mapName = `map-${name.split(" ")[0] ?? ""}`;

  test("applies, reads, lists as a table, changes and deletes", async () => {
    const manifest = (value: string): string =>
      JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: mapName, namespace: "default" }, data: { value } });
    const apply = (value: string): Promise<{ stdout: string; stderr: string }> =>
      execa(path, ["--kubeconfig", kubeconfig, "apply", "-f", "-"], { input: manifest(value) });
    expect((await apply("1")).stdout).toContain(`configmap/${mapName} created`);
    expect((await apply("2")).stdout).toContain("configured");
    expect((await kubectl("get", "configmap", mapName, "-o", "jsonpath={.data.value}")).stdout).toBe("2");
    expect((await kubectl("get", "configmaps")).stdout).toMatch(new RegExp(`NAME +DATA +AGE[^]*${mapName} +1 `));
    expect((await kubectl("delete", "configmap", mapName)).stdout).toContain("deleted");
    const gone = await kubectl("get", "configmap", mapName);
    expect(gone.stderr).toContain(`configmaps "${mapName}" not found`);
  });

  test("watches: what is created later arrives while the request is open", async () => {
    const watching = kubectl("get", "configmaps", "--watch-only", "-o", "name");
    const seen: string[] = [];
    watching.stdout.on("data", (chunk: Buffer) => seen.push(chunk.toString()));
    let count = 0;
    await eventually(
      "the watch shows a ConfigMap that is created now",
      async () => {
        count += 1;
        const metadata = { name: `${mapName}-watched-${String(count)}` };
        await bed.child.admin.create("/api/v1/namespaces/default/configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata });
        return seen.join("").includes(`${mapName}-watched`);
      },
      { intervalMs: 300 },
    );
    watching.kill("SIGINT");
    await watching;
  });

  test("is limited by the user's own rights in the child", async () => {
    const forbidden = await kubectl("get", "secrets");
    expect(forbidden.exitCode).toBe(1);
    expect(forbidden.stderr).toContain('secrets is forbidden: User "ana" cannot list resource "secrets"');
    expect((await kubectl("auth", "can-i", "get", "configmaps")).stdout).toContain("yes");
  });

  test("follows logs", async () => {
    const following = kubectl("logs", "-f", "web");
    const seen: string[] = [];
    following.stdout.on("data", (chunk: Buffer) => seen.push(chunk.toString()));
    await eventually("the first line is shown", () => seen.join("").includes("first line"));
    await nodes.writeLogLine(`later, for ${name}`);
    await eventually("a line that was written later is shown", () => seen.join("").includes(`later, for ${name}`));
    following.kill("SIGINT");
    await following;
  });

  test.each([
    ["WebSocket", "true"],
    ["SPDY", "false"],
  ])("runs a command with input by %s", async (_protocol, viaWebSocket) => {
    const script = 'read line; echo "got $line"; echo problem >&2; exit 3';
    const run = (config: string): Promise<{ stdout: string; stderr: string; exitCode?: number }> =>
      execa(path, ["--kubeconfig", config, "exec", "-i", "web", "--", "sh", "-c", script], {
        input: "hello\n",
        reject: false,
        env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: viaWebSocket },
        timeout: 30_000,
      });
    const result = await run(kubeconfig);
    expect(result.stdout).toBe("got hello");
    // What the exit code becomes is the kubelet's affair; the way through the hub must not change it.
    const direct = await run(directKubeconfig);
    expect(result).toMatchObject({ stdout: direct.stdout, exitCode: direct.exitCode });
    expect(result.exitCode).not.toBe(0);
    expect(result.stderr).toContain("problem");
  });

  test("moves a megabyte each way through exec unharmed", async () => {
    const input = Buffer.alloc(1_000_000, "0123456789abcdef\n");
    const result = await execa(
      path,
      ["--kubeconfig", kubeconfig, "exec", "-i", "web", "--", "head", "-c", String(input.byteLength)],
      {
        input,
        encoding: "buffer",
        stripFinalNewline: false,
        timeout: 30_000,
        reject: false,
      },
    );
    expect(result.stdout.byteLength).toBe(input.byteLength);
    expect(Buffer.from(result.stdout).equals(input)).toBe(true);
  });

  test.each([
    ["WebSocket", "true"],
    ["SPDY", "false"],
  ])("forwards a port by %s", async (_protocol, viaWebSocket) => {
    const port = await aFreePort();
    const forwarding = execa(path, ["--kubeconfig", kubeconfig, "port-forward", "pod/web", `${String(port)}:80`], {
      env: { KUBECTL_PORT_FORWARD_WEBSOCKETS: viaWebSocket },
      reject: false,
      timeout: 60_000,
    });
    const body = await eventually("the pod answers on the local port", () => get(port), { intervalMs: 200 });
    expect(body).toBe(FAKE_POD_ANSWER);
    expect(await get(port)).toBe(FAKE_POD_ANSWER);
    forwarding.kill("SIGINT");
    await forwarding;
  });
});

async function aFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("No port");
  return address.port;
}

function get(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("end", () => {
        resolve(body);
      });
    })
      .on("error", reject)
      .end();
  });
}
