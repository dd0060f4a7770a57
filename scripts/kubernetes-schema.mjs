/**
 * Schemas of the small objects of the Kubernetes API that the chart's values pass on. Larger ones
 * (affinity, metrics of autoscalers, relabelings) are left to the API server.
 */

const text = { type: 'string' }
const flag = { type: 'boolean' }
const whole = { type: 'integer' }
const object = { type: 'object' }
const texts = { type: 'object', additionalProperties: text }
const amount = { type: ['integer', 'string'] }
const listOf = (items) => ({ type: 'array', items })

/** An object with these keys and no others. */
export function group(properties, required = []) {
  return {
    type: 'object',
    properties,
    additionalProperties: false,
    ...(required.length > 0 && { required }),
  }
}

/** A default of the chart is taken away by `null`. */
const orNull = ({ type, ...rest }) => ({ ...rest, type: [type, 'null'] })

const quantities = {
  type: 'object',
  additionalProperties: { type: ['string', 'number'] },
}
const profile = orNull(group({ type: text, localhostProfile: text }))
const user = {
  runAsNonRoot: orNull(flag),
  runAsUser: orNull(whole),
  runAsGroup: orNull(whole),
  seccompProfile: profile,
  appArmorProfile: profile,
  seLinuxOptions: group({ level: text, role: text, type: text, user: text }),
  windowsOptions: object,
}
const selector = group({
  matchLabels: texts,
  matchExpressions: listOf(
    group({ key: text, operator: text, values: listOf(text) }, ['key', 'operator']),
  ),
})

export const resources = group({
  requests: quantities,
  limits: quantities,
  claims: listOf(group({ name: text, request: text }, ['name'])),
})

export const securityContext = group({
  ...user,
  allowPrivilegeEscalation: flag,
  privileged: flag,
  procMount: text,
  readOnlyRootFilesystem: flag,
  capabilities: group({ add: listOf(text), drop: listOf(text) }),
})

export const podSecurityContext = group({
  ...user,
  fsGroup: orNull(whole),
  fsGroupChangePolicy: orNull(text),
  seLinuxChangePolicy: text,
  supplementalGroups: listOf(whole),
  supplementalGroupsPolicy: text,
  sysctls: listOf(group({ name: text, value: text }, ['name', 'value'])),
})

export const updateStrategy = group({
  type: { enum: ['RollingUpdate', 'Recreate'] },
  rollingUpdate: orNull(group({ maxSurge: amount, maxUnavailable: amount })),
})

export const tolerations = listOf(
  group({ key: text, operator: text, value: text, effect: text, tolerationSeconds: whole }),
)

export const topologySpreadConstraints = listOf(
  group(
    {
      maxSkew: whole,
      topologyKey: text,
      whenUnsatisfiable: { enum: ['DoNotSchedule', 'ScheduleAnyway'] },
      labelSelector: selector,
      matchLabelKeys: listOf(text),
      minDomains: whole,
      nodeAffinityPolicy: text,
      nodeTaintsPolicy: text,
    },
    ['maxSkew', 'topologyKey', 'whenUnsatisfiable'],
  ),
)

/** Whom a rule of a NetworkPolicy is about. */
export const peers = listOf(
  group({
    podSelector: selector,
    namespaceSelector: selector,
    ipBlock: group({ cidr: text, except: listOf(text) }, ['cidr']),
  }),
)

/** Which keys of a Secret become which files. */
export const keysToPaths = listOf(group({ key: text, path: text, mode: whole }, ['key', 'path']))
