// How Ballast is installed in a cluster, by its Deployment, its ConfigMap and its Lease.
import { type Capability, standardAgentNamespace } from '#coordination/capability.ts'
import { agentPlace, grantsOf } from '#coordination/rbac.ts'
import type { Api } from '#kube/client/api.ts'
import type { Override } from '#kube/configuration.ts'
import { isWanted, listAt, numberAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { enabling, readControllerConfiguration, settingsOf } from '#process/configuration/controller-configuration.ts'
import type { OwnFacts } from './facts.ts'

const standardNamespace = 'ballast-system'
const standardName = 'ballast-controller'

/** The controller's Deployment: by its labels, or the name that `manifests` gives it. */
export function ownDeployment(objects: readonly KubeObject[]): KubeObject | undefined {
  return objects.find(isOwnDeployment)
}

/** The account that a workload's pods have. */
export const accountOf = (workload: KubeObject): string => textAt(templateOf(workload), 'spec', 'serviceAccountName') ?? 'default'

export function isOwnDeployment({ kind, metadata }: KubeObject): boolean {
  return (
    kind === 'Deployment' &&
    ((metadata.labels?.['app.kubernetes.io/name'] === 'ballast' &&
      metadata.labels['app.kubernetes.io/component'] === 'controller') ||
      (metadata.namespace === standardNamespace && metadata.name === standardName))
  )
}

/** Where the configuration of a controller lies: a ConfigMap that its pods mount. */
export function ownConfigMapName(deployment: KubeObject | undefined): string {
  const volumes = Reflect.get(Object(Reflect.get(Object(templateOf(deployment ?? emptyObject)), 'spec')), 'volumes')
  const names = (Array.isArray(volumes) ? volumes : []).flatMap(volume => textAt(volume, 'configMap', 'name') ?? [])
  return names.find(name => name.endsWith('-config')) ?? 'ballast-config'
}

const emptyObject: KubeObject = { apiVersion: '', kind: '', metadata: { name: '' } }

/** What the arguments of the controller enable over its ConfigMap, as components of Kustomize do; names that nobody knows are left out. */
export function enabledByArguments(deployment: KubeObject | undefined, capabilities: readonly Capability[]): readonly Override[] {
  const containers = listAt(templateOf(deployment ?? emptyObject), 'spec', 'containers')
  const words = containers.flatMap(container => listAt(container, 'args')).map(String)
  const lists = words.flatMap((word, index) => {
    if (word.startsWith('--enable=')) return [word.slice('--enable='.length)]
    return word === '--enable' ? (words[index + 1] ?? []) : []
  })
  const known = lists.flatMap(list => list.split(',')).filter(name => capabilities.some(one => one.name === name))
  return known.length === 0 ? [] : enabling(known.join(','), capabilities)
}

/** The ConfigMap that the controller reads; `undefined` where there is none or it may not be read. */
export async function readOwnConfigMap(
  api: Api,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const deployment = ownDeployment(objects)
  const namespace = deployment?.metadata.namespace ?? standardNamespace
  try {
    return await api.resource(builtIn.configmaps).get(ownConfigMapName(deployment), { namespace, signal })
  } catch (error) {
    if (isNotFound(error) || isForbidden(error)) return undefined
    throw error
  }
}

/** What is known of ours; `undefined` where nothing of Ballast's controller is there. */
export function ownFacts(
  objects: readonly KubeObject[],
  configMap: KubeObject | undefined,
  around: { readonly capabilities: readonly Capability[]; readonly nowMs: number },
): OwnFacts | undefined {
  const deployment = ownDeployment(objects)
  const lease = objects.find(({ kind, metadata }) => kind === 'Lease' && metadata.name === standardName)
  const isLeading = lease !== undefined && isFresh(lease, around.nowMs)
  if (deployment === undefined && !isLeading) return undefined
  const namespace = deployment?.metadata.namespace ?? lease?.metadata.namespace ?? standardNamespace
  const text = textAt(configMap, 'data', 'config.yaml') ?? ''
  const read = readControllerConfiguration(
    { file: 'ballast-config', text, overrides: enabledByArguments(deployment, around.capabilities) },
    around.capabilities,
  )
  // A configuration that is refused starts nothing.
  const settings = read.ok ? settingsOf(read.configuration, around.capabilities) : undefined
  const enabled = around.capabilities.filter(({ name }) => settings?.capabilities[name]?.isEnabled === true)
  const configurations = Object.fromEntries(enabled.map(({ name }) => [name, settings?.capabilities[name]?.config ?? {}]))
  return {
    namespace,
    enabled: enabled.map(({ name }) => name),
    configurations,
    isConfigured: configMap !== undefined,
    isRunning: isLeading || (deployment !== undefined && isWanted(deployment)),
    account: textAt(templateOf(deployment ?? emptyObject), 'spec', 'serviceAccountName') ?? standardName,
    rights: grantsOf(enabled, { trust: 'core', elects: true, configurations }).map(right =>
      right.place === agentPlace ? { ...right, place: agentNamespaceOf(objects) } : right,
    ),
  }
}

/** Where our pods on nodes are. */
function agentNamespaceOf(objects: readonly KubeObject[]): string {
  const isAgents = ({ kind, metadata: { labels = {} } }: KubeObject) =>
    kind === 'DaemonSet' &&
    labels['app.kubernetes.io/part-of'] === 'ballast' &&
    /^agent/.test(labels['app.kubernetes.io/component'] ?? '')
  return objects.find(isAgents)?.metadata.namespace ?? standardAgentNamespace
}

/** Somebody holds the Lease and has renewed it lately. */
export function isFresh(lease: KubeObject, nowMs: number): boolean {
  const durationMs = (numberAt(lease, 'spec', 'leaseDurationSeconds') ?? 15) * 1000
  const renewedMs = Date.parse(textAt(lease, 'spec', 'renewTime') ?? '')
  return (textAt(lease, 'spec', 'holderIdentity') ?? '') !== '' && nowMs - renewedMs < 2 * durationMs
}
