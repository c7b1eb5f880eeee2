// proxyTarget: only the child's API server can be reached, with exactly the bytes that the client sent.
import { describe, expect, test } from "@jest/globals";
import { proxyTarget } from "./proxy-target.ts";

describe("proxyTarget", () => {
  test.each([
    ["/direct", "/"],
    ["/direct/", "/"],
    ["/direct?limit=1", "/?limit=1"],
    ["/direct/api/v1/pods", "/api/v1/pods"],
    ["/direct/api/v1/pods/", "/api/v1/pods/"],
    ["/direct//a%2Fb/../c?x=%2F&x=a+b", "//a%2Fb/../c?x=%2F&x=a+b"],
    ["/direct/direct", "/direct"],
  ])("sends %s to the API server as %s", (rest, path) => {
    expect(proxyTarget(rest)).toEqual({ type: "apiserver", path });
  });

  test.each([
    ["/predictor/replicas/predict", "/replicas/predict"],
    ["/predictor/replicas/unscheduled?x=1", "/replicas/unscheduled?x=1"],
    ["/predictor/anything", "/anything"],
    ["/http/predictor/replicas/predict", "/replicas/predict"],
  ])("sends %s to the agent's predictor as %s", (rest, path) => {
    expect(proxyTarget(rest)).toEqual({ type: "predictor", path });
  });

  test.each([
    "/http/predictor/",
    "/http/predictor/../10.0.0.1/",
    "/http/predictor:80/replicas/predict",
    "/http/predictor.evil/replicas/predict",
    "/https/predictor/replicas/predict",
    "/http/localhost:8080/replicas/predict",
  ])("does not take %s for the predictor", (rest) => {
    expect(proxyTarget(rest)).toMatchObject({ type: "not-allowed" });
  });

  test.each(["/http/10.0.0.1:80/", "/https/kubernetes.default", "/http", "/https/"])("does not open %s", (rest) => {
    expect(proxyTarget(rest)).toMatchObject({ type: "not-allowed", message: expect.stringContaining("proxy/direct") });
  });

  test.each(["", "/", "?x", "/directly", "/predictor", "/predictors/x", "/Direct/api", "/tcp/1.2.3.4:5", "/%64irect/"])(
    "does not know %j",
    (rest) => {
      expect(proxyTarget(rest)).toMatchObject({ type: "unknown" });
    },
  );
});
