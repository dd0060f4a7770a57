import { parse } from 'yaml'
import { at, type KubernetesObject, theObject } from '../support/helm.ts'

/** What tests look at in a container; the types of the API are checked elsewhere. */
export interface Container {
  readonly name: string
  readonly image: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly restartPolicy?: string
  readonly env?: readonly {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } }
  }[]
  readonly envFrom?: readonly { readonly secretRef: { readonly name: string } }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: string[] } } }
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly securityContext?: Security & {
    readonly allowPrivilegeEscalation?: boolean
    readonly readOnlyRootFilesystem?: boolean
    readonly privileged?: boolean
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] }
  }
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
}

interface Security {
  readonly runAsNonRoot?: boolean
  readonly runAsUser?: number
  readonly seccompProfile?: { readonly type: string }
}

/** What tests look at in a pod. */
export interface PodSpec {
  readonly automountServiceAccountToken?: boolean
  readonly terminationGracePeriodSeconds?: number
  readonly securityContext?: Security
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
  readonly volumes?: readonly ({ readonly name: string } & Readonly<Record<string, unknown>>)[]
}

/** The pods that an object is, or makes. */
export function podsOf(object: KubernetesObject): readonly PodSpec[] {
  if (object.kind === 'Pod') return [at(object, 'spec') as PodSpec]
  if (object.kind === 'Deployment') return [at(object, 'spec.template.spec') as PodSpec]
  return []
}

export function containersOf(pod: PodSpec): readonly Container[] {
  return [...(pod.initContainers ?? []), ...pod.containers]
}

/** The container of the proxy in the pods of a Deployment. */
export function proxyContainer(deployment: KubernetesObject): Container {
  const [container] = podsOf(deployment)
    .flatMap(containersOf)
    .filter(({ name }) => name === 'pgusher')
  if (container === undefined) throw new Error('no container is called pgusher')
  return container
}

/** The text of the configuration that the proxy in a Deployment reads. */
export function configText(objects: readonly KubernetesObject[]): string {
  const deployment = theObject(objects, 'Deployment')
  const { env = [], volumeMounts = [] } = proxyContainer(deployment)
  const file = env.find(({ name }) => name === 'PGUSHER_CONFIG')?.value ?? ''
  const mount = volumeMounts.find(({ mountPath }) => file.startsWith(`${mountPath}/`))
  const volumes = podsOf(deployment).flatMap((pod) => pod.volumes ?? [])
  const volume = volumes.find(({ name }) => name === mount?.name)
  const data = at(theObject(objects, 'ConfigMap', String(at(volume, 'configMap.name'))), 'data')
  const text = (data as Readonly<Record<string, string>>)[file.slice(file.lastIndexOf('/') + 1)]
  if (text === undefined) throw new Error(`no ConfigMap holds ${file}`)
  return text
}

/** Settings that tests look at. */
export interface ChartConfig {
  readonly listen: { readonly host: string; readonly port: number }
  readonly timeouts: { readonly drainDelayMs?: number; readonly drainMs: number }
}

export function configOf(objects: readonly KubernetesObject[]): ChartConfig {
  return parse(configText(objects))
}

const VOLUMES = ['configMap', 'emptyDir', 'secret', 'projected', 'downwardAPI']
const HOST_PARTS = ['hostNetwork', 'hostPID', 'hostIPC']

/**
 * What a pod does that the `restricted` profile forbids; and a root file system that is not read-only.
 *
 * @see https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
 */
export function restrictedFaults(pod: PodSpec): string[] {
  const volumes = (pod.volumes ?? []).filter(({ name: _, ...kind }) =>
    Object.keys(kind).some((key) => !VOLUMES.includes(key)),
  )
  return [
    ...HOST_PARTS.filter((part) => at(pod, part) === true),
    ...volumes.map(({ name }) => `volume ${name}`),
    ...containersOf(pod).flatMap((container) => containerFaults(container, pod)),
  ]
}

function containerFaults(container: Container, pod: PodSpec): string[] {
  const own = container.securityContext ?? {}
  const both = { ...pod.securityContext, ...own }
  const rules: Readonly<Record<string, boolean>> = {
    privileged: own.privileged !== true,
    allowPrivilegeEscalation: own.allowPrivilegeEscalation === false,
    'capabilities.drop': own.capabilities?.drop?.includes('ALL') === true,
    'capabilities.add': (own.capabilities?.add ?? []).length === 0,
    runAsNonRoot: both.runAsNonRoot === true,
    runAsUser: both.runAsUser !== undefined && both.runAsUser > 0,
    seccompProfile: both.seccompProfile?.type === 'RuntimeDefault',
    readOnlyRootFilesystem: own.readOnlyRootFilesystem === true,
    hostPort: (container.ports ?? []).every((port) => !('hostPort' in port)),
  }
  return Object.keys(rules)
    .filter((rule) => rules[rule] === false)
    .map((rule) => `${container.name}: ${rule}`)
}
