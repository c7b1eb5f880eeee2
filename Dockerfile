# One image for every component: its first argument is the component, `docker run … clusternet/pulumi-clusternet hub --help`.

FROM node:24-slim AS build
WORKDIR /source
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN node tools/package.ts && npm prune --omit=dev --no-audit --no-fund

# The agent and the controller-manager run it for charts.
FROM node:24-slim AS helm
ARG TARGETARCH
ARG HELM_VERSION=3.22.0
WORKDIR /helm
ADD https://get.helm.sh/helm-v${HELM_VERSION}-linux-${TARGETARCH}.tar.gz https://get.helm.sh/helm-v${HELM_VERSION}-linux-${TARGETARCH}.tar.gz.sha256sum ./
RUN sha256sum -c *.sha256sum && tar -xzf *.tar.gz --strip-components=1

FROM node:24-slim
ENV NODE_ENV=production
COPY --from=helm /helm/helm /usr/local/bin/helm
WORKDIR /app
COPY --from=build /source/node_modules/ ./node_modules/
COPY --from=build /source/dist/ ./
# The user of install/deployment.ts. The file system is read-only at run time.
USER 65532:65532
ENTRYPOINT ["node", "runtime/main.js"]
