// Decides who may come in from the parent, and as whom: (identity, credential, policy) -> an access decision with a reason. Pure.
//
// (ACC-1) An identity of the parent's own machinery (`system:*`, `kubeadm:*`) never becomes an identity of the child.
// (ACC-2) A ServiceAccount of the parent becomes a user whose name no child can give away: `clusternet:parent:serviceaccount:ns:name`.
// (ACC-3) The parent's controller-manager becomes the deployer, and only where the child's administrator allowed Push.
// (ACC-4) Names cross as separate values: a group that holds a comma stays one group.
// (ACC-5) This cluster's capacity is told to the parent's scheduler and to whom the child's administrator named, nobody else.
// (ACC-6) On the predictor's own port a caller is who its certificate says, by the child's own authority and list of names; what it says of
//         itself in any other way counts for nothing.

export interface CallerIdentity {
  readonly user: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export interface AccessPolicy {
  /** The namespace of the parent that our components run in: names the one account that Push comes from. */
  readonly parentSystemNamespace: string;
  /** The child's administrator allows the parent to deliver as the deployer (Push and Dual mode). */
  readonly allowPush: boolean;
}

export type AccessDecision =
  /** Ask the child's apiserver as the proxy account, with these impersonation headers (flat: name, value, name, value …). */
  | { readonly type: "impersonate"; readonly headers: readonly string[] }
  /** Ask it with the credential that the user brought. */
  | { readonly type: "credential"; readonly authorization: string }
  /** Ask it as the deployer account. */
  | { readonly type: "deployer" }
  | { readonly type: "refuse"; readonly reason: string };

const SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:";
const SERVICE_ACCOUNTS_GROUP = "system:serviceaccounts";
const PARENT_PREFIX = "clusternet:parent:";
const AUTHENTICATED_GROUP = "system:authenticated";
const CONTROLLER_MANAGER_ACCOUNT = "clusternet-controller-manager";
const SCHEDULER_ACCOUNT = "clusternet-scheduler";
const PARENT_EXTRA_PREFIX = "parent.clusternet.io/";
/** Says which credential was used; true of the parent's credential wherever it is read. */
const CREDENTIAL_ID_EXTRA = "authentication.kubernetes.io/credential-id";

export function decideAccess(
  { identity, credential }: { readonly identity: CallerIdentity; readonly credential?: string },
  policy: AccessPolicy,
): AccessDecision {
  // What a user brings for the child is checked by the child itself; the identity at the parent plays no part in it.
  if (credential !== undefined) return decideCredential(credential);
  if (identity.user === "") return refuse("the request carries no user");
  if (identity.user === `${SERVICE_ACCOUNT_PREFIX}${policy.parentSystemNamespace}:${CONTROLLER_MANAGER_ACCOUNT}`) {
    if (policy.allowPush) return { type: "deployer" };
    return refuse(
      "delivery from the parent (Push) is not allowed here; the child's administrator allows it with the agent's --allow-push",
    );
  }
  return impersonate(identity);
}

export interface PredictorPolicy extends Pick<AccessPolicy, "parentSystemNamespace"> {
  /** Users of the parent that may ask, too. */
  readonly predictorUsers: readonly string[];
}

/** Why this caller may not ask for capacity; undefined when it may. */
export function askRefusal(
  { user }: Pick<CallerIdentity, "user">,
  { parentSystemNamespace, predictorUsers }: PredictorPolicy,
): string | undefined {
  const scheduler = `${SERVICE_ACCOUNT_PREFIX}${parentSystemNamespace}:${SCHEDULER_ACCOUNT}`;
  if (user === scheduler || (user !== "" && predictorUsers.includes(user))) return undefined;
  return `the user ${JSON.stringify(user)} may not ask for this cluster's capacity; the child's administrator allows it with the agent's --predictor-users`;
}

/** Who asks on the predictor's port, by the certificate that its connection showed. */
export type DirectCaller =
  | { readonly type: "nobody" }
  | { readonly type: "unproven"; readonly problem: string }
  | { readonly type: "proven"; readonly commonName: string };

/** Why this caller may not ask there; undefined when it may. */
export function directRefusal(
  caller: DirectCaller,
  clientNames: readonly string[],
): { readonly reason: "Unauthorized" | "Forbidden"; readonly message: string } | undefined {
  switch (caller.type) {
    case "nobody":
      return {
        reason: "Unauthorized",
        message:
          "This port answers callers with a client certificate; the scheduler shows that of its --predictor-client-cert-file",
      };
    case "unproven":
      return {
        reason: "Unauthorized",
        message: `The client certificate is not accepted: ${caller.problem}; the authority in the agent's --predictor-client-ca-file must have signed it, and it must be valid now, for clients`,
      };
    case "proven":
      if (caller.commonName !== "" && clientNames.includes(caller.commonName)) return undefined;
      return {
        reason: "Forbidden",
        message: `The client certificate's name ${JSON.stringify(caller.commonName)} may not ask for this cluster's capacity; the child's administrator allows it with the agent's --predictor-client-names`,
      };
  }
}

function decideCredential(credential: string): AccessDecision {
  if (credential === "" || hasControlCharacter(credential)) return refuse("the credential for the child is empty or malformed");
  return { type: "credential", authorization: credential };
}

function impersonate(identity: CallerIdentity): AccessDecision {
  const isServiceAccount = identity.user.startsWith(SERVICE_ACCOUNT_PREFIX);
  const user = isServiceAccount ? mapServiceAccount(identity.user) : identity.user;
  const headers: string[] = [];
  const problem =
    nameProblem("user", user, isServiceAccount) ??
    addGroups(headers, identity.groups, isServiceAccount) ??
    addUidAndExtra(headers, identity);
  if (problem !== undefined) return refuse(problem);
  return { type: "impersonate", headers: ["impersonate-user", headerValue(user), ...headers] };
}

function addGroups(headers: string[], groups: readonly string[], isServiceAccount: boolean): string | undefined {
  for (const group of groups) {
    const isMapped = isServiceAccount && isServiceAccountsGroup(group);
    const mapped = isMapped ? `${PARENT_PREFIX}${group.slice("system:".length)}` : group;
    if (mapped !== AUTHENTICATED_GROUP) {
      const problem = nameProblem("group", mapped, isMapped);
      if (problem !== undefined) return problem;
    }
    headers.push("impersonate-group", headerValue(mapped));
  }
  return undefined;
}

function addUidAndExtra(headers: string[], { uid, extra }: CallerIdentity): string | undefined {
  if (uid !== undefined && uid !== "") {
    if (hasControlCharacter(uid)) return "the user's uid holds a control character";
    headers.push("impersonate-uid", headerValue(uid));
  }
  for (const [key, values] of Object.entries(extra)) {
    const name = `impersonate-extra-${escapeExtraKey(mapExtraKey(key))}`;
    for (const value of values) {
      if (hasControlCharacter(value)) return `the extra field ${JSON.stringify(key)} holds a control character`;
      headers.push(name, headerValue(value));
    }
  }
  return undefined;
}

/** Undefined when the name may be used in the child. */
function nameProblem(what: "user" | "group", name: string, isMapped: boolean): string | undefined {
  if (name === "" || hasControlCharacter(name)) return `the ${what} ${JSON.stringify(name)} is not a usable name`;
  if (isMapped) return undefined;
  if (name.startsWith("system:") || name.startsWith("kubeadm:")) {
    return `the ${what} ${JSON.stringify(name)} belongs to the parent itself and is not accepted here; use an ordinary user, or a credential of the child`;
  }
  if (name.startsWith(PARENT_PREFIX)) return `the ${what} ${JSON.stringify(name)} is a name reserved for accounts of the parent`;
  return undefined;
}

function mapServiceAccount(user: string): string {
  return `${PARENT_PREFIX}serviceaccount:${user.slice(SERVICE_ACCOUNT_PREFIX.length)}`;
}

function isServiceAccountsGroup(group: string): boolean {
  return group === SERVICE_ACCOUNTS_GROUP || group.startsWith(`${SERVICE_ACCOUNTS_GROUP}:`);
}

/** Keys under kubernetes.io name pods and nodes of the parent: in the child they would be statements about its own. */
function mapExtraKey(key: string): string {
  const slash = key.indexOf("/");
  if (slash === -1 || key === CREDENTIAL_ID_EXTRA) return key;
  const domain = key.slice(0, slash);
  const isReserved = /(^|\.)(kubernetes|k8s)\.io$/.test(domain);
  return isReserved ? `${PARENT_EXTRA_PREFIX}${key.slice(slash + 1)}` : key;
}

/** The escaping of kube-apiserver: everything that may not stand in a header's name, and `%` itself, as %XX of its UTF-8 bytes. */
function escapeExtraKey(key: string): string {
  return key.replace(/[^!#$&'*+\-.^_`|~0-9a-zA-Z]/gu, (character) =>
    [...new TextEncoder().encode(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}

/** Header bytes are UTF-8 to kube-apiserver, and one character a byte to Node. */
function headerValue(text: string): string {
  // eslint-disable-next-line no-control-regex -- ASCII is the common case and needs no conversion
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function hasControlCharacter(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- a control character could end a header
  return /[\x00-\x1f\x7f]/.test(text);
}

function refuse(reason: string): AccessDecision {
  return { type: "refuse", reason };
}
