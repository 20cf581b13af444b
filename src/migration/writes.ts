// What a swap writes: scale upstream, switch our capability, install ours, delete and bring back upstream's objects. Each write names the
// version that it was decided on, and each can be done again.
import { isDeepStrictEqual } from 'node:util'
import { parseDocument } from 'yaml'
import type { Api } from '#kube/client/api.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource, parseApiVersion } from '#kube/objects/resource.ts'
import { isAlreadyExists, isForbidden, isNotFound } from '#kube/objects/status.ts'
import { listOf, type OwnState, optional, type UpstreamState } from './situation.ts'
import { StepFailed } from './step.ts'

const fieldManager = 'ballast-migrate'

interface Wire {
  readonly api: Api
  readonly signal: AbortSignal
}

/** To `replicas`; nothing is written where it is so already. */
export async function scaleTo({ api, signal }: Wire, upstream: UpstreamState, replicas: number): Promise<void> {
  if (upstream.replicas === replicas) return
  const { namespace, name, deployment } = upstream
  const body = { metadata: { resourceVersion: deployment.metadata.resourceVersion }, spec: { replicas } }
  await api.resource(builtIn.deployments).patch(name, { type: 'merge', body }, { namespace, signal, fieldManager })
}

/** Changes the section of a capability in the file that our controller reads; everything else stays as it is written. */
export async function writeSection(
  { api, signal }: Wire,
  ours: Pick<OwnState, 'configMap' | 'namespace'>,
  section: Readonly<Record<string, unknown>>,
  capability = 'reload',
): Promise<void> {
  const { configMap, namespace } = ours
  const text = textAt(configMap, 'data', 'config.yaml') ?? ''
  const changed = withSection(text, section, capability)
  if (changed === text) return
  const data: unknown = configMap['data']
  const object = { ...configMap, data: { ...Object(data), 'config.yaml': changed } }
  await api.resource(builtIn.configmaps).update(object, { namespace, signal, fieldManager })
}

/** `text` with keys of `capabilities.<capability>` set. */
export function withSection(text: string, section: Readonly<Record<string, unknown>>, capability = 'reload'): string {
  const document = parseDocument(text === '' ? 'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\n' : text)
  const before = JSON.stringify(document.toJS())
  for (const [key, value] of Object.entries(section)) document.setIn(['capabilities', capability, key], value)
  const isSame = JSON.stringify(document.toJS()) === before
  return isSame ? text : document.toString({ lineWidth: 0 })
}

const resources: Readonly<Record<string, GroupVersionResource>> = {
  Namespace: builtIn.namespaces,
  CustomResourceDefinition: builtIn.customresourcedefinitions,
  ServiceAccount: builtIn.serviceaccounts,
  ClusterRole: builtIn.clusterroles,
  ClusterRoleBinding: builtIn.clusterrolebindings,
  Role: builtIn.roles,
  RoleBinding: builtIn.rolebindings,
  ConfigMap: builtIn.configmaps,
  Secret: builtIn.secrets,
  Service: builtIn.services,
  PodDisruptionBudget: builtIn.poddisruptionbudgets,
  Deployment: builtIn.deployments,
  CronJob: builtIn.cronjobs,
  DaemonSet: builtIn.daemonsets,
  ResourceQuota: { group: '', version: 'v1', resource: 'resourcequotas' },
  NetworkPolicy: { group: 'networking.k8s.io', version: 'v1', resource: 'networkpolicies' },
  PodMonitor: { group: 'monitoring.coreos.com', version: 'v1', resource: 'podmonitors' },
  ServiceMonitor: { group: 'monitoring.coreos.com', version: 'v1', resource: 'servicemonitors' },
  VerticalPodAutoscaler: { group: 'autoscaling.k8s.io', version: 'v1', resource: 'verticalpodautoscalers' },
  PrometheusRule: { group: 'monitoring.coreos.com', version: 'v1', resource: 'prometheusrules' },
}

/** Where objects of its kind lie. @throws StepFailed for a kind that no swap writes */
export function resourceOf({ apiVersion, kind }: KubeObject): GroupVersionResource {
  const resource = resources[kind]
  if (resource === undefined || resource.group !== parseApiVersion(apiVersion).group)
    throw new StepFailed(`${apiVersion} ${kind} is nothing that a migration writes`)
  return resource
}

/** Applies them in their order. A monitor whose kind is not served is left out: its operator is not there. */
export async function applyAll({ api, signal }: Wire, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const { namespace } = object.metadata
    const resource = resourceOf(object)
    try {
      await api.resource(resource).apply(object, { namespace, signal, fieldManager, force: true })
    } catch (error) {
      if (!isNotFound(error) || resource.group !== 'monitoring.coreos.com') throw error
    }
  }
}

/** The first of these roles, bindings and accounts that is not there, or grants otherwise. */
export async function missingRights({ api, signal }: Wire, wanted: readonly KubeObject[]): Promise<string | undefined> {
  for (const object of wanted) {
    const { name, namespace } = object.metadata
    const found = await optional(api.resource(resourceOf(object)).get(name, { namespace, signal }))
    const isSame = ['rules', 'roleRef', 'subjects'].every(field => isDeepStrictEqual(found?.[field], object[field]))
    if (found === undefined || !isSame) return `${object.kind} ${name}`
  }
  return undefined
}

const upstreamKinds = [
  'Deployment',
  'ServiceAccount',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'Service',
  'NetworkPolicy',
  'PodDisruptionBudget',
  'PodMonitor',
  'ServiceMonitor',
  'VerticalPodAutoscaler',
]

/** Everything that came with upstream's Deployment: of its release by label, or of its name where plain manifests were applied. */
export async function upstreamObjects({ api, signal }: Wire, upstream: UpstreamState): Promise<readonly KubeObject[]> {
  const { deployment, namespace } = upstream
  const release = deployment.metadata.labels?.['app.kubernetes.io/instance'] ?? deployment.metadata.labels?.['release']
  const found: KubeObject[] = []
  for (const kind of upstreamKinds) {
    const resource = resources[kind]
    if (resource === undefined) continue
    const all = await allowed(listOf(api, resource, kind, { signal }))
    found.push(...all.filter(object => isWith(object, { upstream, release })))
  }
  const info = await allowed(
    listOf(api, builtIn.configmaps, 'ConfigMap', { signal, namespace, fieldSelector: 'metadata.name=reloader-meta-info' }),
  )
  // Objects that others need come back first.
  const order = ['Deployment', 'ConfigMap', ...upstreamKinds]
  return [...found, ...info].toSorted((a, b) => order.indexOf(b.kind) - order.indexOf(a.kind))
}

/** Kinds that may not be read are left where they are. */
async function allowed(listing: Promise<readonly KubeObject[]>): Promise<readonly KubeObject[]> {
  try {
    return await listing
  } catch (error) {
    if (isForbidden(error)) return []
    throw error
  }
}

function isWith(
  { kind, metadata }: KubeObject,
  { upstream, release }: { readonly upstream: UpstreamState; readonly release: string | undefined },
): boolean {
  const { labels = {}, namespace } = metadata
  if (kind === 'Deployment') return metadata.name === upstream.name && namespace === upstream.namespace
  const chart = labels['helm.sh/chart'] ?? labels['chart'] ?? ''
  if (release !== undefined && /^reloader-v?\d/.test(chart))
    return (labels['app.kubernetes.io/instance'] ?? labels['release']) === release
  // Plain manifests name everything after the Deployment.
  const isNamed = metadata.name === upstream.name || metadata.name.startsWith(`${upstream.name}-`)
  return isNamed && (namespace === undefined || namespace === upstream.namespace)
}

/** As it is to come back: without what the server wrote. */
export function restorable(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object
  const { name, namespace, labels, annotations } = object.metadata
  return {
    ...rest,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
  }
}

/** Deletes just these incarnations; what is gone already is gone. */
export async function deleteAll({ api, signal }: Wire, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const { name, namespace, uid } = object.metadata
    try {
      await api.resource(resourceOf(object)).delete(name, {
        namespace,
        signal,
        propagationPolicy: 'Background',
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

/** What a workload says that is to have no pods. */
export const sleeping: Readonly<Record<string, object>> = { Deployment: { replicas: 0 }, CronJob: { suspend: true } }

/** Brings deleted objects back, Deployments scaled to none and CronJobs suspended; what is there already stays. */
export async function restoreAll({ api, signal }: Wire, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const { namespace } = object.metadata
    const spec: unknown = object['spec']
    const sleep = sleeping[object.kind]
    const asleep = sleep === undefined ? object : { ...object, spec: { ...Object(spec), ...sleep } }
    try {
      await api
        .resource(resourceOf(object))
        .create(object.kind === 'Service' ? anewService(object) : asleep, { namespace, signal, fieldManager })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }
}

/** A Service keeps no address of an earlier life; one that never had any stays headless, or its name would lead to none of its pods. */
export function anewService(service: KubeObject): KubeObject {
  const { clusterIP, clusterIPs, ...spec } = Object(service['spec'])
  return { ...service, spec: { ...spec, ...(clusterIP === 'None' ? { clusterIP, clusterIPs } : {}) } }
}

/** Helm's own Secrets of a release: without them Helm knows nothing of it, and an uninstall cannot take anything with it. */
export async function releaseSecrets({ api, signal }: Wire, release: string, namespace: string): Promise<readonly KubeObject[]> {
  return listOf(api, builtIn.secrets, 'Secret', {
    signal,
    namespace,
    labelSelector: `owner=helm,name=${release}`,
    metadataOnly: true,
  })
}

export async function deleteSecrets({ api, signal }: Wire, secrets: readonly KubeObject[]): Promise<void> {
  for (const { metadata } of secrets) {
    try {
      await api.resource(builtIn.secrets).delete(metadata.name, { namespace: metadata.namespace, signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}
