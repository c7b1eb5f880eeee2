// The URL of a child: what we build, what we parse, and what we refuse to understand.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import {
  isClusterId,
  parseSocketPath,
  Socket,
  socketAttachPath,
  socketPredictorPath,
  socketProxyPath,
  socketProxyUrl,
} from "./socket.ts";

const sockets = "/apis/proxies.clusternet.io/v1alpha1/sockets";

test("paths", () => {
  expect(socketProxyPath("a-valid-uid")).toBe(`${sockets}/a-valid-uid/proxy/direct`);
  expect(socketAttachPath("a-valid-uid")).toBe(`${sockets}/a-valid-uid/attach`);
});

test.each(["", "/", "//", "////"])("the URL below a server that ends in %j", (slashes) => {
  expect(socketProxyUrl(`https://10.0.0.10:6443${slashes}`, "a-valid-uid")).toBe(
    "https://10.0.0.10:6443/apis/proxies.clusternet.io/v1alpha1/sockets/a-valid-uid/proxy/direct",
  );
});

test("what upstream serves, and attach", () => {
  expect(Socket).toMatchObject({
    kind: "Socket",
    singular: "socket",
    shortNames: ["ss"],
    categories: ["clusternet"],
    scope: "Cluster",
  });
});

describe("parseSocketPath", () => {
  test.each([
    [sockets, { type: "collection" }],
    [`${sockets}/`, { type: "collection" }],
    [`${sockets}/c1`, { type: "socket", id: "c1" }],
    [`${sockets}/c1/`, { type: "socket", id: "c1" }],
    [`${sockets}/c1/attach`, { type: "attach", id: "c1" }],
    [`${sockets}/c1/proxy`, { type: "proxy", id: "c1", rest: "" }],
    [`${sockets}/c1/proxy/`, { type: "proxy", id: "c1", rest: "/" }],
    [`${sockets}/c1/proxy/direct`, { type: "proxy", id: "c1", rest: "/direct" }],
    [`${sockets}/c1/proxy/direct/api/v1/pods`, { type: "proxy", id: "c1", rest: "/direct/api/v1/pods" }],
    // Byte for byte: escapes, double slashes, dots and trailing slashes are the child's business.
    [`${sockets}/c1/proxy/direct/a%2Fb//c/../d/`, { type: "proxy", id: "c1", rest: "/direct/a%2Fb//c/../d/" }],
    [`${sockets}/c1/proxy/https/10.0.0.1:443/x`, { type: "proxy", id: "c1", rest: "/https/10.0.0.1:443/x" }],
    [`${sockets}/c1/proxy?a=/b`, { type: "proxy", id: "c1", rest: "?a=/b" }],
    [`${sockets}/c1/proxy/direct?a=%2F&a=b`, { type: "proxy", id: "c1", rest: "/direct?a=%2F&a=b" }],
    // A query is no part of what is asked for.
    [`${sockets}?a=b/c1`, { type: "collection" }],
    [`${sockets}/?a=b`, { type: "collection" }],
    [`${sockets}/c1?a=/proxy`, { type: "socket", id: "c1" }],
    [`${sockets}/c1/?a=b`, { type: "socket", id: "c1" }],
    [`${sockets}/c1/attach?a=/b`, { type: "attach", id: "c1" }],
    [`${sockets}/c1/attach/?a=b`, { type: "attach", id: "c1" }],
  ])("%s", (path, expected) => {
    expect(parseSocketPath(path)).toEqual({ found: true, path: expected });
  });

  test.each(["/", "/apis", "/apis/proxies.clusternet.io/v1alpha1", `${sockets}x`, `/x${sockets}/c1`, `/${sockets}/c1`])(
    "%s is another path",
    (path) => {
      expect(parseSocketPath(path)).toEqual({ found: false, reason: "OtherPath" });
    },
  );

  test.each([
    "//proxy",
    "/../c1",
    "/./proxy",
    "/..",
    "/c1%2F../proxy",
    "/%2e%2e/proxy",
    "/c1%00/proxy",
    "/c 1",
    "/-c1",
    "/c1.",
    "/ä",
    `/${"a".repeat(64)}/proxy`,
  ])("%s has no cluster id", (tail) => {
    expect(parseSocketPath(sockets + tail)).toMatchObject({ found: false, reason: "InvalidClusterId" });
  });

  test.each([
    ["/c1/proxyx", "proxyx", ""],
    ["/c1/Proxy", "Proxy", ""],
    ["/c1/attach/x", "attach", "/x"],
    ["/c1/attach//", "attach", "//"],
    ["/c1//", "", "/"],
    ["/c1//proxy", "", "/proxy"],
    ["/c1/%70roxy", "%70roxy", ""],
    ["/c1/exec?a=b", "exec", "?a=b"],
  ])("%s has no known subresource", (tail, subresource, rest) => {
    const expected = { found: false, reason: "UnknownSubresource", id: "c1", subresource, rest };
    expect(parseSocketPath(sockets + tail)).toMatchObject(expected);
  });

  test("a message is bounded, however long the path is", () => {
    for (const tail of [`/${"a".repeat(10_000)}`, `/c1/${"a".repeat(10_000)}`]) {
      const parsed = parseSocketPath(sockets + tail);
      expect("message" in parsed && parsed.message.length).toBeLessThan(500);
    }
  });

  test("never changes what follows /proxy", () => {
    const id = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);
    fc.assert(
      fc.property(id, fc.string(), (name, tail) => {
        const parsed = parseSocketPath(`${socketProxyPath(name)}/${tail}`);
        expect(parsed).toEqual({ found: true, path: { type: "proxy", id: name, rest: `/direct/${tail}` } });
      }),
    );
  });
});

test("the predictor of a child is below its proxy, where the hub finds it", () => {
  const parsed = parseSocketPath(socketPredictorPath("c1", "/replicas/predict"));
  expect(parsed).toEqual({ found: true, path: { type: "proxy", id: "c1", rest: "/predictor/replicas/predict" } });
});

test.each(["", "a/b", "..", ".", "a%2fb", "-a", "a-", "a\n", "a".repeat(64)])("%j is not a cluster id", (id) => {
  expect(isClusterId(id)).toBe(false);
  expect(() => socketProxyPath(id)).toThrow("is not a cluster id");
});

test.each(["a", "dc91021d-2361-4f6d-a404-7c33b9e01118", "A_b.c", "a".repeat(63)])("%j is a cluster id", (id) => {
  expect(isClusterId(id)).toBe(true);
});
