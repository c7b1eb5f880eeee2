// What a container is started with: its command line, `$(VAR)`, and mount paths that lie elsewhere.
import { describe, expect, test } from "@jest/globals";
import { expand } from "#test/framework/process-node/environment.ts";
import { commandLineOf, defaultImages } from "#test/framework/process-node/images.ts";
import { rewriteMountPaths } from "#test/framework/process-node/mount-paths.ts";

test.each([
  ["hello $(NAME)", "hello jane"],
  ["$$(NAME) and $(OTHER)", "$(NAME) and $(OTHER)"],
  ["$(NAME)$(NAME) costs $5", "janejane costs $5"],
])("expand turns %s into %s", (given, expected) => {
  expect(expand(given, { NAME: "jane" })).toBe(expected);
});

describe("rewriteMountPaths", () => {
  const mounts = [
    { mountPath: "/etc/app", hostPath: "/pod/app" },
    { mountPath: "/etc/app/tls/", hostPath: "/pod/tls" },
  ];

  test.each([
    ["--config=/etc/app/config.yaml", "--config=/pod/app/config.yaml"],
    ["/etc/app", "/pod/app"],
    ["--cert=/etc/app/tls/tls.crt,/etc/app/x", "--cert=/pod/tls/tls.crt,/pod/app/x"],
    ["/etc/application /other/etc/app", "/etc/application /other/etc/app"],
    ["cat '/etc/app/a' \"/etc/app/b\"", "cat '/pod/app/a' \"/pod/app/b\""],
  ])("turns %s into %s", (given, expected) => {
    expect(rewriteMountPaths(given, mounts)).toBe(expected);
  });
});

describe("commandLineOf", () => {
  const node = "/n/node";
  const rules = defaultImages({ node, componentEntry: "/r/main.ts" });

  test.each([
    { image: "clusternet/pulumi-clusternet:0.1.0", args: ["hub", "--x"], line: [node, "/r/main.ts", "hub", "--x"] },
    { image: "registry.local:5000/a/pulumi-clusternet@sha256:00", args: ["agent"], line: [node, "/r/main.ts", "agent"] },
    { image: "node:24", command: ["node", "-e", "1"], line: [node, "-e", "1"] },
    { image: "docker.io/library/node:24-slim", command: ["sh", "-c"], args: ["true"], line: ["sh", "-c", "true"] },
    { image: "postgres:17", command: ["postgres"], line: undefined },
    { image: "my-node:1", line: undefined },
  ])("$image", ({ line, ...container }) => {
    expect(commandLineOf(container, { rules, node })).toEqual(line);
  });
});
