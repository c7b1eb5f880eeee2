// Status objects as kubectl and client-go expect them.

import { expect, test } from "@jest/globals";

import { isStatusReason, reasonOfCode, statusCodes, statusOf, successStatus } from "./status.ts";

test("a failure has the code of its reason, or the one that is given", () => {
  expect(statusOf({ reason: "NotFound", message: 'pods "a" not found', details: { name: "a", kind: "pods" } })).toEqual({
    apiVersion: "v1",
    kind: "Status",
    metadata: {},
    status: "Failure",
    message: 'pods "a" not found',
    reason: "NotFound",
    details: { name: "a", kind: "pods" },
    code: 404,
  });
  expect(statusOf({ reason: "ServiceUnavailable", message: "The child is not connected", code: 502 })).toMatchObject({
    code: 502,
  });
  expect(Object.keys(statusOf({ reason: "Gone", message: "" }))).not.toContain("details");
});

test("a success has no reason", () => {
  expect(successStatus()).toEqual({ apiVersion: "v1", kind: "Status", metadata: {}, status: "Success", code: 200 });
});

/** As k8s.io/apimachinery pairs them. */
test.each([
  ["Unauthorized", 401],
  ["Forbidden", 403],
  ["NotFound", 404],
  ["AlreadyExists", 409],
  ["Conflict", 409],
  ["Gone", 410],
  ["Invalid", 422],
  ["ServerTimeout", 500],
  ["StoreReadError", 500],
  ["Timeout", 504],
  ["TooManyRequests", 429],
  ["BadRequest", 400],
  ["MethodNotAllowed", 405],
  ["NotAcceptable", 406],
  ["RequestEntityTooLarge", 413],
  ["UnsupportedMediaType", 415],
  ["InternalError", 500],
  ["Expired", 410],
  ["ServiceUnavailable", 503],
])("%s is %d", (reason, code) => {
  expect(isStatusReason(reason) && statusCodes[reason]).toBe(code);
});

test("the reason of a bare code has that code, or is the nearest", () => {
  for (const code of [400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422, 429, 500, 503, 504]) {
    expect(statusCodes[reasonOfCode(code)]).toBe(code);
  }
  expect([402, 418, 502, 507].map(reasonOfCode)).toEqual(["BadRequest", "BadRequest", "ServiceUnavailable", "InternalError"]);
  expect(isStatusReason("toString")).toBe(false);
});
