// forwardedRequest: no credential and no identity of the client leaves the hub in a header.
import { describe, expect, test } from "@jest/globals";
import { forwardedRequest } from "./forwarded-headers.ts";

const plain = { isUpgrade: false, connection: undefined };

describe("forwardedRequest", () => {
  test.each([
    "Authorization",
    "AUTHORIZATION",
    "Cookie",
    "Impersonate-User",
    "impersonate-group",
    "Impersonate-Uid",
    "Impersonate-Extra-Scopes",
    "X-Remote-User",
    "X-Remote-Group",
    "x-remote-extra-a%2fb",
    "X-Remote-Uid",
    "Proxy-Authorization",
    "Host",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Expect",
    "Audit-ID",
  ])("drops %s", (name) => {
    expect(forwardedRequest([name, "x", "Accept", "a"], plain).headers).toEqual(["Accept", "a"]);
  });

  test("keeps the rest as it was, repeated headers apart and in order", () => {
    const raw = [
      "Accept",
      "a",
      "X-A",
      "1",
      "accept",
      "b, c",
      "X-Stream-Protocol-Version",
      "v4",
      "X-Stream-Protocol-Version",
      "v3",
      "Content-Length",
      "5",
    ];
    expect(forwardedRequest(raw, plain).headers).toEqual(raw);
  });

  test("takes the child's credential out of the headers", () => {
    const { headers, credential } = forwardedRequest(["Clusternet-Child-Authorization", "Bearer x", "A", "b"], plain);
    expect({ headers, credential }).toEqual({ headers: ["A", "b"], credential: "Bearer x" });
  });

  test("keeps what an upgrade asks for", () => {
    const raw = ["Connection", "Upgrade", "Upgrade", "SPDY/3.1", "Sec-WebSocket-Key", "k"];
    expect(forwardedRequest(raw, { isUpgrade: true, connection: "Upgrade" }).headers).toEqual([
      "Upgrade",
      "SPDY/3.1",
      "Sec-WebSocket-Key",
      "k",
    ]);
  });

  test("drops headers that Connection names", () => {
    expect(forwardedRequest(["X-Hop", "1", "A", "b"], { isUpgrade: false, connection: "close, X-Hop" }).headers).toEqual([
      "A",
      "b",
    ]);
  });
});
