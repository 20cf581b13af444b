// What users want to know of a workload or node at this moment, posed as the intents that capabilities would bring.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { Placement } from '#cluster/placement.ts'
import type { Intent, Target } from '../intent.ts'
import type { AskedNode, AskedPod, Asker, CapabilityQuestion, Fit, Requirements } from './asker.ts'
import type { Subject } from './subject.ts'

export interface PosedQuestion {
  readonly name: string
  readonly words: string
  readonly intent: Intent
}

export interface QuestionContext {
  readonly state: ClusterState
  /** The pods as they stand: where a replacement would fit is tried on copies of it. */
  readonly placement: Placement
  readonly nowMs: number
  readonly requirements: Requirements
  /** A replacement is started before the pod goes. */
  readonly isSurge: (pod: PodState) => boolean
  readonly askers: readonly Asker[]
}

/** No wish of the account is ever late: a deadline of a year. */
const openEndMs = 365 * 86_400_000

/** What capabilities would ask that this program does not have yet: the arbiter knows their verbs. */
const absentAskers: readonly Asker[] = [
  {
    name: 'rightsize',
    questions: [
      {
        name: 'resize',
        words: 'resize it',
        place: 3,
        about: 'rollout',
        wish: () => ({ verb: 'resize', purpose: 'resize', class: 'cost' }),
      },
    ],
  },
  {
    name: 'provision',
    questions: [
      {
        name: 'drain',
        words: 'drain its node',
        place: 5,
        about: 'pod',
        wish: ({ node, places }) =>
          node && { verb: 'drain', purpose: 'drain', class: 'cost', targets: [node], ...places({ stays: false }) },
      },
      {
        name: 'drain',
        words: 'drain it',
        place: 5,
        about: 'node',
        wish: ({ leaving, places }) => ({ verb: 'drain', purpose: 'drain', class: 'cost', disrupts: leaving, ...places() }),
      },
    ],
  },
]

/** The questions that make sense for `subject`; none for what does not run. */
export function questionsOn(subject: Subject, context: QuestionContext): readonly PosedQuestion[] {
  return posedOn(subject, context)
    .toSorted((a, b) => a.place - b.place)
    .map(({ name, words, intent }) => ({ name, words, intent }))
}

type Placed = PosedQuestion & { readonly place: number }

function posedOn(subject: Subject, context: QuestionContext): readonly Placed[] {
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

function onWorkload(subject: WorkloadSubject, pod: PodState | undefined, context: QuestionContext): readonly Placed[] {
  if (subject.isGone) return []
  const { workload } = subject
  const { apiVersion, kind, namespace, name, uid } = workload
  const target: Target = { apiVersion, kind, namespace, name, ...(uid === '' ? {} : { uid }) }
  const disrupts = pod === undefined ? [] : [targetOf(pod)]
  const rollouts = rollingKinds.has(kind)
    ? posed(context, { targets: [target], workload, disrupts }, one => (one.about === 'rollout' ? one.wish() : undefined))
    : []
  return [...rollouts, ...(pod === undefined ? [] : onPod(pod, workload, context, target))]
}

const rollingKinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet'])

/** What would come over one pod, and over its node because of it. */
function onPod(pod: PodState, workload: Intent['workload'], context: QuestionContext, rollout?: Target): readonly Placed[] {
  const target = targetOf(pod)
  const { requirements, state, isSurge } = context
  const node = pod.nodeName === undefined ? undefined : state.nodes.get(pod.nodeName)
  const asked: AskedPod = {
    pod,
    surging: rollout !== undefined && isSurge(pod) ? rollout : undefined,
    node: node && nodeTarget(node.name, node.object.metadata.uid),
    requirements,
    places: given => fitOf(pod, given, context),
  }
  return posed(context, { targets: [target], workload, disrupts: [target] }, one =>
    one.about === 'pod' ? one.wish(asked) : undefined,
  )
}

function onNode(name: string, context: QuestionContext): readonly Placed[] {
  const node = context.state.nodes.get(name)
  if (node === undefined) return []
  const leaving = context.state.podsOn(name).filter(pod => pod.workload !== undefined && pod.workload.kind !== 'DaemonSet')
  const asked: AskedNode = { leaving: leaving.map(targetOf), places: () => fitOfAll(leaving, context) }
  const about = { targets: [nodeTarget(name, node.object.metadata.uid)], workload: undefined, disrupts: [] }
  return posed(context, about, one => (one.about === 'node' ? one.wish(asked) : undefined))
}

/** The questions of all that `wishOf` answers for. A key that no wish has: the account never finds itself repeated. */
function posed(
  { nowMs, askers }: QuestionContext,
  about: Pick<Intent, 'targets' | 'workload' | 'disrupts'>,
  wishOf: (question: CapabilityQuestion) => ReturnType<CapabilityQuestion['wish']>,
): readonly Placed[] {
  return [...askers, ...absentAskers].flatMap(({ name: requester, questions = [] }) =>
    questions.flatMap(question => {
      const wish = wishOf(question)
      if (wish === undefined) return []
      const { name, words, place } = question
      const intent = {
        requester,
        ...about,
        reasons: [],
        idempotencyKey: `account/${name}/${nowMs}`,
        deadlineMs: nowMs + openEndMs,
        timeToLiveMs: 600_000,
        ...wish,
      }
      return [{ name, words, place, intent }]
    }),
  )
}

/** The nodes other than its own on which a replacement of `pod` passes every filter now. */
function fitOf(pod: PodState, { stays }: { readonly stays: boolean }, { placement }: QuestionContext): Fit {
  const trial = placement.fork()
  const replacement = trial.asPending(pod)
  if (!stays && trial.nodeOf(pod.key) !== undefined) trial.remove(pod.key)
  const fits = trial.fitting(replacement)
  const nodes = trial.nodes.filter(node => node !== pod.nodeName && fits(node).kind === 'feasible')
  return nodes.length === 0 ? {} : { proof: { snapshotHash: 'now', nodes } }
}

function fitOfAll(pods: readonly PodState[], context: QuestionContext): Fit {
  if (pods.length === 0) return { proof: { snapshotHash: 'now', nodes: ['none needed'] } }
  const proofs = pods.map(pod => fitOf(pod, { stays: false }, context).proof)
  const nodes = proofs.every(proof => proof !== undefined) ? [...new Set(proofs.flatMap(proof => proof.nodes))].sort() : []
  return nodes.length === 0 ? {} : { proof: { snapshotHash: 'now', nodes } }
}

function targetOf(pod: PodState): Target {
  return { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid }
}

function nodeTarget(name: string, uid: string | undefined): Target {
  return { apiVersion: 'v1', kind: 'Node', name, ...(uid === undefined ? {} : { uid }) }
}
