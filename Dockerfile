# For a build that can be repeated, give a digest: --build-arg NODE_IMAGE=node@sha256:…
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.src.json ./
COPY scripts/build.mjs scripts/run.mjs scripts/
COPY src src
RUN node scripts/build.mjs --program
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund
RUN mkdir bin && ln -s ../dist/src/main.js bin/pgusher

FROM ${NODE_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="PgUsher" \
      org.opencontainers.image.description="A Postgres proxy that knows tenants" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist/src dist/src
COPY --from=build /app/bin bin
ENV NODE_ENV=production \
    PATH=/app/bin:$PATH \
    PGUSHER_CONFIG=/etc/pgusher/pgusher.yaml
# Nobody that the image knows: nothing in it is this user's.
USER 65532:65532
EXPOSE 6432 9127
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["pgusher", "health"]
ENTRYPOINT ["pgusher"]
CMD ["serve"]
