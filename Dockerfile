# One image for every component: its first argument is the component, `docker run … clusternet/pulumi-clusternet hub --help`.

FROM node:24-slim AS build
WORKDIR /source
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN node tools/package.ts && npm prune --omit=dev --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /source/node_modules/ ./node_modules/
COPY --from=build /source/dist/ ./
# The user of install/deployment.ts. The file system is read-only at run time.
USER 65532:65532
ENTRYPOINT ["node", "runtime/main.js"]
