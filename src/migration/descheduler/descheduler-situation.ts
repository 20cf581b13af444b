// How the descheduler and ours stand in a cluster right now: what the steps of their swap judge by. It is read, and nothing is written.
import { parseDocument } from 'yaml'
import { isOwnDescheduler } from '#doctor/own-descheduler.ts'
import { isFresh, ownConfigMapName, ownDeployment } from '#doctor/own-facts.ts'
import { listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { ballastNamespace } from '#process/own-names.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { convertDeschedulerWorkload, policyPlace, policyText } from '#upstreams/descheduler/descheduler-workload.ts'
import { type GitopsOwner, gitopsOwner } from '#upstreams/gitops-owner.ts'
import { findUpstreams } from '#upstreams/recognition.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { isQuiet, listOf, optional, type Reach } from '../situation.ts'
import { deschedulerObjects } from './descheduler-objects.ts'
import { isMadeBySwap } from './descheduler-own.ts'

/** A Deployment or CronJob that evicts. */
export interface Loop {
  readonly workload: KubeObject
  readonly namespace: string
  readonly name: string
  /** Of a CronJob 1 while it is not suspended, else 0. */
  readonly replicas: number
  /** Pods that are not over, and Jobs that are not: what may still evict. */
  readonly running: number
}

export interface UpstreamLoop extends Loop {
  readonly owner: GitopsOwner | undefined
  readonly isOwnerQuiet: boolean
  readonly converted: ConvertedValues
  /** The text of its policy. */
  readonly policy: string | undefined
  /** All that came with it, itself last. */
  readonly objects: readonly KubeObject[]
}

export interface OwnDescheduler {
  readonly namespace: string
  readonly release: string
  /** The controller's Deployment. */
  readonly controller: KubeObject
  /** Whoever would undo what is written here; Helm does not. */
  readonly owner: GitopsOwner | undefined
  readonly loop: OwnLoop | undefined
  /** Further Deployments and CronJobs of ours that evict. */
  readonly more: readonly KubeObject[]
  /** The ConfigMap of its policy: that of `loop`, else the one that manifests would make. */
  readonly configMap: KubeObject | undefined
  /** Nobody but a swap has written what is there; true also where nothing is. */
  readonly isOfSwap: boolean
  /** Of the controller's file: manifests give both processes the same. */
  readonly arbiter: unknown
}

export interface OwnLoop extends Loop {
  /** The policy as its ConfigMap has it. */
  readonly policy: string | undefined
  readonly isReady: boolean
}

export interface DeschedulerSituation {
  readonly upstreams: readonly UpstreamLoop[]
  readonly ours: OwnDescheduler | undefined
  /** ConfigMaps where Ballast would be installed, while its controller is not there. */
  readonly left: readonly KubeObject[]
  /** Leases of upstream's that somebody renews, ours too. */
  readonly leases: readonly KubeObject[]
}

type Reading = Pick<Reach, 'api' | 'signal' | 'clock'>

/** @throws ApiStatusError where something may not be read */
export async function readDeschedulerSituation(reach: Reading): Promise<DeschedulerSituation> {
  const { api, signal, clock } = reach
  const [deployments, cronJobs, leases] = await Promise.all([
    listOf(api, builtIn.deployments, 'Deployment', { signal }),
    listOf(api, builtIn.cronjobs, 'CronJob', { signal }),
    listOf(api, builtIn.leases, 'Lease', { signal }),
  ])
  const workloads = [...deployments, ...cronJobs]
  const found = findUpstreams(workloads).filter(
    ({ upstream, workload }) => upstream.name === 'descheduler' && !isOwnDescheduler(workload),
  )
  const upstreams = await Promise.all(found.map(({ workload }) => upstreamLoop(reach, workload)))
  const controller = ownDeployment(deployments)
  return {
    upstreams,
    left:
      controller === undefined ? await listOf(api, builtIn.configmaps, 'ConfigMap', { signal, namespace: ballastNamespace }) : [],
    ours: controller === undefined ? undefined : await ownDescheduler(reach, controller, workloads.filter(isOwnDescheduler)),
    leases: leases.filter(lease => isFresh(lease, clock.now())),
  }
}

async function upstreamLoop(reach: Reading, workload: KubeObject): Promise<UpstreamLoop> {
  const loop = await loopOf(reach, workload)
  const owner = gitopsOwner(workload)
  const objects = await deschedulerObjects(reach, loop)
  const policy = await policyObject(reach, loop)
  const beside = policy === undefined ? objects : [...objects, policy]
  const converted = convertDeschedulerWorkload({ ...workload }, { beside, namespace: loop.namespace })
  return { ...loop, owner, isOwnerQuiet: await isQuiet(reach, owner), converted, policy: policyText(workload, policy), objects }
}

/** The ConfigMap that its policy is read from, whoever made it. */
async function policyObject(reach: Reading, { workload }: Pick<Loop, 'workload'>): Promise<KubeObject | undefined> {
  const place = policyPlace(workload)
  return place === undefined ? undefined : configMapAt(reach, place)
}

async function configMapAt(
  { api, signal }: Reading,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<KubeObject | undefined> {
  const found = await optional(api.resource(builtIn.configmaps).get(name, { namespace, signal }))
  return found === undefined ? undefined : { ...found, apiVersion: 'v1', kind: 'ConfigMap' }
}

async function ownDescheduler(
  reach: Reading,
  controller: KubeObject,
  [workload, ...more]: readonly KubeObject[],
): Promise<OwnDescheduler> {
  const { namespace = 'default', labels = {} } = controller.metadata
  const owner = gitopsOwner(workload ?? controller) ?? gitopsOwner(controller)
  const place = { namespace, name: `${fullName(controller) ?? 'ballast'}-descheduler` }
  const configMap = await (workload === undefined ? configMapAt(reach, place) : policyObject(reach, { workload }))
  const file = await configMapAt(reach, { namespace, name: ownConfigMapName(controller) })
  return {
    namespace,
    release: labels['app.kubernetes.io/instance'] ?? 'ballast',
    controller,
    owner: owner?.by === 'helm' ? undefined : owner,
    loop: workload === undefined ? undefined : await ownLoop(reach, workload, configMap),
    more,
    configMap,
    isOfSwap: [workload, configMap].every(object => object === undefined || isMadeBySwap(object)),
    arbiter: valueAt(yamlIn(textAt(file, 'data', 'config.yaml')), ['arbiter']),
  }
}

/** What all names of an installation begin with, by its controller's. */
export const fullName = ({ metadata }: KubeObject): string | undefined => /^(.+)-controller$/.exec(metadata.name)?.[1]

function yamlIn(text: string | undefined): unknown {
  const document = parseDocument(text ?? '', { prettyErrors: false })
  return document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 100 })
}

async function ownLoop(reach: Reading, workload: KubeObject, configMap: KubeObject | undefined): Promise<OwnLoop> {
  return {
    ...(await loopOf(reach, workload)),
    policy: policyText(workload, configMap),
    isReady: workload.kind === 'CronJob' || (numberAt(workload, 'status', 'readyReplicas') ?? 0) > 0,
  }
}

async function loopOf(reach: Reading, workload: KubeObject): Promise<Loop> {
  const { namespace = 'default', name } = workload.metadata
  const replicas =
    workload.kind === 'CronJob'
      ? Number(valueAt(workload, ['spec', 'suspend']) !== true)
      : (numberAt(workload, 'spec', 'replicas') ?? 1)
  return { workload, namespace, name, replicas, running: await runningOf(reach, workload, namespace) }
}

/** Also pods that end: until they are gone they may evict. */
async function runningOf({ api, signal }: Reading, workload: KubeObject, namespace: string): Promise<number> {
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
