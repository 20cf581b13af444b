// How the sources of a picture stand: who was heard when, and what may not be read.
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Source } from '../contract.ts'
import type { TwinPicture } from '../picture.ts'
import { sourceLimits, sourceOf, sourceOff } from '../views/sources.ts'
import { speedOf } from '../views/twin-clock.ts'
import { lacksRight } from '../words/en-actions.ts'
import { rfc3339 } from '../words/time.ts'
import { mostPodsMeasured, type UsageAnswer } from './usage-poll.ts'

interface Heard {
  /** The cluster's time, in milliseconds since 1970, and of `elapsed()`. */
  readonly nowMs: number
  readonly elapsed: number
}

/** The moment of a source that is heard all the time moves in steps of this length, because each step is a change. */
const stepMs = 10_000

/** When usage was told last is told by seconds, also of what fails since. */
const secondMs = 1_000

interface StatesOptions {
  readonly clock: Clock
  readonly mode: 'twin' | 'cluster'
  readonly informers: readonly Informer<KubeObject>[]
  readonly permits: Informer<KubeObject>
  readonly usage: () => UsageAnswer
}

/** All sources of a picture. */
export class SourceStates {
  readonly #options: StatesOptions
  /** As they were told last. */
  last: readonly Source[] = []

  constructor(options: StatesOptions) {
    this.#options = options
  }

  /** The same value while they stand as they stood. */
  now(nowMs: number, twin: TwinPicture | undefined): readonly Source[] {
    const { clock, mode, informers, permits, usage } = this.#options
    const heard = { nowMs, elapsed: clock.elapsed() }
    const answer = usage()
    const isFast = mode === 'twin' && twin?.clock !== undefined && speedOf({ twin }) !== 1
    const api = apiSource(informers, { ...heard, isFast, answeredElapsed: answer.answeredElapsed })
    const sources = [
      api,
      metricsSource(answer, heard),
      ...podUseSources(answer),
      ledgerSource(permits, api),
      ...deniedSources(informers.filter(informer => informer !== permits)),
    ]
    if (JSON.stringify(sources) !== JSON.stringify(this.last)) this.last = sources
    return this.last
  }
}

/** What is watched tells of each change, where nothing changes by bookmarks; `answeredElapsed`: when usage was told last. */
function apiSource(
  informers: readonly Informer<KubeObject>[],
  heard: Heard & { readonly isFast: boolean; readonly answeredElapsed: number | undefined },
): Source {
  const { nowMs, elapsed, isFast, answeredElapsed = Number.NEGATIVE_INFINITY } = heard
  const failing = informers.find(({ state }) => state === 'failing')
  const trouble = failing?.problem === undefined ? {} : { trouble: failing.problem }
  if (!informers.some(({ isSynced }) => isSynced)) return sourceOf({ name: 'api', lastMs: undefined, nowMs, ...trouble })
  const lastElapsed = informers.reduce((last, { lastEventElapsed }) => Math.max(last, lastEventElapsed), answeredElapsed)
  const silentMs = Math.max(0, elapsed - lastElapsed)
  // Where time runs faster than ours nothing may be said for long, and nothing is wrong: then a broken watch has to tell.
  const isSilent = silentMs > sourceLimits.api && (!isFast || failing !== undefined)
  const ageMs = isSilent ? silentMs : Math.min(silentMs, sourceLimits.api - stepMs)
  const source = sourceOf({ name: 'api', lastMs: nowMs - ageMs, nowMs, ...trouble })
  return isSilent ? source : { ...source, lastAt: rfc3339(Math.floor((nowMs - ageMs) / stepMs) * stepMs) }
}

/** Usage: asked for now and then, so that its age is counted from the last answer. */
export function metricsSource({ answeredElapsed, trouble }: UsageAnswer, { nowMs, elapsed }: Heard): Source {
  if (trouble?.kind === 'absent') return sourceOff('metrics', 'metrics.k8s.io is not served here')
  if (trouble?.kind === 'denied') {
    const because = lacksRight({ verb: 'list', resource: 'nodes', group: 'metrics.k8s.io' })
    return { ...sourceOff('metrics', because), state: 'down' }
  }
  if (answeredElapsed === undefined) return sourceOf({ name: 'metrics', lastMs: undefined, nowMs })
  // While it answers, the time between two questions is no silence, however fast the cluster's time runs.
  const lastMs = Math.floor((nowMs - (elapsed - answeredElapsed)) / secondMs) * secondMs
  if (trouble !== undefined) return sourceOf({ name: 'metrics', lastMs, nowMs })
  return { ...sourceOf({ name: 'metrics', lastMs: nowMs, nowMs }), lastAt: rfc3339(Math.round(lastMs / 1_000) * 1_000) }
}

/** Said where the use of nodes is asked for and that of single pods is not. */
function podUseSources({ isWithoutPods }: Pick<UsageAnswer, 'isWithoutPods'>): readonly Source[] {
  const because = `The use of single pods is not asked for where there are more than ${mostPodsMeasured}`
  return isWithoutPods ? [sourceOff('pod-metrics', because)] : []
}

/** The permits: their watch. */
function ledgerSource(permits: Informer<KubeObject>, api: Source): Source {
  const { state, problem } = permits
  if (state === 'denied') return { ...sourceOff('ledger', deniedSentence(permits)), state: 'down' }
  if (state === 'absent') return sourceOff('ledger', "Ballast's kinds are not installed here")
  if (state === 'failing' && !permits.isSynced) return { ...sourceOff('ledger', problem ?? 'it cannot be read'), state: 'down' }
  return { ...api, name: 'ledger', limitMs: sourceLimits.ledger }
}

/** Kinds that may not be read, each as a source of its own. */
function deniedSources(informers: readonly Informer<KubeObject>[]): readonly Source[] {
  return informers
    .filter(({ state }) => state === 'denied')
    .map(informer => ({ ...sourceOff(informer.resource.resource, deniedSentence(informer)), state: 'down' as const }))
}

function deniedSentence({ resource: { resource, group } }: Informer<KubeObject>): string {
  return lacksRight({ verb: 'list', resource, group })
}
