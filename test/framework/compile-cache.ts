// Where Node keeps compiled code (tools/bootstrap.mjs says where): for processes that do not inherit our environment.

export function compileCache(): Readonly<Record<string, string>> {
  const { NODE_COMPILE_CACHE: directory = "" } = process.env;
  return directory === "" ? {} : { NODE_COMPILE_CACHE: directory };
}
