import { z } from 'zod'
import {
  group,
  keysToPaths,
  peers,
  podSecurityContext,
  resources,
  securityContext,
  tolerations,
  topologySpreadConstraints,
  updateStrategy,
} from './kubernetes-schema.mjs'

const text = { type: 'string' }
const name = { type: 'string', minLength: 1 }
const flag = { type: 'boolean' }
const texts = { type: 'object', additionalProperties: text }
/** A large object of the Kubernetes API, which the API server checks, not this schema. */
const kubernetes = { type: 'object' }
const kubernetesList = { type: 'array', items: kubernetes }
const whole = (minimum) => ({ type: 'integer', minimum })
const orNull = ({ type, ...rest }) => ({ type: [type, 'null'], ...rest })
const oneOf = (...values) => ({ enum: values })
const ports = {
  type: 'array',
  minItems: 1,
  items: { type: 'integer', minimum: 1, maximum: 65_535 },
}
/** A number of pods, or a share of them. */
const amount = { type: ['integer', 'string'], pattern: '^[0-9]+%$', minimum: 0 }
const duration = { type: 'string', pattern: '^([0-9]+(ms|[smhdwy]))*$' }

const entries = (pattern, entry) => ({
  type: 'object',
  propertyNames: { pattern },
  additionalProperties: entry,
})

const monitor = group({
  enabled: flag,
  labels: texts,
  interval: duration,
  scrapeTimeout: duration,
  sampleLimit: orNull(whole(1)),
  relabelings: kubernetesList,
  metricRelabelings: kubernetesList,
})
const destination = group({ ports, to: peers })
const variable = '^[A-Za-z_][A-Za-z0-9_]*$'

const VALUES = {
  // Helm gives a chart that another one depends on the values that both share.
  global: { type: 'object' },
  enabled: flag,
  mode: oneOf('deployment', 'sidecar'),
  nameOverride: text,
  fullnameOverride: text,
  image: group({
    repository: name,
    tag: text,
    digest: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
    pullPolicy: oneOf('Always', 'IfNotPresent', 'Never'),
  }),
  imagePullSecrets: { type: 'array', items: group({ name }, ['name']) },
  existingSecret: text,
  secretEnv: entries(variable, group({ name, key: name }, ['name', 'key'])),
  secretFiles: entries(
    '^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$',
    group({ secretName: name, items: keysToPaths }, ['secretName']),
  ),
  extraEnv: {
    type: 'object',
    propertyNames: { pattern: variable },
    additionalProperties: { type: ['string', 'number', 'boolean'] },
  },
  replicaCount: whole(0),
  updateStrategy,
  minReadySeconds: whole(0),
  terminationGracePeriodSeconds: orNull(whole(1)),
  resources,
  podLabels: texts,
  podAnnotations: texts,
  podSecurityContext,
  securityContext,
  priorityClassName: text,
  nodeSelector: texts,
  tolerations,
  affinity: kubernetes,
  topologySpreadConstraints,
  probes: group({ startup: timing(), liveness: timing(), readiness: timing() }),
  serviceAccount: group({ create: flag, name: text, annotations: texts }),
  service: group({
    type: oneOf('ClusterIP', 'NodePort', 'LoadBalancer'),
    port: { type: 'integer', minimum: 1, maximum: 65_535 },
    annotations: texts,
    loadBalancerSourceRanges: { type: 'array', items: text },
    externalTrafficPolicy: oneOf('', 'Cluster', 'Local'),
    sessionAffinity: oneOf('', 'None', 'ClientIP'),
    trafficDistribution: text,
    headless: group({ enabled: flag }),
  }),
  podDisruptionBudget: group({
    enabled: flag,
    maxUnavailable: amount,
    minAvailable: { ...amount, type: [...amount.type, 'null'] },
  }),
  autoscaling: group({
    enabled: flag,
    minReplicas: whole(1),
    maxReplicas: whole(1),
    cpuAverageValue: { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?m?$' },
    metrics: kubernetesList,
    behavior: kubernetes,
  }),
  networkPolicy: group({
    enabled: flag,
    clients: peers,
    metricsFrom: peers,
    dns: peers,
    postgres: destination,
    redis: destination,
    extraIngress: kubernetesList,
    extraEgress: kubernetesList,
  }),
  serviceMonitor: monitor,
  podMonitor: monitor,
  prometheusRule: group({
    enabled: flag,
    labels: texts,
    alertLabels: texts,
    disabledAlerts: { type: 'array', items: name },
    runbookBaseUrl: text,
  }),
  dashboard: group({ enabled: flag, labels: texts, annotations: texts }),
  tests: group({
    enabled: flag,
    user: text,
    database: name,
    passwordSecret: group({ name: text, key: name }),
  }),
}

function timing() {
  return group({
    initialDelaySeconds: whole(0),
    periodSeconds: whole(1),
    timeoutSeconds: whole(1),
    failureThreshold: whole(1),
  })
}

/**
 * The schema of the chart's values, which refuses unknown keys at every level of its own.
 *
 * @param configSchema The zod schema of the proxy's configuration.
 * @param valuesText The text of values.yaml: its comments become the descriptions.
 */
export function valuesSchema(configSchema, valuesText) {
  const { $schema, ...config } = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' })
  const properties = structuredClone({ ...VALUES, config: orNothing(withoutPasswords(config)) })
  for (const [, path, description] of valuesText.matchAll(
    /^## @param (\S+) (?:\[.+?\] )?(.+)$/gm,
  )) {
    const place = path.split('.').reduce((node, key) => node.properties[key], { properties })
    place.description = description
  }
  return { $schema, title: 'Values of the chart pgusher', ...group(properties) }
}

const REFERENCE = '\\$\\{(env|file):[^}]+\\}'
const SECRETS = new Set(['password', 'token'])
const URLS = new Set(['url', 'databaseUrl', 'cluster', 'sentinels'])

/** The configuration becomes a ConfigMap, where secrets have no place: they come by reference. */
function withoutPasswords(node, key = '', parent = '') {
  if (node.type === 'string') {
    if (SECRETS.has(key)) return secret(node, `^(${REFERENCE}|SCRAM-SHA-256\\$.+)$`)
    if (key === 'key' && parent === 'keys') return secret(node, `^${REFERENCE}$`)
    if (URLS.has(key)) {
      return secret(
        node,
        `^(${REFERENCE}|[a-z]+://(([^@:/]|${REFERENCE})*(:${REFERENCE})?@)?[^@]*)$`,
      )
    }
    return node
  }
  const givenOrNot = (child, name) => {
    const checked = withoutPasswords(child, name, key)
    return node.required?.includes(name) ? checked : orNothing(checked)
  }
  return {
    ...node,
    ...(node.properties && { properties: mapValues(node.properties, givenOrNot) }),
    ...(node.items && { items: withoutPasswords(node.items, key, key) }),
    ...(typeof node.additionalProperties === 'object' && {
      additionalProperties: withoutPasswords(node.additionalProperties, '', key),
    }),
    ...(node.anyOf && { anyOf: node.anyOf.map((choice) => withoutPasswords(choice, key, parent)) }),
  }
}

/** A key without a value counts as not given. */
function orNothing({ type, enum: choices, anyOf, ...node }) {
  return {
    ...node,
    ...(type && { type: [type, 'null'] }),
    ...(choices && { enum: [...choices, null] }),
    ...(anyOf && { anyOf: [...anyOf, { type: 'null' }] }),
  }
}

function secret({ minLength, pattern: _, ...node }, pattern) {
  return { ...node, pattern, ...(minLength && { minLength }) }
}

function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]))
}
