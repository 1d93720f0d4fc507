# The local stack of docker-compose.yml: the API, on the SQS, SNS and DynamoDB of AWS_ENDPOINT_URL. On AWS the ledger runs on
# Lambda: see `npm run deploy`.
FROM node:24.21.0-bookworm-slim

WORKDIR /app
RUN chown node:node /app
USER node

COPY --chown=node:node package.json package-lock.json ./
COPY --chown=node:node patches patches
COPY --chown=node:node packages packages
RUN npm ci --no-audit --no-fund && npm cache clean --force

COPY --chown=node:node . .
# A volume that is mounted here gets this folder's owner.
RUN mkdir -p .antler

ENV API_HOST=0.0.0.0 METRICS_HOST=0.0.0.0 SLS_TELEMETRY_DISABLED=1
EXPOSE 4000 9464
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:4000/v1/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "localstack/start.ts"]
