// How an upstream and ours stand in a cluster right now: what the steps of a swap judge by. It is read, and nothing is written.
import { isFresh, ownConfigMapName, ownDeployment } from '#doctor/own-facts.ts'
import { listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { readControllerConfiguration, settingsOf } from '#process/configuration/controller-configuration.ts'
import { type GitopsOwner, gitopsOwner } from '#upstreams/gitops-owner.ts'
import { findUpstreams, isOwnPart } from '#upstreams/recognition.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { isMadeBySwap } from './own-made.ts'
import type { Loop, Ours, Place, Reach, Situation, Theirs, Whole } from './place.ts'
import { listOf, optional } from './reading.ts'
import { upstreamObjects } from './upstream-objects.ts'

const resources: Readonly<Record<string, GroupVersionResource>> = {
  Deployment: builtIn.deployments,
  CronJob: builtIn.cronjobs,
  DaemonSet: builtIn.daemonsets,
}

/** @throws ApiStatusError where something may not be read */
export async function readSituation(place: Place): Promise<Situation> {
  const { api, clock, signal, upstream } = place
  const { plainKinds, swap } = upstream.replaced
  const kinds = new Set(['Deployment', ...(isOnNodes(swap.part) ? ['DaemonSet'] : plainKinds)])
  const lists = Array.from(kinds, kind => listOf(api, resources[kind] ?? builtIn.deployments, kind, { signal }))
  const workloads = (await Promise.all(lists)).flat()
  const component = 'component' in swap.part ? swap.part.component : undefined
  const leads = swap.part.kind === 'nodes' ? swap.part.leader?.component : undefined
  const ownOf = (name: string | undefined) => workloads.filter(workload => name !== undefined && isOwnPart(workload, name))
  const [own, leader] = [ownOf(component), ownOf(leads)]
  const found = findUpstreams(workloads, [upstream]).filter(
    ({ workload }) => !own.includes(workload) && !leader.includes(workload) && swap.isAside?.(workload) !== true,
  )
  const [companions, main] = partition(found, ({ workload }) => swap.isCompanion?.(workload) === true)
  const leases = await listOf(api, builtIn.leases, 'Lease', { signal, fieldSelector: 'metadata.namespace!=kube-node-lease' })
  const controller = ownDeployment(workloads)
  return {
    theirs: await Promise.all(main.map(({ workload }) => theirsOf(place, workload))),
    companions: await Promise.all(companions.map(({ workload }) => loopOf(place, workload))),
    ours: controller === undefined ? undefined : await oursOf(place, controller, own, leader[0]),
    leases: leases.filter(lease => isFresh(lease, clock.now())),
  }
}

async function theirsOf(place: Place, workload: KubeObject): Promise<Theirs> {
  const owner = gitopsOwner(workload)
  return { ...(await loopOf(place, workload)), owner, isOwnerQuiet: await isQuiet(place, owner) }
}

/** What upstream is made of and what it is told. */
export async function wholeOf(place: Place, { workload, namespace }: Loop): Promise<Whole> {
  const { replaced } = place.upstream
  const objects = await upstreamObjects(place, workload)
  const configMap = await readMap(place, workload)
  const users = (await replaced.swap.usersObjects?.(place)) ?? []
  const beside = [...objects, ...(configMap === undefined ? [] : [configMap]), ...users]
  return { objects, configMap, converted: replaced.convertWorkload({ ...workload }, { beside, namespace }) }
}

/** The ConfigMap that a workload reads, upstream's or ours. */
async function readMap(place: Place, workload: KubeObject): Promise<KubeObject | undefined> {
  const at = place.upstream.replaced.swap.reads?.(workload)
  return at === undefined ? undefined : configMapAt(place, at)
}

async function configMapAt(
  { api, signal }: Pick<Reach, 'api' | 'signal'>,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<KubeObject | undefined> {
  const found = await optional(api.resource(builtIn.configmaps).get(name, { namespace, signal }))
  return found === undefined ? undefined : { ...found, apiVersion: 'v1', kind: 'ConfigMap' }
}

const helmReleases: GroupVersionResource = { group: 'helm.toolkit.fluxcd.io', version: 'v2', resource: 'helmreleases' }
const kustomizations: GroupVersionResource = { group: 'kustomize.toolkit.fluxcd.io', version: 'v1', resource: 'kustomizations' }

/** Does nobody bring it back? */
async function isQuiet({ api, signal }: Reach, owner: GitopsOwner | undefined): Promise<boolean> {
  if (owner === undefined || owner.by === 'helm') return true
  if (owner.by === 'argo') return false
  const resource = owner.by === 'flux-helm' ? helmReleases : kustomizations
  const object = await optional(api.resource(resource).get(owner.name, { namespace: owner.namespace, signal }))
  // Gone: whoever deleted it while it was suspended left its objects to us.
  return object === undefined || Reflect.get(Object(object['spec']), 'suspend') === true
}

async function oursOf(
  place: Place,
  controller: KubeObject,
  own: readonly KubeObject[],
  leading: KubeObject | undefined,
): Promise<Ours> {
  const { api, capabilities, clock, signal, upstream } = place
  const { namespace = 'default', labels = {} } = controller.metadata
  const file = await configMapAt(place, { namespace, name: ownConfigMapName(controller) })
  const text = textAt(file, 'data', 'config.yaml') ?? ''
  const where = { file: `ConfigMap ${namespace}/${file?.metadata.name}`, text, overrides: [] }
  const read = readControllerConfiguration(where, capabilities)
  const section = read.ok ? settingsOf(read.configuration, capabilities).capabilities[upstream.capability] : undefined
  const status = await configMapAt(place, { namespace, name: 'ballast-status' })
  const leader = await optional(api.resource(builtIn.leases).get('ballast-controller', { namespace, signal }))
  const [loop, ...more] = await Promise.all(own.map(workload => loopOf(place, workload)))
  const { part } = upstream.replaced.swap
  const ownMap =
    part.kind !== 'process'
      ? undefined
      : await (loop === undefined
          ? configMapAt(place, { namespace, name: ownName(controller, part.component) })
          : readMap(place, loop.workload))
  const owners = [loop?.workload, file, controller].map(object => (object === undefined ? undefined : gitopsOwner(object)))
  return {
    namespace,
    release: labels['app.kubernetes.io/instance'] ?? 'ballast',
    controller,
    owner: owners.find(owner => owner !== undefined),
    file,
    text,
    config: section?.config,
    isEnabled: section?.isEnabled === true,
    guardLease: section?.guardLease,
    isReady: (numberAt(controller, 'status', 'readyReplicas') ?? 0) > 0,
    isWorking: isReady(textAt(status, 'data', statusKeyOf(upstream))) && (leader === undefined || isFresh(leader, clock.now())),
    loop,
    more,
    leader: leading === undefined ? undefined : await loopOf(place, leading),
    ownMap,
    isOfSwap: [loop?.workload, ownMap].every(object => object === undefined || isMadeBySwap(object)),
  }
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter(one => !isFirst(one))]
}

const isOnNodes = ({ kind }: Place['upstream']['replaced']['swap']['part']) =>
  kind === 'nodes' || kind === 'publishing' || kind === 'offering'

/** Parts outside of the controller have keys of their own. */
const statusKeyOf = ({
  capability,
  replaced: {
    swap: { part },
  },
}: Place['upstream']): string => (part.kind === 'api' || part.kind === 'led-api' ? `${capability}.${part.component}` : capability)

/** What all names of an installation begin with, by its controller's. */
export const fullName = ({ metadata }: KubeObject): string | undefined => /^(.+)-controller$/.exec(metadata.name)?.[1]

/** The name of a workload beside the controller, and of what it reads. */
export const ownName = (controller: KubeObject | undefined, component: string): string =>
  `${(controller && fullName(controller)) ?? 'ballast'}-${component}`

/** The condition that the leader writes of each capability. */
function isReady(text: string | undefined): boolean {
  const conditions: unknown = text === undefined ? undefined : Reflect.get(Object(JSON.parse(text)), 'conditions')
  return Array.isArray(conditions) && conditions.some(one => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True')
}

async function loopOf(place: Reach, workload: KubeObject): Promise<Loop> {
  const { namespace = 'default', name } = workload.metadata
  const labels = Object.entries(Object(valueAt(workload, ['spec', 'selector', 'matchLabels'])))
  const loop = { workload, namespace, name, selector: labels.map(([key, value]) => `${key}=${String(value)}`).join(',') }
  if (workload.kind === 'DaemonSet')
    return { ...loop, replicas: 1, running: numberAt(workload, 'status', 'currentNumberScheduled') ?? 0 }
  const replicas =
    workload.kind === 'CronJob'
      ? Number(valueAt(workload, ['spec', 'suspend']) !== true)
      : (numberAt(workload, 'spec', 'replicas') ?? 1)
  return { ...loop, replicas, running: await runningOf(place, workload, namespace) }
}

/** Also pods that end: until they are gone they may act. */
async function runningOf({ api, signal }: Reach, workload: KubeObject, namespace: string): Promise<number> {
  const pods = (await listOf(api, builtIn.pods, 'Pod', { signal, namespace })).filter(
    pod => !['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase') ?? ''),
  )
  if (workload.kind === 'Deployment') {
    const wanted = Object.entries(Object(valueAt(workload, ['spec', 'selector', 'matchLabels'])))
    return pods.filter(({ metadata: { labels = {} } }) => wanted.every(([key, value]) => labels[key] === value)).length
  }
  const jobs = (await listOf(api, builtIn.jobs, 'Job', { signal, namespace })).filter(job => isOwnedBy(job, workload))
  const unfinished = jobs.filter(job => !isOver(job)).length
  return Math.max(unfinished, pods.filter(pod => jobs.some(job => isOwnedBy(pod, job))).length)
}

const isOwnedBy = ({ metadata }: KubeObject, { metadata: { uid } }: KubeObject): boolean =>
  uid !== undefined && (metadata.ownerReferences ?? []).some(owner => owner.uid === uid)

const isOver = (job: KubeObject): boolean =>
  listAt(job, 'status', 'conditions').some(
    one => ['Complete', 'Failed'].includes(textAt(one, 'type') ?? '') && textAt(one, 'status') === 'True',
  )
