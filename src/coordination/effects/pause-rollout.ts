// A Deployment that stands still while its changes gather: paused with the time at which it was, and resumed by who paused it.
import type { Deployment } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict } from '#kube/objects/status.ts'
import type { Target } from '../intent.ts'
import type { Permission } from '../needs.ts'
import type { Permit } from '../permits/permit.ts'
import { type EffectContext, effectOptions, leadingGuard, permittedGuard } from './effect-context.ts'
import { type NotDone, notDoneBy } from './foreseen.ts'

/** The right to pause. */
export const pauseRolloutPermission: Permission = {
  groups: ['apps'],
  resources: ['deployments'],
  verbs: ['get', 'patch'],
  because: 'pauses a rollout while changes gather',
}

/** The right to resume. */
export const resumeRolloutPermission: Permission = { ...pauseRolloutPermission, because: 'resumes a rollout that it paused' }

/** What says that we paused it, and since when. */
interface PauseMark {
  /** Key of the annotation. */
  readonly annotation: string
}

type PauseOutcome =
  /** `object`: as the server has it now. */
  | { readonly kind: 'paused'; readonly object?: Deployment }
  /** By us, at the time that the annotation tells. */
  | { readonly kind: 'already-paused'; readonly since: string }
  /** By somebody who left no mark of ours: it is theirs to resume. */
  | { readonly kind: 'paused-by-other' }
  | NotDone

type ResumeOutcome =
  /** `object`: as the server has it now. */
  | { readonly kind: 'resumed'; readonly object?: Deployment }
  /** It is not paused, or not by us: nothing was written. */
  | { readonly kind: 'not-paused' }
  | NotDone

const conflictTries = 5

/**
 * Pauses `deployment` and notes `at` (RFC 3339) in the mark, on the version that was read. Safe to call twice.
 * @throws Error for an uncovered or expired permit, a lost Lease, and what the server did not foresee.
 */
export function pauseRollout(
  context: EffectContext,
  permit: Permit,
  pause: PauseMark & { readonly deployment: Target; readonly at: string },
  signal: AbortSignal,
): Promise<PauseOutcome> {
  return change<PauseOutcome>(context, permitted(context, permit, pause.deployment), signal, ({ metadata, spec }) => {
    const since = metadata.annotations?.[pause.annotation]
    if (spec.paused === true)
      return { outcome: since === undefined ? { kind: 'paused-by-other' } : { kind: 'already-paused', since } }
    return { outcome: { kind: 'paused' }, annotations: { [pause.annotation]: pause.at }, paused: true }
  })
}

/** Resumes what `pauseRollout` paused, and takes its mark away. Safe to call twice. @throws as `pauseRollout` does */
export function resumeRollout(
  context: EffectContext,
  permit: Permit,
  pause: PauseMark & { readonly deployment: Target },
  signal: AbortSignal,
): Promise<ResumeOutcome> {
  return change<ResumeOutcome>(context, permitted(context, permit, pause.deployment), signal, found => resumed(found, pause))
}

/**
 * The same for a Deployment at 0 replicas, without a permit: nothing of it runs that could be disturbed. One that has replicas by then is
 * refused. Safe to call twice. @throws Error for a lost Lease, and what the server did not foresee
 */
export function resumeAtRest(
  context: EffectContext,
  pause: PauseMark & { readonly deployment: Target },
  by: { readonly requester: string; readonly fieldManager: string },
  signal: AbortSignal,
): Promise<ResumeOutcome> {
  const deed = { deployment: pause.deployment, by, guarded: () => leadingGuard(context) }
  return change<ResumeOutcome>(context, deed, signal, found =>
    found.spec.replicas === 0
      ? resumed(found, pause)
      : { outcome: { kind: 'refused', message: 'it has replicas again: it is resumed with a permit' } },
  )
}

function resumed({ metadata, spec }: Deployment, { annotation }: PauseMark): Decided<ResumeOutcome> {
  if (spec.paused !== true || metadata.annotations?.[annotation] === undefined) return { outcome: { kind: 'not-paused' } }
  return { outcome: { kind: 'resumed' }, annotations: { [annotation]: null }, paused: false }
}

/** Who writes, and what must hold each time: asked before, and when the bytes leave. */
interface PauseDeed {
  readonly deployment: Target
  readonly by: Parameters<typeof effectOptions>[0]
  readonly guarded: () => () => void
}

function permitted(context: EffectContext, permit: Permit, deployment: Target): PauseDeed {
  return { deployment, by: permit.record, guarded: () => permittedGuard(context, permit, deployment) }
}

interface Decided<Outcome> {
  readonly outcome: Outcome
  /** Absent: nothing is to be written. */
  readonly paused?: boolean
  readonly annotations?: Readonly<Record<string, string | null>>
}

/** Reads, decides and writes on the version that was read; again where somebody else was faster. */
async function change<Outcome>(
  context: EffectContext,
  { deployment, by, guarded }: PauseDeed,
  signal: AbortSignal,
  decide: (found: Deployment) => Decided<Outcome>,
): Promise<Outcome | NotDone> {
  const deployments = context.api.resource<Deployment>(builtIn.deployments)
  const { namespace, name } = deployment
  for (let attempt = 1; ; attempt++) {
    const guard = guarded()
    try {
      const found = await deployments.get(name, { namespace, signal, priority: 'effect' })
      const { uid, resourceVersion } = found.metadata
      if (deployment.uid !== undefined && uid !== deployment.uid) return { kind: 'gone' }
      const { outcome, annotations, paused } = decide(found)
      if (paused === undefined) return outcome
      const body = { metadata: { uid, resourceVersion, annotations }, spec: { paused } }
      const options = effectOptions(by, namespace, { guard, signal })
      return { ...outcome, object: await deployments.patch(name, { type: 'strategic', body }, options) }
    } catch (error) {
      if (!isConflict(error) || attempt >= conflictTries) return notDoneBy(error)
    }
  }
}
