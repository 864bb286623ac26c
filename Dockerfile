# Trunkline's image: `serve` on port 3000, everything that it writes below /data, nothing else writable.
# .ci/docker-steps.ts reads this file and performs the same instructions where no container engine exists.
FROM node:24-slim AS page
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Nothing is left out: Vite's native part is an optional package. No scripts: `prepare` would look for sources that come later.
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
RUN node src/page/build.mjs

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The optional packages are Node 24 itself, 190 MB; the base image brings it. The page comes from the stage above.
RUN npm ci --omit=dev --omit=optional --ignore-scripts
COPY . ./
COPY --from=page /app/dist ./dist
RUN chmod -R a-w,a+rX /app

FROM node:24-slim
ENV NODE_ENV=production PORT=3000 DATA_DIR=/data
WORKDIR /app
COPY --from=build /app /app
RUN install -d -o 1000 -g 1000 /data
VOLUME /data
# The base image's user "node", as a number so that orchestrators can tell that it is not root.
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
# A young generation of 16 MiB: with the default, collections of the old one cost calls 7 ms at the 99th percentile.
# SIGTERM drains: give `docker stop --time` more seconds than DRAIN_SECONDS, or live calls are cut.
CMD ["node", "--max-semi-space-size=16", "src/trunkline.mjs", "serve"]
