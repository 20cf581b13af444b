// A grant as the DisruptionPermit object that is written for it.
import { workloadKey } from '#planning/goals/policy.ts'
import { ballastApiVersion, type DisruptionPermit } from '../api.ts'
import { objectionSentence } from '../arbiter/sentences.ts'
import { type Intent, targetKey } from '../intent.ts'
import type { Verdict } from '../policy/question.ts'
import { leaderEpochAnnotation } from './permit-record.ts'

export interface GrantContext {
  /** UIDs of the workload's pods, newest first. */
  readonly siblings: readonly string[]
  /** Nodes that lose pods by it. */
  readonly nodes: readonly string[]
  /** Wishes that go along with it, as the permit is to say it. */
  readonly joined: readonly JoinedSpec[]
  readonly nowMs: number
}

export type JoinedSpec = DisruptionPermit['spec']['joined'][number]

const siblingLimit = 50

/** The permit of `intent`, named so that no two are alike, because tokens rise. */
export function permitObject(
  intent: Intent,
  verdict: Verdict & { kind: 'grant' },
  context: GrantContext & { readonly token: number; readonly epoch: number; readonly namespace: string },
): DisruptionPermit {
  const { nowMs, token, epoch } = context
  return {
    apiVersion: ballastApiVersion,
    kind: 'DisruptionPermit',
    metadata: {
      name: permitName(intent, token),
      namespace: intent.targets[0]?.namespace ?? context.namespace,
      labels: { 'ballast.dev/managed': 'true', 'ballast.dev/capability': intent.requester },
      annotations: { [leaderEpochAnnotation]: String(epoch) },
    },
    spec: {
      ...wishOf(intent),
      targets: intent.targets.map(target => ({ ...target })),
      ...(intent.workload === undefined ? {} : { workload: workloadKey(intent.workload) }),
      ...(intent.batch === undefined ? {} : { batch: intent.batch }),
      ...(intent.replicas === undefined ? {} : { replicas: intent.replicas }),
      ...(intent.fieldManager === undefined ? {} : { fieldManager: intent.fieldManager }),
      nodes: [...context.nodes],
      joined: [...context.joined],
      deadline: new Date(intent.deadlineMs).toISOString(),
      siblings: context.siblings.slice(0, siblingLimit),
      grant: grantOf(intent, verdict, { nowMs, token }),
    },
  }
}

/** A request of another process with what the arbiter adds when it grants it. */
export function grantedRequest(request: DisruptionPermit, { metadata, spec }: DisruptionPermit): DisruptionPermit {
  const { workload, nodes, joined, siblings, grant } = spec
  const { resourceVersion: _, ...kept } = request.metadata
  return {
    ...request,
    metadata: { ...kept, annotations: { ...kept.annotations, ...metadata.annotations } },
    spec: {
      ...request.spec,
      ...(workload === undefined ? {} : { workload }),
      nodes,
      joined,
      siblings,
      ...(grant === undefined ? {} : { grant }),
    },
  }
}

function grantOf(
  intent: Pick<Intent, 'timeToLiveMs'>,
  { wouldBe }: Verdict & { kind: 'grant' },
  { nowMs, token }: { readonly nowMs: number; readonly token: number },
): NonNullable<DisruptionPermit['spec']['grant']> {
  return {
    token,
    at: new Date(nowMs).toISOString(),
    expiresAt: new Date(nowMs + intent.timeToLiveMs).toISOString(),
    ...(wouldBe === undefined
      ? {}
      : {
          wouldBe: {
            decision: wouldBe.decision,
            rule: wouldBe.objection.rule,
            message: objectionSentence(wouldBe.objection).slice(0, 1024),
          },
        }),
  }
}

/** What a permit says of a wish, its own or one that goes along. */
export function wishOf(intent: Intent): JoinedSpec {
  return {
    requester: intent.requester,
    class: intent.class,
    verb: intent.verb,
    purpose: intent.purpose,
    reasons: intent.reasons.map(reason => ({
      code: reason.code,
      message: reason.message,
      ...(reason.data === undefined ? {} : { data: { ...reason.data } }),
    })),
    idempotencyKey: intent.idempotencyKey,
    ...(intent.change === undefined ? {} : { change: intent.change }),
    ...(intent.mark === undefined ? {} : { mark: intent.mark }),
    ...(intent.relocation === undefined ? {} : { relocation: intent.relocation }),
  }
}

/** `evict-cart-7c9f-2000017`. */
function permitName(intent: Intent, token: number): string {
  const [first] = intent.targets
  const subject = first === undefined ? intent.requester : targetKey({ name: first.name })
  return `${intent.verb}-${subject.slice(0, 200)}-${token}`
}
