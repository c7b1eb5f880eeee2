// A cluster runs pods as processes, reaches them through Services, and fakes nodes, as a cluster with containers would.
import { once } from "node:events";
import { readFileSync, existsSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Pod, Service } from "kubernetes-types/core/v1.js";
import { startCluster, type Cluster } from "#test/framework/cluster.ts";
import { eventually } from "#test/framework/eventually.ts";
import { FAKE_POD_ANSWER } from "#test/framework/fake-nodes.ts";
import { createTestNamespace } from "#test/framework/namespaces.ts";
import { kubectlWith, type Kubectl } from "#tools/kubectl.ts";

let cluster: Cluster;
let namespace: string;
const ending = new AbortController();

beforeAll(async () => {
  cluster = await startCluster({ name: "bed", fakeNodes: {} });
  namespace = await createTestNamespace(cluster.controlPlane);
});
afterAll(async () => {
  ending.abort();
  const { directory } = cluster.controlPlane;
  await cluster[Symbol.asyncDispose]();
  expect(existsSync(directory)).toBe(false);
});

/** Answers with its environment, arguments and files; `/crash` ends it, `/unwell` makes /livez fail, `/token` returns its token. */
const SERVER = `
  const { readFileSync } = require("node:fs");
  let live = true, ready = true;
  require("node:http").createServer((request, response) => {
    if (request.url === "/crash") process.exit(3);
    if (request.url === "/unwell") live = false;
    if (request.url === "/busy") ready = false;
    if (request.url === "/livez") response.statusCode = live ? 200 : 500;
    if (request.url === "/readyz") response.statusCode = ready ? 200 : 503;
    const file = request.url.startsWith("/file") ? readFileSync(request.url.slice(5), "utf8") : undefined;
    response.end(JSON.stringify({ env: process.env, argv: process.argv.slice(1), pid: process.pid, file }));
  }).listen(8080, process.env.POD_IP);
  console.log("listening on " + process.env.POD_IP);
  process.on("SIGTERM", () => { console.log("bye"); process.exit(0); });`;

interface Answer {
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  readonly pid: number;
  readonly file?: string;
}

const podIp = { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } };

function container(extra: object = {}, env: readonly object[] = []): object {
  return {
    name: "server",
    image: "docker.io/library/node:24",
    command: ["node", "-e", SERVER],
    env: [podIp, ...env],
    ports: [{ name: "http", containerPort: 8080 }],
    readinessProbe: { httpGet: { path: "/readyz", port: "http" }, periodSeconds: 1, failureThreshold: 1 },
    ...extra,
  };
}

async function createDeployment(name: string, podSpec: object, replicas = 1): Promise<void> {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 2, ...podSpec } };
  const object = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: { replicas, selector: { matchLabels: labels }, template },
  };
  await cluster.controlPlane.admin.create(`/apis/apps/v1/namespaces/${namespace}/deployments`, object);
}

async function createService(name: string): Promise<string> {
  const spec = { selector: { app: name }, ports: [{ name: "http", port: 8000, targetPort: "http" }] };
  const service = { apiVersion: "v1", kind: "Service", metadata: { name }, spec };
  const created = await cluster.controlPlane.admin.create<Service>(`/api/v1/namespaces/${namespace}/services`, service);
  return `http://${created.spec?.clusterIP ?? ""}:8000`;
}

async function ask(url: string): Promise<Answer> {
  const request = get(url, { agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return JSON.parse(await text(response)) as Answer;
}

const answers = (url: string): Promise<Answer> => eventually(`${url} answers`, () => ask(url));

async function podsOf(app: string): Promise<Pod[]> {
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=app%3D${app}`;
  return (await cluster.controlPlane.admin.get<{ items: Pod[] }>(path))?.items ?? [];
}

const kubectlOfAdmin = (): Promise<Kubectl> => kubectlWith(cluster.controlPlane.adminKubeconfig, ending.signal);
const kubectl = async (...args: string[]): Promise<string> => (await kubectlOfAdmin()).run([`--namespace=${namespace}`, ...args]);

describe("a process node", () => {
  test("runs a Deployment that is reached through its Service's ClusterIP, and again after its process was killed", async () => {
    await createDeployment("web", { containers: [container()] });
    const url = await createService("web");
    const first = await answers(`${url}/`);
    expect(first.env["POD_IP"]).toMatch(/^127\.244\./);
    const [pod] = await podsOf("web");
    expect(pod?.status).toMatchObject({ phase: "Running", podIP: first.env["POD_IP"]?.replace("127.", "10.") });

    cluster.processNode?.kill({ namespace, pod: pod?.metadata?.name ?? "" }, "SIGKILL");
    const second = await eventually("the process runs again", async () => {
      const answer = await ask(`${url}/`);
      return answer.pid !== first.pid && answer;
    });
    expect(second.env["POD_IP"]).toBe(first.env["POD_IP"]);
    const [restarted] = await podsOf("web");
    expect(restarted?.status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      lastState: { terminated: { exitCode: 137 } },
    });
    expect(await kubectl("logs", "deployment/web")).toMatch(/^listening on 127\.244\.[^]*listening on 127\.244\./);
  });

  test("gives a container its variables, files, token and rewritten paths", async () => {
    const { admin } = cluster.controlPlane;
    const create = (kind: "secrets" | "configmaps", object: object): Promise<unknown> =>
      admin.create(`/api/v1/namespaces/${namespace}/${kind}`, object);
    await create("secrets", { metadata: { name: "login" }, stringData: { user: "jane", password: "s3cret" } });
    const env = [
      { name: "USER_NAME", valueFrom: { secretKeyRef: { name: "login", key: "user" } } },
      { name: "GREETING", value: "hello $(USER_NAME) from $(POD_NAME), not $$(USER_NAME)" },
      { name: "MISSING", valueFrom: { configMapKeyRef: { name: "none", key: "x", optional: true } } },
      { name: "CONFIG_FILE", value: "/etc/app/settings/app.json" },
    ];
    const named = { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } };
    const extra = {
      args: ["--", "--config=/etc/app/settings/app.json", "--greeting", "$(GREETING)", "/etc/application"],
      envFrom: [{ configMapRef: { name: "settings" } }],
      volumeMounts: [{ name: "settings", mountPath: "/etc/app/settings" }],
    };
    const volumes = [
      { name: "settings", projected: { sources: [{ configMap: { name: "settings" } }, { secret: { name: "login" } }] } },
    ];
    await createDeployment("config", { containers: [container(extra, [named, ...env])], volumes });
    const url = await createService("config");
    await eventually("the pod says what is missing", async () =>
      (await podsOf("config"))[0]?.status?.containerStatuses?.some(
        ({ state }) =>
          state?.waiting?.reason === "CreateContainerConfigError" &&
          /ConfigMap settings not found/.test(state.waiting.message ?? ""),
      ),
    );
    await create("configmaps", { metadata: { name: "settings" }, data: { "app.json": "{}", MODE: "fast" } });

    const answer = await answers(`${url}/`);
    const podName = answer.env["POD_NAME"] ?? "";
    expect(podName).toMatch(/^config-/);
    expect(answer.env).toMatchObject({
      USER_NAME: "jane",
      MODE: "fast",
      GREETING: `hello jane from ${podName}, not $(USER_NAME)`,
      KUBERNETES_SERVICE_HOST: cluster.controlPlane.host,
    });
    expect(answer.env["MISSING"]).toBeUndefined();
    expect(answer.argv.slice(-1)).toEqual(["/etc/application"]);
    const configFile = answer.env["CONFIG_FILE"] ?? "";
    expect(answer.argv).toContain(`--config=${configFile}`);
    expect(readFileSync(configFile, "utf8")).toBe("{}");
    expect(readFileSync(configFile.replace("app.json", "password"), "utf8")).toBe("s3cret");

    const account = answer.env["CLUSTERNET_SERVICE_ACCOUNT_DIR"] ?? "";
    expect((await ask(`${url}/file${account}/namespace`)).file).toBe(namespace);
    expect((await ask(`${url}/file${account}/ca.crt`)).file?.trim()).toBe(cluster.controlPlane.caPem.trim());
    const token = (await ask(`${url}/file${account}/token`)).file ?? "";
    const review = await admin.create<{ status: { user: { username: string } } }>("/apis/authentication.k8s.io/v1/tokenreviews", {
      spec: { token },
    });
    expect(review.status.user.username).toBe(`system:serviceaccount:${namespace}:default`);
  });

  test("restarts a container whose liveness probe fails, and takes one that is not ready out of its Service", async () => {
    const livenessProbe = { httpGet: { path: "/livez", port: 8080 }, periodSeconds: 1, failureThreshold: 1 };
    await createDeployment("probed", { containers: [container({ livenessProbe })] });
    const url = await createService("probed");
    const first = await answers(`${url}/`);
    await ask(`${url}/unwell`);
    await eventually("another process answers", async () => (await ask(`${url}/`)).pid !== first.pid);
    const [pod] = await podsOf("probed");
    expect(pod?.status?.containerStatuses?.[0]?.lastState?.terminated?.message).toBe("Liveness probe failed: HTTP status 500");

    await ask(`${url}/busy`);
    await eventually("the Service refuses connections", () =>
      ask(`${url}/`).then(
        () => false,
        (error: unknown) => /ECONNREFUSED/.test(String(error)),
      ),
    );
    const [unready] = await podsOf("probed");
    expect(unready?.status?.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "False" }));
  });

  test("rolls a Deployment over and ends old pods with SIGTERM", async () => {
    await createDeployment("rolling", { containers: [container({}, [{ name: "VERSION", value: "1" }])] });
    const url = await createService("rolling");
    const first = await answers(`${url}/`);
    const [oldPod] = await podsOf("rolling");
    await kubectl("set", "env", "deployment/rolling", "VERSION=2");
    await kubectl("rollout", "status", "deployment/rolling", "--timeout=30s");
    await eventually("only the new version answers", async () => (await ask(`${url}/`)).env["VERSION"] === "2");
    await eventually("the old pod is gone", async () => (await podsOf("rolling")).length === 1);
    expect(() => process.kill(first.pid, 0)).toThrow();
    const log = cluster.processNode?.logFile({ namespace, pod: oldPod?.metadata?.name ?? "", container: "server" }) ?? "";
    expect(readFileSync(log, "utf8")).toMatch(/bye\n$/);
  });

  test("runs init containers first, completes a Job, and backs off when a container keeps failing", async () => {
    const one = (name: string, code: string): object => ({ name, image: "node:24", command: ["node", "-e", code] });
    const template = {
      spec: { restartPolicy: "Never", initContainers: [one("first", "console.log('init')")], containers: [one("work", "")] },
    };
    const job = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "once" }, spec: { template } };
    await cluster.controlPlane.admin.create(`/apis/batch/v1/namespaces/${namespace}/jobs`, job);
    await kubectl("wait", "--for=condition=complete", "job/once", "--timeout=30s");

    await createDeployment("failing", { containers: [one("crash", "process.exit(7)")] });
    const crashed = await eventually("the container is in back-off", async () =>
      (await podsOf("failing"))[0]?.status?.containerStatuses?.find(({ state }) => state?.waiting?.reason === "CrashLoopBackOff"),
    );
    expect(crashed.lastState?.terminated?.exitCode).toBe(7);
  });

  test("refuses an image that it cannot run, in the pod's status", async () => {
    await createDeployment("foreign", { containers: [{ name: "db", image: "postgres:17" }] });
    await eventually("the pod says so", async () =>
      (await podsOf("foreign"))[0]?.status?.containerStatuses?.some(
        ({ state }) => state?.waiting?.reason === "ErrImageNeverPull",
      ),
    );
  });
});

describe("fake nodes", () => {
  beforeAll(async () => {
    const pod = {
      metadata: { name: "fake" },
      spec: {
        nodeSelector: { type: "kwok" },
        containers: [{ name: "app", image: "anything:1", ports: [{ containerPort: 80 }] }],
      },
    };
    await cluster.controlPlane.admin.create(`/api/v1/namespaces/${namespace}/pods`, pod);
    await kubectl("wait", "--for=condition=Ready", "pod/fake", "--timeout=30s");
  });

  test("answer kubectl logs and exec", async () => {
    expect(await kubectl("logs", "fake")).toBe("a fake pod has started\nit does nothing");
    expect(await kubectl("exec", "fake", "--", "sh", "-c", "echo in $(basename $PWD)")).toBe("in exec");
  });

  test("answer kubectl port-forward", async () => {
    await using forward = (await kubectlOfAdmin()).start([`--namespace=${namespace}`, "port-forward", "pod/fake", ":80"]);
    const address = await forward.output(/127\.0\.0\.1:\d+/);
    const [response] = (await once(get(`http://${address}/`, { agent: false }), "response")) as [IncomingMessage];
    expect(await text(response)).toBe(FAKE_POD_ANSWER);
  });
});
