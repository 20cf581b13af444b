// What another process asks for by a DisruptionPermit without a grant, as an intent. Pure: from the object and the cluster's state.
import type { ClusterState, PodState, WorkloadReference } from '#cluster/cluster-state.ts'
import { kindKey } from '#cluster/ownership.ts'
import { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { problemSentence } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import type { DisruptionPermit } from '../api.ts'
import { isTakenByDrain } from '../gates/foreign-drain.ts'
import { describeTarget, type FitProof, type Intent, type Target, targetKey, type Verb } from '../intent.ts'
import { disruptionPermitSpec } from './permit-schema.ts'

type Reading =
  | { readonly kind: 'intent'; readonly intent: Intent }
  /** With path, found and expected: for whoever wrote it. */
  | { readonly kind: 'bad'; readonly message: string }

interface Context {
  readonly state: ClusterState
  readonly settings: SchedulerSettings
  /** Ballast's own namespace: requests about nodes lie there. */
  readonly ownNamespace: string
}

const minute = 60_000
/** How long the effect of each verb may take, where the workload does not say: the permit's time to live. */
const timeToLiveMs: Readonly<Record<Verb, number>> = {
  evict: 10 * minute,
  restart: 15 * minute,
  resize: 15 * minute,
  scale: 10 * minute,
  drain: 60 * minute,
  taint: 60 * minute,
  launch: 60 * minute,
  terminate: 60 * minute,
}
/** Beside the deadline of its progress a rollout may take this long. */
const rolloutSlackMs = 5 * minute
/** Pods that one request may evict: for each it is worked out where its replacement fits. */
const mostEvicted = 50

/** Kinds that each verb works on. */
const kindsOfVerb: Readonly<Record<Verb, readonly string[] | undefined>> = {
  evict: ['Pod'],
  restart: ['Deployment', 'StatefulSet', 'DaemonSet'],
  resize: ['Pod', 'Deployment', 'StatefulSet', 'DaemonSet'],
  scale: ['Deployment', 'StatefulSet', 'ReplicaSet'],
  drain: ['Node'],
  taint: ['Node'],
  launch: undefined,
  terminate: undefined,
}

/** The intent of a request, or what is wrong with it. */
export function intentOfRequest(request: DisruptionPermit, context: Context): Reading {
  const bad = (message: string): Reading => ({ kind: 'bad', message })
  const checked = checkAgainst(disruptionPermitSpec, request.spec, 'spec')
  if (!checked.ok) return bad(checked.problems.map(problemSentence).join('; '))
  const { spec } = request
  const wrong = whyNot(request, context)
  if (wrong !== undefined) return bad(wrong)
  const workload = workloadOf(spec, context.state)
  if (workload === 'several') return bad('spec.targets: pods of several workloads, expected those of one: ask for each')
  const disrupts = disruptedBy(spec, workload, context.state)
  const proof = spec.verb === 'evict' ? proofFor(disrupts, context) : undefined
  return {
    kind: 'intent',
    intent: {
      requester: spec.requester,
      verb: spec.verb,
      purpose: spec.purpose,
      class: spec.class,
      targets: spec.targets,
      workload,
      disrupts: disrupts.map(podTarget),
      reasons: spec.reasons,
      idempotencyKey: spec.idempotencyKey,
      ...(spec.batch === undefined ? {} : { batch: spec.batch }),
      deadlineMs: Date.parse(spec.deadline),
      timeToLiveMs: timeToLive(spec.verb, workload, context.state),
      ...(spec.change === undefined ? {} : { change: spec.change }),
      ...(spec.mark === undefined ? {} : { mark: spec.mark }),
      ...(spec.fieldManager === undefined ? {} : { fieldManager: spec.fieldManager }),
      ...(spec.relocation === undefined ? {} : { relocation: spec.relocation }),
      ...(spec.replicas === undefined ? {} : { replicas: spec.replicas }),
      ...(proof === undefined ? {} : { proof }),
    },
  }
}

/** What the schema cannot say: a request speaks of what lies in its own namespace, and of incarnations. */
function whyNot({ metadata, spec }: DisruptionPermit, { ownNamespace }: Context): string | undefined {
  const { verb, targets } = spec
  const kinds = kindsOfVerb[verb]
  if (Number.isNaN(Date.parse(spec.deadline))) return `spec.deadline: ${JSON.stringify(spec.deadline)}, expected a time`
  for (const [at, target] of targets.entries()) {
    const path = `spec.targets[${at}]`
    if (kinds !== undefined && !kinds.includes(target.kind))
      return `${path}.kind: ${target.kind}, expected ${kinds.join(' or ')} for verb ${verb}`
    const home = target.namespace ?? ownNamespace
    if (home !== metadata.namespace)
      return `${path}: ${describeTarget(target)} is asked for in namespace ${metadata.namespace ?? ''}, expected ${home}`
    if (target.uid === undefined && verb !== 'launch')
      return `${path}.uid: nothing, expected the UID of the ${target.kind} that is meant`
  }
  if (verb !== 'evict' && verb !== 'drain' && kinds !== undefined && targets.length > 1)
    return `spec.targets: ${targets.length}, expected one for verb ${verb}`
  if (verb === 'evict' && targets.length > mostEvicted)
    return `spec.targets: ${targets.length}, expected at most ${mostEvicted} for verb evict`
  if (verb === 'scale' && spec.replicas === undefined) return 'spec.replicas: nothing, expected how many are wanted'
  return undefined
}

function workloadOf({ verb, targets }: DisruptionPermit['spec'], state: ClusterState): WorkloadReference | undefined | 'several' {
  const [first] = targets
  if (first === undefined || kindsOfVerb[verb] === undefined || verb === 'drain' || verb === 'taint') return undefined
  if (first.kind !== 'Pod') {
    const { apiVersion, kind, namespace = '', name, uid = '' } = first
    return { apiVersion, kind, namespace, name, uid }
  }
  const workloads = targets.flatMap(target => state.pods.get(targetKey(target))?.workload ?? [])
  const keys = new Set(workloads.map(workloadKey))
  return keys.size > 1 ? 'several' : workloads[0]
}

function disruptedBy(
  { verb, targets, change, replicas }: DisruptionPermit['spec'],
  workload: WorkloadReference | undefined,
  state: ClusterState,
): readonly PodState[] {
  const named = (target: Target) => {
    const pod = state.pods.get(targetKey(target))
    return pod?.uid === target.uid ? pod : undefined
  }
  switch (verb) {
    case 'evict':
      return targets.flatMap(target => named(target) ?? [])
    case 'restart':
      return workload === undefined ? [] : state.podsOf(workload.uid)
    case 'resize':
      return workload === undefined || change === undefined ? [] : state.podsOf(workload.uid)
    case 'scale':
      return workload === undefined || replicas !== 0 ? [] : state.podsOf(workload.uid)
    case 'drain':
      return targets.flatMap(target => (target.kind === 'Node' ? state.podsOn(target.name).filter(isTakenByDrain) : []))
    case 'terminate':
      return targets.flatMap(target => (target.kind === 'Node' ? state.podsOn(target.name) : []))
    case 'taint':
    case 'launch':
      return []
  }
}

function podTarget(pod: PodState): Target {
  return { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid }
}

/** Where the replacements fit, worked out one after the other on the cluster as it is; `undefined` where one fits nowhere. */
function proofFor(pods: readonly PodState[], { state, settings }: Context): FitProof | undefined {
  const placement = new Placement(state, settings)
  const standing = pods.filter(({ key }) => placement.nodeOf(key) !== undefined)
  const pending = standing.map(pod => placement.asPending(pod))
  for (const { key } of standing) placement.remove(key)
  const nodes = new Set<string>()
  for (const pod of pending) {
    const { landing } = placement.evaluate(pod)
    const [node] = landing
    if (node === undefined) return undefined
    for (const one of landing) nodes.add(one)
    placement.bind(pod, node)
  }
  return nodes.size === 0 ? undefined : { snapshotHash: '', nodes: [...nodes] }
}

function timeToLive(verb: Verb, workload: WorkloadReference | undefined, state: ClusterState): number {
  const isRollout = verb === 'restart' || verb === 'resize'
  const object: KubeObject | undefined =
    workload === undefined
      ? undefined
      : state.object(kindKey(workload.apiVersion, workload.kind), workload.namespace, workload.name)
  const spec: { readonly progressDeadlineSeconds?: unknown } =
    typeof object?.['spec'] === 'object' && object['spec'] !== null ? object['spec'] : {}
  const { progressDeadlineSeconds: seconds } = spec
  return isRollout && typeof seconds === 'number' ? seconds * 1000 + rolloutSlackMs : timeToLiveMs[verb]
}
