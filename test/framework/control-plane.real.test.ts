// A control plane starts, serves its identities, survives a crash of kube-apiserver, and leaves nothing behind.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { connectApiClient } from "#test/framework/api-client.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { createTestNamespace } from "#test/framework/namespaces.ts";
import { sharedControlPlane } from "#test/framework/shared-control-plane.ts";

interface ReviewStatus {
  readonly status: { readonly userInfo: { readonly username: string; readonly groups: readonly string[] } };
}

describe("startControlPlane", () => {
  let controlPlane: ControlPlane;
  beforeAll(async () => {
    controlPlane = await startControlPlane({ name: "under-test" });
  });
  afterAll(async () => {
    await controlPlane[Symbol.asyncDispose]();
  });

  test("serves an identity of any user and groups through a kubeconfig", async () => {
    await using client = await connectApiClient(await controlPlane.kubeconfigFor({ user: "jane", groups: ["team-a", "a,b"] }));
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
    const { status } = await client.create<ReviewStatus>("/apis/authentication.k8s.io/v1/selfsubjectreviews", review);
    expect(status.userInfo).toMatchObject({ username: "jane", groups: ["team-a", "a,b", "system:authenticated"] });
    await expect(client.get("/api/v1/namespaces")).rejects.toThrow(/403/);
  });

  test("gives Services loopback addresses of its own range", async () => {
    const service = await controlPlane.admin.get<{ spec: { clusterIP: string } }>(
      "/api/v1/namespaces/default/services/kubernetes",
    );
    expect(service?.spec.clusterIP).toBe(controlPlane.addresses.kubernetesServiceAddress);
    expect(controlPlane.serviceRange).toMatch(/^127\.\d+\.0\.0\/20$/);
  });

  test("publishes the front proxy's authority for aggregated API servers", async () => {
    const path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    const map = await controlPlane.admin.get<{ data: Record<string, string> }>(path);
    expect(map?.data["requestheader-client-ca-file"]?.trim()).toBe(controlPlane.authorities.frontProxy.certificatePem.trim());
    expect(map?.data["requestheader-allowed-names"]).toBe('["front-proxy-client"]');
  });

  test("has its objects and its address again after kube-apiserver crashed", async () => {
    const namespace = await createTestNamespace(controlPlane, "before-the-crash");
    await controlPlane.stopApiserver();
    await expect(controlPlane.admin.get("/version")).rejects.toThrow(/ECONNREFUSED|closed|ECONNRESET/);
    await controlPlane.startApiserver();
    expect(await controlPlane.admin.get(`/api/v1/namespaces/${namespace}`)).toBeDefined();
  });

  test("leaves no process and no file behind when it is disposed", async () => {
    const other = await startControlPlane({ name: "short-lived", controllerManager: false });
    expect(processesWith(other.directory)).not.toEqual([]);
    expect(other.slot).not.toBe(controlPlane.slot);
    await other[Symbol.asyncDispose]();
    expect(processesWith(other.directory)).toEqual([]);
    expect(existsSync(other.directory)).toBe(false);
  });

  test("says why when kube-apiserver cannot start, and leaves nothing behind", async () => {
    const before = directories();
    const start = startControlPlane({ name: "broken", apiserverFlags: ["--no-such-flag"] });
    await expect(start).rejects.toThrow(
      /kube-apiserver ended during its start; the end of .*kube-apiserver\.log:[^]*unknown flag: --no-such-flag/,
    );
    expect(directories()).toEqual(before);
  });

  test("goes away with an owner that was killed", async () => {
    const script = `
      import { startControlPlane } from "#test/framework/control-plane.ts";
      const { directory } = await startControlPlane({ name: "orphan", controllerManager: false });
      console.log(directory);
      setInterval(() => undefined, 1000);`;
    const owner = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["ignore", "pipe", "inherit"] });
    const [directory] = (await once(createInterface(owner.stdout), "line")) as [string];
    expect(processesWith(directory)).not.toEqual([]);
    owner.kill("SIGKILL");
    await eventually(
      "the orphan's processes and files are gone",
      () => processesWith(directory).length === 0 && !existsSync(directory),
    );
  });
});

describe("sharedControlPlane", () => {
  test("is one and the same for everybody who asks in a Jest run", async () => {
    const first = await sharedControlPlane();
    expect((await sharedControlPlane()).server).toBe(first.server);
    expect(process.env["CLUSTERNET_SHARED_CONTROL_PLANE_SOCKET"]).toBeDefined();
    const namespace = await createTestNamespace(first);
    await using client = await connectApiClient(first.adminKubeconfig);
    expect(await client.get(`/api/v1/namespaces/${namespace}`)).toBeDefined();
  });
});

/** The command lines that mention the directory. */
function processesWith(directory: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(commandLine)
    .filter((command) => command.includes(directory));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

function directories(): string[] {
  return readdirSync("/tmp").filter((name) => name.startsWith("clusternet-broken-"));
}
