// Every way to a tool, in order, on a local release server and with a Go that only pretends.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { findTool, ToolMissingError, type ToolName } from "#tools/toolchain.ts";
import { checksumFor } from "#tools/toolchain/download.ts";

let directory: string;
let server: Server;
let lines: string[];
/** What the release server answers, by path; anything else is refused. */
let answers: Map<string, (request: IncomingMessage, response: ServerResponse) => void>;
let requests: { readonly path: string; readonly range: string | undefined }[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "clusternet-toolchain-"));
  lines = [];
  requests = [];
  answers = new Map();
  server = createServer((request, response) => {
    requests.push({ path: request.url ?? "", range: request.headers.range });
    const answer = answers.get(request.url ?? "");
    if (answer === undefined) response.writeHead(403).end("refused");
    else answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

const never = new AbortController().signal;
const cached = (name: string): string =>
  join(directory, "cache", "pulumi-clusternet", "tools", `${process.platform}-${process.arch}`, name);

function find(name: ToolName, env: Readonly<Record<string, string>> = {}, path: readonly string[] = []): Promise<string> {
  const base = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const modules = join(directory, "modules");
  mkdirSync(join(modules, "etcd"), { recursive: true });
  mkdirSync(join(modules, "kubernetes"), { recursive: true });
  const all = {
    XDG_CACHE_HOME: join(directory, "cache"),
    PATH: [...path, "/usr/bin", "/bin"].join(":"),
    CLUSTERNET_KUBERNETES_RELEASES: base,
    CLUSTERNET_GITHUB_RELEASES: base,
    ...env,
  };
  const progress = (line: string): void => {
    lines.push(line);
  };
  return findTool(name, { env: all, progress, modules }, never);
}

/** An executable that prints something, in a directory of its own; returns the directory. */
function executable(name: string, script: string): string {
  const own = mkdtempSync(join(directory, "bin-"));
  writeFileSync(join(own, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return own;
}

/** Writes its output file as `go build -o FILE` does, and what it was asked into `go.log`. */
function fakeGo(script = ""): string {
  return executable(
    "go",
    `echo "$CGO_ENABLED $GOFLAGS $PWD $*" >> "${directory}/go.log"\n${script}\nwhile [ "$1" != -o ]; do shift; done\nprintf '#!/bin/sh\\necho built\\n' > "$2"; chmod +x "$2"`,
  );
}

const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
const SCHEDULER = `/v1.36.3/bin/${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}/kube-scheduler`;

function offer(path: string, content: Buffer, checksum = sha256(content)): void {
  answers.set(path, (request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": content.byteLength - from }).end(content.subarray(from));
  });
  answers.set(`${path}.sha256`, (_request, response) => response.end(checksum));
}

describe("findTool", () => {
  test("takes an explicit directory before everything else, whatever the version", async () => {
    const explicit = executable("etcd", "echo another");
    const onPath = executable("etcd", "echo etcd Version: 3.6.8");
    expect(await find("etcd", { CLUSTERNET_TOOLS_DIR: explicit }, [onPath])).toBe(join(explicit, "etcd"));
    expect(await find("etcd", { KUBEBUILDER_ASSETS: explicit }, [onPath])).toBe(join(explicit, "etcd"));
  });

  test("takes what is on PATH only when it has exactly the pinned version", async () => {
    const wrong = executable("etcd", "echo etcd Version: 13.6.80");
    const right = executable("etcd", "echo etcd Version: 3.6.8");
    expect(await find("etcd", {}, [wrong, right])).toBe(join(right, "etcd"));
  });

  test("downloads the official release, checks it, and finds it in the cache the next time", async () => {
    offer(SCHEDULER, Buffer.from("#!/bin/sh\necho scheduler\n"));
    const path = await find("kube-scheduler");
    expect(path).toBe(cached("kube-scheduler-1.36.3/kube-scheduler"));
    expect(execFileSync(path, { encoding: "utf8" })).toBe("scheduler\n");
    requests.length = 0;
    expect(await find("kube-scheduler")).toBe(path);
    expect(requests).toEqual([]);
    expect(readdirSync(cached("")).filter((name) => name.includes("download"))).toEqual([]);
  });

  test("unpacks a release that is an archive, with what lies beside the executable", async () => {
    const name = `etcd-v3.6.8-${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`;
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, "etcd"), "#!/bin/sh\necho etcd\n", { mode: 0o755 });
    writeFileSync(join(directory, name, "etcdctl"), "");
    execFileSync("tar", ["-czf", "etcd.tar.gz", name], { cwd: directory });
    const archive = readFileSync(join(directory, "etcd.tar.gz"));
    const folder = "/etcd-io/etcd/releases/download/v3.6.8";
    offer(`${folder}/${name}.tar.gz`, archive);
    answers.set(`${folder}/SHA256SUMS`, (_request, response) =>
      response.end(`${"0".repeat(64)}  other.zip\n${sha256(archive)}  ${name}.tar.gz\n`),
    );
    expect(execFileSync(await find("etcd"), { encoding: "utf8" })).toBe("etcd\n");
    expect(readdirSync(cached("etcd-3.6.8")).sort()).toEqual(["etcd", "etcdctl"]);
  });

  test("goes on where a broken download stopped", async () => {
    const content = Buffer.from(`#!/bin/sh\necho whole\n#${"x".repeat(200_000)}\n`);
    offer(SCHEDULER, content);
    const whole = answers.get(SCHEDULER);
    let isFirst = true;
    answers.set(SCHEDULER, (request, response) => {
      if (!isFirst) return whole?.(request, response);
      isFirst = false;
      response.writeHead(200, { "content-length": content.byteLength });
      response.write(content.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 100));
      return undefined;
    });
    expect(execFileSync(await find("kube-scheduler"), { encoding: "utf8" })).toBe("whole\n");
    const ranges = requests.filter(({ path }) => path === SCHEDULER).map(({ range }) => range);
    expect(ranges).toEqual([undefined, "bytes=100000-"]);
  });

  test("does not take a download with the wrong checksum, and builds instead", async () => {
    offer(SCHEDULER, Buffer.from("#!/bin/sh\necho evil\n"), "a".repeat(64));
    const path = await find("kube-scheduler", {}, [fakeGo()]);
    expect(execFileSync(path, { encoding: "utf8" })).toBe("built\n");
  });

  test("builds with Go at once when the download is refused: one request, no retry, the pinned flags", async () => {
    const path = await find("kube-scheduler", {}, [fakeGo()]);
    expect(requests).toHaveLength(1);
    expect(path).toBe(cached("kube-scheduler-1.36.3/kube-scheduler"));
    const log = readFileSync(join(directory, "go.log"), "utf8");
    expect(log).toMatch(
      /^0 -buildvcs=false .*\/modules\/kubernetes build -trimpath -ldflags -s -w -X k8s\.io\/component-base\/version\.gitVersion=v1\.36\.3 /,
    );
    expect(log).toMatch(/ k8s\.io\/kubernetes\/cmd\/kube-scheduler$/m);
    expect(lines[0]).toBe("Building kube-scheduler 1.36.3 with Go (usually 6 s on two cores)");
    rmSync(cached("kube-scheduler-1.36.3"), { recursive: true });
    await find("kube-scheduler", {}, [fakeGo()]);
    expect(lines.at(-2)).toBe("Building kube-scheduler 1.36.3 with Go (1 s last time here)");
  });

  test("builds once for two who ask at the same time", async () => {
    const go = fakeGo("sleep 0.5");
    const [first, second] = await Promise.all([find("etcd", {}, [go]), find("etcd", {}, [go])]);
    expect(first).toBe(second);
    expect(readFileSync(join(directory, "go.log"), "utf8").trim().split("\n")).toHaveLength(1);
    expect(lines).toContain("Waiting for another process that is getting tools");
  });

  test("leaves nothing that looks like a tool when a build fails", async () => {
    await expect(find("etcd", {}, [executable("go", "echo out of memory >&2; exit 1")])).rejects.toThrow(
      /go build .* failed: out of memory/,
    );
    await expect(find("etcd", { PATH: "/nonexistent" })).rejects.toThrow(ToolMissingError);
  });

  test("says once and for all what to install when no way leads to the tool", async () => {
    const failure = find("etcd", { PATH: "/nonexistent" });
    await expect(failure).rejects.toThrow(/Cannot get etcd 3\.6\.8:/);
    await expect(failure).rejects.toThrow(/SHA256SUMS answers 403/);
    await expect(failure).rejects.toThrow(/There is no Go to build it with/);
    await expect(failure).rejects.toThrow(/Install Go .*or allow the download,[^]*CLUSTERNET_TOOLS_DIR/);
  });

  test("builds it when the release site cannot be reached", async () => {
    const path = await find("etcd", { CLUSTERNET_GITHUB_RELEASES: "http://127.0.0.1:1" }, [fakeGo()]);
    expect(execFileSync(path, { encoding: "utf8" })).toBe("built\n");
  });
});

test.each([
  { text: "ABCDEF".padEnd(64, "0"), digest: "abcdef".padEnd(64, "0") },
  { text: `${"1".repeat(64)}  other\n${"2".repeat(64)} *file`, digest: "2".repeat(64) },
  { text: `${"1".repeat(64)}  other`, digest: undefined },
  { text: "<html>not found</html>", digest: undefined },
])("checksumFor finds the digest of a file in $text", ({ text, digest }) => {
  expect(checksumFor("file", text)).toBe(digest);
});
