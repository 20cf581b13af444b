// What an isolation says of itself: the status of its policy, and an event where that changed.
import { isDeepStrictEqual } from 'node:util'
import type { IsolationStatus, RebalancePolicy } from '#coordination/api.ts'
import { withCondition } from '#coordination/plans/plan-progress.ts'
import type { Policies } from '#coordination/plans/plan-store.ts'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Condition } from '#kube/objects/objects.ts'
import type { StageRow } from '#planning/isolation/rows.ts'
import type { IsolationSurvey } from '#planning/isolation/survey.ts'
import type { Situation } from './situation.ts'

const mostRows = 256

interface ReportOptions {
  readonly policies: Policies
  readonly events: EventRecorder
  readonly clock: Clock
}

const alarming: ReadonlySet<IsolationStatus['phase']> = new Set(['Blocked', 'Paused'])

export class IsolationReport {
  readonly #options: ReportOptions

  constructor(options: ReportOptions) {
    this.#options = options
  }

  /** Writes `isolation` where it says something new; another stage or phase is an event too. @returns the policy as it is stored */
  async write(policy: RebalancePolicy, isolation: IsolationStatus, signal: AbortSignal): Promise<RebalancePolicy> {
    const { policies } = this.#options
    const whole: IsolationStatus = {
      ...isolation,
      ...(isolation.blocked === undefined ? {} : { blocked: isolation.blocked.slice(0, mostRows).map(fitting) }),
      ...(isolation.warnings === undefined ? {} : { warnings: isolation.warnings.slice(0, mostRows).map(fitting) }),
      undo: isolation.undo.slice(0, mostRows),
    }
    const before = policies.get(policy.metadata.name)?.status?.isolation
    if (isDeepStrictEqual(before, whole)) return policy
    const stored = await policies.setStatus(policy, status => ({ ...status, isolation: whole }), signal)
    if (before?.stage !== whole.stage || before.phase !== whole.phase) this.#tell(policy, whole)
    for (const warning of whole.warnings ?? [])
      if (before?.warnings?.some(({ subject }) => subject === warning.subject) !== true) this.#warn(policy, warning)
    return stored.status === undefined ? policy : { ...policy, status: stored.status }
  }

  /** `Tolerations`, `Tainted` and `Isolated` as they are now; each keeps the time since when. */
  conditions(
    before: readonly Condition[] | undefined,
    now: { readonly survey: IsolationSurvey; readonly situation: Situation },
  ): readonly Condition[] {
    const { survey, situation } = now
    const nowMs = this.#options.clock.now()
    const lacking = survey.core.filter(({ isTolerant }) => !isTolerant).length
    const isTainted = survey.rules.nodes.length > 0 && survey.untainted.length === 0
    const isIsolated = situation.stage === 'Verify' && situation.phase === 'Verified'
    const conditions: readonly Condition[] = [
      {
        type: 'Tolerations',
        status: lacking === 0 ? 'True' : 'False',
        reason: lacking === 0 ? 'AllTolerate' : 'Missing',
        message: `${survey.core.length - lacking} of ${survey.core.length} core workloads tolerate the taint`,
      },
      {
        type: 'Tainted',
        status: isTainted ? 'True' : 'False',
        reason: isTainted ? 'TaintSeen' : 'TaintMissing',
        message: isTainted ? 'all isolated nodes carry the taint' : `missing on ${survey.untainted.join(', ')}`,
      },
      {
        type: 'Isolated',
        status: isIsolated ? 'True' : 'False',
        reason: isIsolated ? 'Verified' : `${situation.stage}${situation.phase}`,
        message: isIsolated ? 'no pod is left that is not core' : `stage ${situation.stage}`,
      },
    ]
    return conditions.reduce((all, condition) => withCondition(all, condition, nowMs), before ?? [])
  }

  #tell(policy: RebalancePolicy, { stage, phase, message }: IsolationStatus): void {
    this.#options.events.emit({
      type: alarming.has(phase) ? 'Warning' : 'Normal',
      reason: `Isolation${phase}`,
      action: 'Isolate',
      regarding: referenceOf(policy),
      note: `stage ${stage}: ${message}`.slice(0, 1024),
      controller: 'ballast.dev/isolate',
    })
  }

  #warn(policy: RebalancePolicy, { subject, reason, message }: StageRow): void {
    this.#options.events.emit({
      type: 'Warning',
      reason: 'IsolationWarning',
      action: 'Isolate',
      regarding: referenceOf(policy),
      note: `${subject}: ${message} [${reason}]`.slice(0, 1024),
      controller: 'ballast.dev/isolate',
    })
  }
}

function referenceOf({ apiVersion, kind, metadata }: RebalancePolicy) {
  const { name, uid } = metadata
  return { apiVersion, kind, name, ...(uid === undefined ? {} : { uid }) }
}

function fitting({ subject, reason, message, remedy }: StageRow): StageRow {
  return {
    subject: subject.slice(0, 600),
    reason: reason.slice(0, 300),
    message: message.slice(0, 1024),
    ...(remedy === undefined ? {} : { remedy: remedy.slice(0, 4096) }),
  }
}
