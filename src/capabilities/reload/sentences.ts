// What became of a source or of a workload, as sentences for people: the same in Events, logs and `ballast why`.
import { formatDurationMs } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import type { SourceOutcome } from './sources/source-plan.ts'
import type { SourceReference, SourceType } from './sources/source-state.ts'
import type { DecisionCode } from './workloads/decision.ts'
import type { WorkloadFacts } from './workloads/workload-facts.ts'
import type { PlannedAction, ReloadWay } from './workloads/workload-plan.ts'

const kindsOfTypes: Readonly<Record<SourceType, string>> = {
  configmap: 'ConfigMap',
  secret: 'Secret',
  secretproviderclass: 'SecretProviderClass',
}

/** `ConfigMap shop/settings`. */
export function describeSource({ type, namespace, name }: SourceReference): string {
  return `${kindsOfTypes[type]} ${namespace}/${name}`
}

/** What became of one source, in one sentence. */
export function outcomeSentence(outcome: SourceOutcome): string {
  const source = describeSource(outcome.source)
  const { code, decision, by } = outcome
  switch (code) {
    case 'left-alone':
      return `${source} does not reload it: ${decisionClause(decision, by)}.`
    case 'unread':
      return `${source} has not been read yet.`
    case 'unchanged':
      return `${source} is as it was when the workload last took notice of it.`
    case 'first-seen':
      return `${source} is seen for the first time: its content is remembered, nothing is reloaded.`
    case 'created':
      return `${source} was created; reloadOnCreate is off, its content is remembered.`
    case 'deleted':
      return `${source} was deleted; reloadOnDelete is off, its absence is remembered.`
    case 'recreated':
      return `${source} was deleted and created again; reloadOnCreate is off, its content is remembered.`
    case 'versioned':
      return `${source} is one version of kapp's: the reference changes with each, which rolls the workload out by itself.`
    case 'unused-keys':
      return `${source} changed in keys that the template does not use.`
    case 'not-used':
      return `${source} changed, but no container uses it.`
    case 'already-written':
      return `${source} changed, and the template says so already.`
    case 'already-rolled':
      return `${source} changed before the workload was last rolled out: its pods have the new content.`
    case 'kind-left-alone':
      return `${source} changed; CronJobs that are suspended or say so, Jobs that are over and Jobs of CronJobs are left alone.`
    case 'changed':
      return `${source} ${eventWord(outcome)}, and the workload takes it: ${decisionClause(decision, by)}.`
  }
}

function eventWord({ event }: SourceOutcome): string {
  return event === 'create' ? 'was created' : event === 'delete' ? 'was deleted' : 'changed'
}

/** Why a source counts for a workload, or does not: the end of a sentence. */
export function decisionClause(code: DecisionCode, by?: string): string {
  switch (code) {
    case 'named':
      return `an annotation names it${by === undefined ? '' : ` (${by})`}`
    case 'searched':
      return 'it carries the annotation that workloads in search mode look for'
    case 'auto':
      return 'an annotation asks for reloads on anything that it uses'
    case 'auto-all':
      return 'autoReloadAll asks for reloads on anything that workloads use'
    case 'kind-ignored':
      return 'workloads of this kind are ignored by the configuration'
    case 'source-ignored':
      return 'its own annotation says that it is to be ignored'
    case 'excluded':
      return 'the workload excludes it'
    case 'without-consent':
      return `it is of another namespace and does not allow this one (ballast.dev/reload-allow-namespaces)`
    case 'not-selected':
      return 'no annotation of the workload asks for it'
  }
}

const doings: Readonly<Record<ReloadWay, string>> = {
  patch: 'its pod template is changed',
  'trigger-job': 'a Job is started from it',
  'replace-job': 'it is deleted and created again',
  'restart-at': 'it is restarted',
  'pause-then-patch': 'it is paused, and its pod template is changed',
  evict: 'its pods are evicted',
}

/** What happens to the workload now, in one sentence. */
export function actionSentence(workload: Pick<WorkloadFacts, 'kind' | 'namespace' | 'name'>, action: PlannedAction): string {
  const name = `${workload.kind} ${workload.namespace}/${workload.name}`
  switch (action.kind) {
    case 'none':
      return `${name}: nothing to do.`
    case 'record-only':
      return `${name}: what changed is remembered, nothing is reloaded.`
    case 'wait':
      return `${name} waits ${waitClause(action)} for ${listOf(action.sources)}.`
    case 'act': {
      const pause = action.pauseMs === undefined ? '' : ` (pause of ${formatDurationMs(action.pauseMs)})`
      const because = action.isRevoked ? 'must not be used any more as it was' : 'changed'
      return `${name}: ${doings[action.way]}${pause}, because ${listOf(action.sources)} ${because}.`
    }
  }
}

function waitClause({ why, untilMs }: Extract<PlannedAction, { readonly kind: 'wait' }>): string {
  const until = Number.isFinite(untilMs) ? `until ${formatTime(untilMs)}` : 'without end'
  switch (why) {
    case 'debounce':
      return `${until} for further changes`
    case 'window':
      return `${until} (for its reload window)`
    case 'rate-guard':
      return `${until}, because it was rolled out so often,`
  }
}

/** At most three by name. */
function listOf(sources: readonly SourceReference[]): string {
  const [named, others] = [sources.slice(0, 3).map(describeSource), sources.length - 3]
  return others > 0 ? `${named.join(', ')} and ${others} more` : named.join(' and ')
}
