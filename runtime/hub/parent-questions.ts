// The two questions the hub asks the parent about a caller: who holds this token, and may this user do this?

import * as z from "zod";
import type { Client } from "#kube/client.ts";
import { errorChain } from "#std/errors.ts";
import type { ReviewToken } from "./authenticate.ts";
import type { ReviewAccess } from "./authorize.ts";
import type { NonResourceRequest, ResourceRequest } from "./request-info.ts";
import { RequestError } from "./respond.ts";

export interface ParentQuestions {
  readonly reviewToken: ReviewToken;
  readonly reviewAccess: ReviewAccess;
}

const QUESTION_TIME_MAX_MS = 10_000;
const RETRY_AFTER_SECONDS = 2;

const TokenReviewAnswer = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    user: z
      .object({
        username: z.string().default(""),
        uid: z.string().default(""),
        groups: z.array(z.string()).default([]),
        extra: z.record(z.string(), z.array(z.string())).default({}),
      })
      .optional(),
  }),
});
const AccessReviewAnswer = z.object({
  status: z.object({ allowed: z.boolean().default(false), denied: z.boolean().default(false), reason: z.string().default("") }),
});

export function createParentQuestions(client: Client): ParentQuestions {
  const ask = async (path: string, body: unknown): Promise<unknown> => {
    try {
      const { json } = await client.request({ method: "POST", path, body }, AbortSignal.timeout(QUESTION_TIME_MAX_MS));
      return json;
    } catch (error) {
      throw new RequestError("ServiceUnavailable", {
        message: `The hub cannot ask the parent's API server who may do what: ${errorChain(error)}`,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        cause: error,
      });
    }
  };
  return {
    reviewToken: async (token) => {
      const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } };
      const { status } = TokenReviewAnswer.parse(await ask("/apis/authentication.k8s.io/v1/tokenreviews", review));
      if (!status.authenticated || status.user === undefined || status.user.username === "") return undefined;
      const { username, uid, groups, extra } = status.user;
      return { name: username, uid, groups, extra };
    },
    reviewAccess: async ({ user, info }) => {
      const { name, uid, groups, extra } = user;
      const review = {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        spec: { user: name, uid, groups, extra, ...attributesOf(info) },
      };
      const { status } = AccessReviewAnswer.parse(await ask("/apis/authorization.k8s.io/v1/subjectaccessreviews", review));
      return { isAllowed: status.allowed && !status.denied, reason: status.reason };
    },
  };
}

function attributesOf(info: ResourceRequest | NonResourceRequest): Record<string, unknown> {
  if (info.type === "path") return { nonResourceAttributes: { verb: info.verb, path: info.path } };
  const { verb, group, version, namespace, resource, subresource, name } = info;
  return { resourceAttributes: { verb, group, version, namespace, resource, subresource, name } };
}
