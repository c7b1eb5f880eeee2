// Filter: ask the parent apiserver (SubjectAccessReview, short cache): may this user do this?

import type { Clock } from "#std/clock.ts";
import { createExpiringCache } from "./expiring-cache.ts";
import type { Filter } from "./handler-chain.ts";
import type { NonResourceRequest, ResourceRequest } from "./request-info.ts";
import { RequestError } from "./respond.ts";
import type { User } from "./user.ts";

export interface AccessQuestion {
  readonly user: User;
  readonly info: ResourceRequest | NonResourceRequest;
}

export interface AccessAnswer {
  readonly isAllowed: boolean;
  readonly reason: string;
}

export type ReviewAccess = (question: AccessQuestion) => Promise<AccessAnswer>;

export interface AuthorizeOptions {
  readonly reviewAccess: ReviewAccess;
  readonly clock: Clock;
}

/** As kube-apiserver's delegated authorization. */
const ANSWER_REMEMBERED_MS = 10_000;
const ANSWERS_REMEMBERED_MAX = 16_384;
/** For everybody: probes and the version carry nothing of the fleet. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/livez", "/readyz", "/healthz", "/version"]);
const ANONYMOUS = "system:anonymous";

export function createAuthorize({ reviewAccess, clock }: AuthorizeOptions): Filter {
  const answers = createExpiringCache<AccessAnswer>({ clock, entriesMax: ANSWERS_REMEMBERED_MAX });
  return ({ info, user }) => {
    if (info.type === "path" && OPEN_PATHS.has(info.path)) return undefined;
    if (user === undefined || user.name === ANONYMOUS) {
      throw new RequestError("Unauthorized", {
        message:
          "The hub does not know who you are; go through the parent's API server, or send a bearer token or client certificate of the parent",
      });
    }
    const answer = answers.get(`${questionKey(info)} ${user.key}`, {
      rememberMs: ANSWER_REMEMBERED_MS,
      load: () => reviewAccess({ user, info }),
    });
    if (answer instanceof Promise) {
      return answer.then((settled) => {
        refuseUnlessAllowed(settled, user, info);
      });
    }
    refuseUnlessAllowed(answer, user, info);
    return undefined;
  };
}

function refuseUnlessAllowed({ isAllowed, reason }: AccessAnswer, user: User, info: ResourceRequest | NonResourceRequest): void {
  if (isAllowed) return;
  throw new RequestError("Forbidden", { message: forbiddenMessage(user, info) + (reason === "" ? "" : `: ${reason}`) });
}

/** Worded as kube-apiserver does, plus where it was decided. */
function forbiddenMessage(user: User, info: ResourceRequest | NonResourceRequest): string {
  const who = `User ${JSON.stringify(user.name)} cannot ${info.verb === "" ? "use this method on" : info.verb}`;
  if (info.type === "path") return `${who} path ${JSON.stringify(info.path)} (decided by the parent's RBAC)`;
  const resource = info.subresource === "" ? info.resource : `${info.resource}/${info.subresource}`;
  const named = info.name === "" ? "" : ` ${JSON.stringify(info.name)}`;
  return `${who} resource ${JSON.stringify(resource)}${named} in API group ${JSON.stringify(info.group)} at the cluster scope (decided by the parent's RBAC)`;
}

function questionKey(info: ResourceRequest | NonResourceRequest): string {
  if (info.type === "path") return `${info.verb} ${info.path}`;
  return `${info.verb} ${info.group} ${info.version} ${info.namespace} ${info.resource} ${info.name} ${info.subresource}`;
}
