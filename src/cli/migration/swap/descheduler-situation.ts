// How the descheduler and ours stand in a cluster right now: what the steps of their swap judge by. It is read, and nothing is written.
import type { KubeObject } from '#kube/objects.ts'
import { builtIn } from '#kube/resource.ts'
import { listAt, numberAt, templateOf, textAt } from '../../doctor/facts.ts'
import { type GitopsOwner, gitopsOwner } from '../../doctor/gitops-owner.ts'
import { isFresh, ownDeployment } from '../../doctor/own-facts.ts'
import { findUpstreams } from '../../doctor/upstreams.ts'
import type { ConvertedValues } from '../convert-values.ts'
import { convertDeschedulerWorkload, policySource } from '../descheduler-workload.ts'
import { valueAt } from '../values-tree.ts'
import { deschedulerObjects } from './descheduler-objects.ts'
import { isQuiet, listOf, optional, type Reach } from './situation.ts'

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
}

export interface OwnLoop extends Loop {
  /** The policy as its ConfigMap has it. */
  readonly policy: string | undefined
  readonly isReady: boolean
}

export interface DeschedulerSituation {
  readonly upstreams: readonly UpstreamLoop[]
  readonly ours: OwnDescheduler | undefined
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
  const found = findUpstreams({ objects: workloads, unread: [], nowMs: 0, ours: undefined }).filter(
    ({ upstream, workload }) => upstream.name === 'descheduler' && !isOurs(workload),
  )
  const upstreams = await Promise.all(found.map(({ workload }) => upstreamLoop(reach, workload)))
  const controller = ownDeployment(deployments)
  const loop = workloads.find(isOurs)
  return {
    upstreams,
    ours: controller === undefined ? undefined : await ownDescheduler(reach, controller, loop),
    leases: leases.filter(lease => isFresh(lease, clock.now())),
  }
}

const isOurs = ({ metadata: { labels = {} } }: KubeObject): boolean =>
  labels['app.kubernetes.io/part-of'] === 'ballast' && labels['app.kubernetes.io/component'] === 'descheduler'

async function upstreamLoop(reach: Reading, workload: KubeObject): Promise<UpstreamLoop> {
  const loop = await loopOf(reach, workload)
  const owner = gitopsOwner(workload)
  const objects = await deschedulerObjects(reach, loop)
  const policy = await policyObject(reach, loop)
  const beside = policy === undefined ? objects : [...objects, policy]
  const converted = convertDeschedulerWorkload({ ...workload }, { beside, namespace: loop.namespace })
  const text = textAt(policy, 'data', policySource({ ...workload })?.key ?? '')
  return { ...loop, owner, isOwnerQuiet: await isQuiet(reach, owner), converted, policy: text, objects }
}

/** The ConfigMap that its policy is read from, whoever made it. */
async function policyObject({ api, signal }: Reading, { workload, namespace }: Loop): Promise<KubeObject | undefined> {
  const source = policySource({ ...workload })
  if (source === undefined) return undefined
  const found = await optional(api.resource(builtIn.configmaps).get(source.configMap, { namespace, signal }))
  return found === undefined ? undefined : { ...found, kind: 'ConfigMap' }
}

async function ownDescheduler(reach: Reading, controller: KubeObject, workload: KubeObject | undefined): Promise<OwnDescheduler> {
  const { namespace = 'default', labels = {} } = controller.metadata
  const owner = gitopsOwner(workload ?? controller) ?? gitopsOwner(controller)
  return {
    namespace,
    release: labels['app.kubernetes.io/instance'] ?? 'ballast',
    controller,
    owner: owner?.by === 'helm' ? undefined : owner,
    loop: workload === undefined ? undefined : await ownLoop(reach, workload),
  }
}

async function ownLoop(reach: Reading, workload: KubeObject): Promise<OwnLoop> {
  const { api, signal } = reach
  const loop = await loopOf(reach, workload)
  const { name, namespace } = loop
  const policy = await optional(api.resource(builtIn.configmaps).get(name, { namespace, signal }))
  return {
    ...loop,
    policy: textAt(policy, 'data', 'policy.yaml'),
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

/** Words of the container that evicts: what it is started with. */
export function wordsOf({ workload }: Loop): readonly string[] {
  const [container] = listAt(templateOf(workload), 'spec', 'containers')
  return listAt(container, 'args').map(String)
}
