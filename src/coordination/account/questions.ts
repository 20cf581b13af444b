// What users want to know of a workload or node at this moment, posed as the intents that our capabilities would bring.

import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { UnlabelledOwner } from '#cluster/ownership.ts'
import type { Placement } from '#cluster/placement.ts'
import type { FitProof, Intent, Target } from '../intent.ts'
import { asking } from '../plans/names.ts'
import type { Subject } from './subject.ts'

export type QuestionName = 'move' | 'restart' | 'resize' | 'isolate' | 'drain' | 'taint'

export interface PosedQuestion {
  readonly name: QuestionName
  readonly intent: Intent
}

export interface QuestionContext {
  readonly state: ClusterState
  /** The pods as they stand: where a replacement would fit is tried on copies of it. */
  readonly placement: Placement
  readonly nowMs: number
  /** What the RebalancePolicy asks of moves. */
  readonly requirements: {
    readonly requireBudget: boolean
    readonly unlabelled: UnlabelledOwner
    readonly ignoreScalers: boolean
    /** And of an isolation. */
    readonly evictScaled: boolean
    readonly spareUnmanaged: boolean
  }
  /** A replacement is started before the pod goes. */
  readonly isSurge: (pod: PodState) => boolean
}

/** No wish of the account is ever late: a deadline of a year. */
const openEndMs = 365 * 86_400_000

/** The questions that make sense for `subject`; none for what does not run. */
export function questionsOn(subject: Subject, context: QuestionContext): readonly PosedQuestion[] {
  switch (subject.kind) {
    case 'workload': {
      const pods = context.state.podsOf(subject.workload.uid).filter(pod => !pod.isFinished)
      const pod =
        pods.find(({ key }) => key === subject.pod) ??
        pods.find(({ isReady, nodeName }) => isReady && nodeName !== undefined) ??
        pods[0]
      return onWorkload(subject, pod, context)
    }
    case 'pod': {
      const pod = context.state.pods.get(`${subject.namespace}/${subject.name}`)
      return pod === undefined ? [] : onPod(pod, undefined, context)
    }
    case 'node':
      return onNode(subject.name, context)
    case 'plan':
    case 'policy':
      return []
  }
}

type WorkloadSubject = Extract<Subject, { kind: 'workload' }>

function onWorkload(subject: WorkloadSubject, pod: PodState | undefined, context: QuestionContext): readonly PosedQuestion[] {
  if (subject.isGone) return []
  const { workload } = subject
  const target: Target = {
    apiVersion: workload.apiVersion,
    kind: workload.kind,
    namespace: workload.namespace,
    name: workload.name,
    ...(workload.uid === '' ? {} : { uid: workload.uid }),
  }
  const disrupts = pod === undefined ? [] : [targetOf(pod)]
  const rollsOut = rollingKinds.has(workload.kind)
  const rollouts = rollsOut
    ? [
        ask(
          'restart',
          {
            requester: 'reload',
            verb: 'restart',
            purpose: 'reload',
            class: 'correctness',
            targets: [target],
            workload,
            disrupts,
          },
          context,
        ),
        ask(
          'resize',
          { requester: 'rightsize', verb: 'resize', purpose: 'resize', class: 'cost', targets: [target], workload, disrupts },
          context,
        ),
      ]
    : []
  const [move, ...others] = pod === undefined ? [] : onPod(pod, workload, context, target)
  return [...(move === undefined ? [] : [move]), ...rollouts, ...others]
}

const rollingKinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet'])

/** Moving, isolating and draining its node, as they would come over one pod. */
function onPod(
  pod: PodState,
  workload: Intent['workload'],
  context: QuestionContext,
  rollout?: Target,
): readonly PosedQuestion[] {
  const target = targetOf(pod)
  const surges = rollout !== undefined && context.isSurge(pod)
  const away = proofOf(pod, { stays: false }, context)
  const proof = surges ? proofOf(pod, { stays: true }, context) : away
  const of = { workload, disrupts: [target] }
  const { requireBudget, unlabelled, ignoreScalers, evictScaled, spareUnmanaged } = context.requirements
  const node = pod.nodeName === undefined ? undefined : context.state.nodes.get(pod.nodeName)
  return [
    ask(
      'move',
      {
        ...of,
        ...asking.move,
        verb: surges ? 'restart' : 'evict',
        targets: [surges ? rollout : target],
        requireBudget,
        unlabelled,
        ignoreScalers,
        ...relocationOf(pod, proof),
        ...proof,
      },
      context,
    ),
    ask(
      'isolate',
      {
        ...of,
        requester: 'isolate',
        verb: 'evict',
        purpose: 'isolate',
        class: 'correctness',
        targets: [target],
        ignoreScalers,
        evictScaled,
        spareUnmanaged,
        ...away,
      },
      context,
    ),
    ...(node === undefined
      ? []
      : [
          ask(
            'drain',
            {
              ...of,
              requester: 'provision',
              verb: 'drain',
              purpose: 'drain',
              class: 'cost',
              targets: [{ apiVersion: 'v1', kind: 'Node', name: node.name, ...uidOf(node.object.metadata.uid) }],
              ...away,
            },
            context,
          ),
        ]),
  ]
}

function onNode(name: string, context: QuestionContext): readonly PosedQuestion[] {
  const node = context.state.nodes.get(name)
  if (node === undefined) return []
  const target: Target = { apiVersion: 'v1', kind: 'Node', name, ...uidOf(node.object.metadata.uid) }
  const leaving = context.state.podsOn(name).filter(pod => pod.workload !== undefined && pod.workload.kind !== 'DaemonSet')
  const proofs = leaving.map(pod => proofOf(pod, { stays: false }, context).proof)
  const nodes = proofs.every(proof => proof !== undefined) ? [...new Set(proofs.flatMap(proof => proof.nodes))].sort() : []
  return [
    ask(
      'drain',
      {
        requester: 'provision',
        verb: 'drain',
        purpose: 'drain',
        class: 'cost',
        targets: [target],
        workload: undefined,
        disrupts: leaving.map(targetOf),
        ...(nodes.length === 0 && leaving.length > 0
          ? {}
          : { proof: { snapshotHash: 'now', nodes: nodes.length === 0 ? ['none needed'] : nodes } }),
      },
      context,
    ),
    ask(
      'taint',
      {
        requester: 'isolate',
        verb: 'taint',
        purpose: 'isolate',
        class: 'correctness',
        targets: [target],
        workload: undefined,
        disrupts: [],
      },
      context,
    ),
  ]
}

/** A key that no wish has: the account never finds itself repeated. */
function ask(
  name: QuestionName,
  wish: Omit<Intent, 'reasons' | 'idempotencyKey' | 'deadlineMs' | 'timeToLiveMs'>,
  { nowMs }: QuestionContext,
): PosedQuestion {
  return {
    name,
    intent: {
      ...wish,
      reasons: [],
      idempotencyKey: `account/${name}/${nowMs}`,
      deadlineMs: nowMs + openEndMs,
      timeToLiveMs: 600_000,
    },
  }
}

/** The nodes other than its own on which a replacement of `pod` passes every filter now. */
function proofOf(
  pod: PodState,
  { stays }: { readonly stays: boolean },
  { placement }: QuestionContext,
): { readonly proof?: FitProof } {
  const trial = placement.fork()
  const replacement = trial.asPending(pod)
  if (!stays && trial.nodeOf(pod.key) !== undefined) trial.remove(pod.key)
  const fits = trial.fitting(replacement)
  const nodes = trial.nodes.filter(node => node !== pod.nodeName && fits(node).kind === 'feasible')
  return nodes.length === 0 ? {} : { proof: { snapshotHash: 'now', nodes } }
}

/** Where it fits on one node only, that is where it would go; of several nobody has chosen yet. */
function relocationOf(pod: PodState, { proof }: { readonly proof?: FitProof }): Pick<Intent, 'relocation'> {
  const [to, ...others] = proof?.nodes ?? []
  if (pod.nodeName === undefined || to === undefined || others.length > 0) return {}
  return { relocation: { from: pod.nodeName, to: [to] } }
}

function targetOf(pod: PodState): Target {
  return { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid }
}

function uidOf(uid: string | undefined): { readonly uid?: string } {
  return uid === undefined ? {} : { uid }
}
