// requestInfo: the verb and resource that kube-apiserver itself would read from the same request.
import { describe, expect, test } from "@jest/globals";
import { isWatch, requestInfo } from "./request-info.ts";

const sockets = "/apis/proxies.clusternet.io/v1alpha1/sockets";

function summary(method: string, url: string, isUpgrade = false): string {
  const info = requestInfo(method, { url, isUpgrade });
  switch (info.type) {
    case "malformed":
      return "malformed";
    case "path":
      return `path ${info.verb} ${info.path}`;
    case "resource": {
      const { verb, group, namespace, resource, name, subresource, rest, isLongRunning } = info;
      return [
        verb,
        group,
        namespace || "-",
        `${resource}/${name || "-"}/${subresource || "-"}`,
        JSON.stringify(rest),
        isLongRunning ? "long" : "short",
      ].join(" ");
    }
  }
}

describe("requestInfo reads", () => {
  const proxied = (verb: string, rest: string, length: string): string =>
    `${verb} proxies.clusternet.io - sockets/c1/proxy ${JSON.stringify(rest)} ${length}`;
  const cases: [string, string, string][] = [
    ["GET", `${sockets}/c1/proxy/direct/api/v1/pods`, proxied("get", "/direct/api/v1/pods", "short")],
    ["HEAD", `${sockets}/c1/proxy/direct/`, proxied("get", "/direct/", "short")],
    ["POST", `${sockets}/c1/proxy/direct/api?x=1`, proxied("create", "/direct/api?x=1", "short")],
    ["PUT", `${sockets}/c1/proxy`, proxied("update", "", "short")],
    ["PATCH", `${sockets}/c1/proxy/`, proxied("patch", "/", "short")],
    ["DELETE", `${sockets}/c1/proxy?a=b`, proxied("delete", "?a=b", "short")],
    ["PROPFIND", `${sockets}/c1/proxy/direct`, proxied("", "/direct", "short")],
    ["GET", `${sockets}/c1/proxy/direct/a%2Fb//c/../d/?e=%2F&e=+`, proxied("get", "/direct/a%2Fb//c/../d/?e=%2F&e=+", "short")],
    [
      "GET",
      `${sockets}/c1/proxy/direct/api/v1/pods?limit=1&watch=true`,
      proxied("get", "/direct/api/v1/pods?limit=1&watch=true", "long"),
    ],
    ["GET", `${sockets}/c1/proxy/direct/x/log?follow=true&a=b`, proxied("get", "/direct/x/log?follow=true&a=b", "long")],
    ["GET", `${sockets}/c1/proxy/direct/api/v1/pods?watch`, proxied("get", "/direct/api/v1/pods?watch", "long")],
    ["GET", `${sockets}/c1/proxy/direct/api/v1/pods?watch=yes`, proxied("get", "/direct/api/v1/pods?watch=yes", "long")],
    ["GET", `${sockets}/c1/proxy/direct/api/v1/pods?watch=false`, proxied("get", "/direct/api/v1/pods?watch=false", "short")],
    [
      "GET",
      `${sockets}/c1/proxy/direct/api/v1/configmaps/watchtower`,
      proxied("get", "/direct/api/v1/configmaps/watchtower", "short"),
    ],
    ["GET", `${sockets}/c1/attach`, 'get proxies.clusternet.io - sockets/c1/attach "" long'],
    ["GET", `${sockets}/c1/attach/?a=b`, 'get proxies.clusternet.io - sockets/c1/attach "" long'],
    ["GET", `${sockets}/c1/attach/x`, 'get proxies.clusternet.io - sockets/c1/attach "/x" long'],
    ["GET", `${sockets}/c1/exec`, 'get proxies.clusternet.io - sockets/c1/exec "" short'],
    ["GET", `${sockets}/c1/`, 'get proxies.clusternet.io - sockets/c1/- "" short'],
    ["GET", `${sockets}/c1?a=/b`, 'get proxies.clusternet.io - sockets/c1/- "?a=/b" short'],
    ["GET", `${sockets}/c1`, 'get proxies.clusternet.io - sockets/c1/- "" short'],
    ["GET", sockets, 'list proxies.clusternet.io - sockets/-/- "" short'],
    ["GET", `${sockets}?watch=1`, 'watch proxies.clusternet.io - sockets/-/- "?watch=1" long'],
    ["DELETE", sockets, 'deletecollection proxies.clusternet.io - sockets/-/- "" short'],
    ["POST", "/apis/shadow/v1alpha1/namespaces/shop/deployments", 'create shadow shop deployments/-/- "" short'],
    ["GET", "/apis/shadow/v1alpha1/namespaces/shop/deployments/web/scale", 'get shadow shop deployments/web/scale "" short'],
    ["GET", "/apis/shadow/v1alpha1/namespaces/shop", 'get shadow - namespaces/shop/- "" short'],
    ["GET", "/apis", "path get /apis"],
    ["GET", "/apis/proxies.clusternet.io/v1alpha1", "path get /apis/proxies.clusternet.io/v1alpha1"],
    ["GET", "/apis/proxies.clusternet.io/v1alpha1/", "path get /apis/proxies.clusternet.io/v1alpha1/"],
    ["GET", "/readyz?verbose", "path get /readyz"],
    ["POST", "/openapi/v2", "path post /openapi/v2"],
  ];
  test.each(cases)("%s %s", (method, url, expected) => {
    expect(summary(method, url)).toBe(expected);
  });

  test("an upgrade as long-running", () => {
    expect(summary("GET", `${sockets}/c1/proxy/direct/exec`, true)).toMatch(/long$/);
  });
});

describe("requestInfo refuses what two readers could read differently", () => {
  test.each([
    `${sockets}/c1%2Fproxy/direct`,
    `${sockets}/c%31/proxy/direct`,
    `${sockets}//proxy/direct`,
    `${sockets}/../proxy/direct`,
    `${sockets}/c1/pro%78y/direct`,
    `${sockets}/c1/./direct`,
    `${sockets}/c1//proxy/direct`,
    `${sockets}/${"a".repeat(64)}/proxy/direct`,
    `${sockets}/-c1/proxy/direct`,
    `${sockets}/${"a".repeat(254)}/proxy/direct`,
    "/apis/shadow/v1alpha1/namespaces/a%2Fb/deployments",
    "http://elsewhere/apis",
    "*",
  ])("%s", (url) => {
    expect(summary("GET", url)).toBe("malformed");
  });
});

describe("isWatch", () => {
  test.each([
    ["/direct/api/v1/pods?watch=true", true],
    ["/direct/api/v1/pods?limit=1&watch=1", true],
    ["/direct/api/v1/pods?watch", true],
    ["/direct/api/v1/pods?watch=&limit=1", true],
    ["/direct/api/v1/pods?watch=yes", true],
    ["/direct/api/v1/pods?watch=0", false],
    ["/direct/api/v1/pods?watcher=1", false],
    ["/direct/api/v1/watch/pods", true],
    ["/direct/api/v1/pods?watch=false", false],
    ["/direct/api/v1/namespaces/a/pods/b/log?follow=true", false],
    ["/direct/api/v1/configmaps/watchtower", false],
    // Of whoever is behind the child's API server, nothing is known.
    ["/direct/api/v1/namespaces/a/services/b/proxy/x?watch=true", false],
  ])("%s: %s", (rest, expected) => {
    expect(isWatch(rest)).toBe(expected);
  });
});
