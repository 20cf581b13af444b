// How Reloader and Ballast stand in a cluster right now: what the steps of the swap judge by.
import type { Capability } from '#coordination/capability.ts'
import { isFresh, ownConfigMapName, ownDeployment } from '#doctor/own-facts.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { readControllerConfiguration, settingsOf } from '#process/configuration/controller-configuration.ts'
import { type GitopsOwner, gitopsOwner } from '#upstreams/gitops-owner.ts'
import { findUpstreams } from '#upstreams/recognition.ts'

export interface UpstreamState {
  readonly deployment: KubeObject
  readonly namespace: string
  readonly name: string
  readonly replicas: number
  /** Pods that still run, or end. */
  readonly running: number
  readonly owner: GitopsOwner | undefined
  /** Nothing brings it back when it is scaled: its owner is suspended, gone, or plain Helm. */
  readonly isOwnerQuiet: boolean
}

export interface OwnState {
  readonly deployment: KubeObject
  readonly namespace: string
  readonly configMap: KubeObject
  /** The section `capabilities.reload` as the controller reads it. */
  readonly config: unknown
  readonly isEnabled: boolean
  readonly isReady: boolean
  /** The leader says that reload runs. */
  readonly isReloading: boolean
  /** Where a change of the configuration has to be committed; writing it here would be undone. */
  readonly owner: GitopsOwner | undefined
}

export interface Situation {
  readonly upstreams: readonly UpstreamState[]
  readonly ours: OwnState | undefined
  readonly lease: KubeObject | undefined
}

export interface Reach {
  readonly api: Api
  readonly clock: Clock
  readonly capabilities: readonly Capability[]
  readonly signal: AbortSignal
}

export const guardLeaseName = 'stakater-reloader-lock'
const helmReleases: GroupVersionResource = { group: 'helm.toolkit.fluxcd.io', version: 'v2', resource: 'helmreleases' }
const kustomizations: GroupVersionResource = { group: 'kustomize.toolkit.fluxcd.io', version: 'v1', resource: 'kustomizations' }

export async function readSituation(reach: Reach): Promise<Situation> {
  const { api, signal } = reach
  const deployments = await listOf(api, builtIn.deployments, 'Deployment', { signal })
  const found = findUpstreams(deployments).filter(({ upstream }) => upstream.name === 'Reloader')
  const upstreams = await Promise.all(found.map(({ workload }) => upstreamState(reach, workload)))
  const [lease] = await listOf(api, builtIn.leases, 'Lease', { signal, fieldSelector: `metadata.name=${guardLeaseName}` })
  return { upstreams, ours: await ownState(reach, deployments), lease }
}

async function upstreamState(reach: Reach, deployment: KubeObject): Promise<UpstreamState> {
  const owner = gitopsOwner(deployment)
  return {
    deployment,
    namespace: deployment.metadata.namespace ?? 'default',
    name: deployment.metadata.name,
    replicas: numberAt(deployment, 'spec', 'replicas') ?? 1,
    running: numberAt(deployment, 'status', 'replicas') ?? 0,
    owner,
    isOwnerQuiet: await isQuiet(reach, owner),
  }
}

/** Does nobody bring it back? */
export async function isQuiet({ api, signal }: Pick<Reach, 'api' | 'signal'>, owner: GitopsOwner | undefined): Promise<boolean> {
  if (owner === undefined || owner.by === 'helm') return true
  if (owner.by === 'argo') return false
  const resource = owner.by === 'flux-helm' ? helmReleases : kustomizations
  const object = await optional(api.resource(resource).get(owner.name, { namespace: owner.namespace, signal }))
  // Gone: whoever deleted it while it was suspended left its objects to us.
  return object === undefined || Reflect.get(Object(object['spec']), 'suspend') === true
}

async function ownState(reach: Reach, deployments: readonly KubeObject[]): Promise<OwnState | undefined> {
  const { api, capabilities, signal } = reach
  const deployment = ownDeployment(deployments)
  if (deployment === undefined) return undefined
  const namespace = deployment.metadata.namespace ?? 'default'
  const configMaps = api.resource(builtIn.configmaps)
  const configMap = await optional(configMaps.get(ownConfigMapName(deployment), { namespace, signal }))
  if (configMap === undefined) return undefined
  const text = textAt(configMap, 'data', 'config.yaml') ?? ''
  const read = readControllerConfiguration(
    { file: `ConfigMap ${namespace}/${configMap.metadata.name}`, text, overrides: [] },
    capabilities,
  )
  const section = read.ok ? settingsOf(read.configuration, capabilities).capabilities['reload'] : undefined
  const status = await optional(configMaps.get('ballast-status', { namespace, signal }))
  const leader = await optional(api.resource(builtIn.leases).get('ballast-controller', { namespace, signal }))
  const owner = gitopsOwner(configMap) ?? gitopsOwner(deployment)
  return {
    deployment,
    namespace,
    configMap: { ...configMap, apiVersion: 'v1', kind: 'ConfigMap' },
    config: section?.config,
    isEnabled: section?.isEnabled === true,
    isReady: (numberAt(deployment, 'status', 'readyReplicas') ?? 0) > 0,
    isReloading: isReady(textAt(status, 'data', 'reload')) && (leader === undefined || isFresh(leader, reach.clock.now())),
    owner: owner !== undefined && owner.by !== 'helm' ? owner : undefined,
  }
}

/** The condition that the leader writes of each capability. */
function isReady(text: string | undefined): boolean {
  const conditions: unknown = text === undefined ? undefined : Reflect.get(Object(JSON.parse(text)), 'conditions')
  return Array.isArray(conditions) && conditions.some(one => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True')
}

interface ListWish {
  readonly signal: AbortSignal
  readonly namespace?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
  readonly metadataOnly?: boolean
}

/** All objects of a kind, each with its kind; none where it is not served. */
export async function listOf(
  api: Api,
  resource: GroupVersionResource,
  kind: string,
  wish: ListWish,
): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = []
  try {
    for await (const page of api.resource(resource).pages(wish))
      for (const item of page.items)
        found.push({
          ...item,
          apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
          kind,
        })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  return found
}

/** `undefined` for what is not there or not ours to see. */
export async function optional<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isNotFound(error) || isForbidden(error)) return undefined
    throw error
  }
}
