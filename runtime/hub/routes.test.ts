// createRoutes: which requests reach a tunnel, and what everybody else is told.
import { describe, expect, test } from "@jest/globals";
import type { Exchange } from "./handler-chain.ts";
import { requestInfo } from "./request-info.ts";
import { createRoutes } from "./routes.ts";

const sockets = "/apis/proxies.clusternet.io/v1alpha1/sockets";

/** What became of an upgrade request for `url`: "attach c1", "proxy c1", or the refusal. */
function routed(url: string): string {
  const reached: string[] = [];
  const routes = createRoutes({
    sockets: {
      attach: (_exchange, id) => {
        reached.push(`attach ${id}`);
        return Promise.resolve();
      },
      proxy: (_exchange, { name, rest }) => {
        reached.push(`proxy ${name} ${rest}`);
      },
    },
    readiness: {},
    version: "1.2.3",
  });
  const info = requestInfo("GET", { url, isUpgrade: true });
  // Only what the filter reads before it hands a request on.
  const exchange = { info, channel: { type: "upgrade" } } as unknown as Exchange;
  try {
    void routes(exchange);
  } catch (error) {
    return String(error);
  }
  return reached.join();
}

describe("a request for", () => {
  test.each([
    ["/c1/attach", "attach c1"],
    ["/c1/attach?a=b", "attach c1"],
    ["/c1/proxy/direct/api?a=b", "proxy c1 /direct/api?a=b"],
  ])("sockets%s reaches a tunnel", (tail, expected) => {
    expect(routed(sockets + tail)).toBe(expected);
  });

  test.each([
    ["/c1/attach/x", /Nothing is served at sockets\/\{id\}\/attach\/…/],
    ["/c1/attach//", /Nothing is served at sockets\/\{id\}\/attach\/…/],
    ["/c1/exec", /Nothing is served at sockets\/\{id\}\/exec;/],
    ["/c1", /A socket is not an object/],
    ["/c1/", /A socket is not an object/],
    ["", /Sockets cannot be listed/],
  ])("sockets%s is refused", (tail, expected) => {
    expect(routed(sockets + tail)).toMatch(expected);
  });

  test.each([sockets.replace("v1alpha1", "v1"), "/version"])("%s is nothing that switches protocols", (url) => {
    expect(routed(`${url}/c1/attach`)).toMatch(/Nothing at this path switches protocols/);
  });
});
