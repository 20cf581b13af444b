// How the sources of a picture stand: who was heard when, and what may not be read.
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Lease } from '#kube/leases/lease-record.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Source } from '../contract.ts'
import type { TwinPicture } from '../picture.ts'
import { sourceLimits, sourceOf, sourceOff } from '../views/sources.ts'
import { speedOf } from '../views/twin-clock.ts'
import { lacksRight } from '../words/en-actions.ts'
import { kindSilent, kindUnread, nobodyHolds, onlyNamespacesShown } from '../words/en-verdict.ts'
import { rfc3339 } from '../words/time.ts'
import { troubleWords } from '../words/trouble.ts'
import { mostPodsMeasured, type UsageAnswer } from './usage-poll.ts'

/** The Lease of the controller, in Ballast's own namespace. */
const controllerLease = 'ballast-controller'

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
  readonly leases: Informer<Lease>
  /** Ballast's own. */
  readonly ownNamespace: string
  /** All that is watched of what lies in namespaces; undefined: all namespaces. */
  readonly onlyNamespaces?: readonly string[] | undefined
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
    const { clock, mode, informers, permits, leases, ownNamespace, onlyNamespaces, usage } = this.#options
    const heard = { nowMs, elapsed: clock.elapsed() }
    const answer = usage()
    const isFast = mode === 'twin' && twin?.clock !== undefined && speedOf({ twin }) !== 1
    const api = apiSource(informers, { ...heard, isFast, answeredElapsed: answer.answeredElapsed })
    const ledger = ledgerSource(permits, api)
    const sources = [
      api,
      metricsSource(answer, heard),
      ...podUseSources(answer),
      ledger,
      ...(onlyNamespaces === undefined ? [] : [otherNamespaces(onlyNamespaces)]),
      // Who shows a twin runs the controller of it, too, and at another pace Leases tell nothing.
      ...(mode === 'twin' || !leases.isSynced
        ? []
        : [controllerSource(leases.store.get(ownNamespace, controllerLease), { api, ledger, nowMs, ownNamespace })]),
      ...kindSources(
        informers.filter(informer => informer !== permits),
        { api, ...heard },
      ),
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
  const trouble = failing?.problem === undefined ? {} : { trouble: troubleWords(failing.problem) }
  if (!informers.some(({ isSynced }) => isSynced)) {
    const refuses = failing === undefined && informers.some(({ state }) => state === 'denied')
    // Who refuses everything answers all the same.
    return sourceOf({ name: 'api', lastMs: refuses ? nowMs - (nowMs % stepMs) : undefined, nowMs, ...trouble })
  }
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

/** Said where some namespaces are all that may be seen. */
function otherNamespaces(only: readonly string[]): Source {
  return { ...sourceOff('other-namespaces', onlyNamespacesShown({ namespaces: only })), state: 'down' }
}

/** The permits: their watch. */
function ledgerSource(permits: Informer<KubeObject>, api: Source): Source {
  const { state, problem } = permits
  if (state === 'denied') return { ...sourceOff('ledger', deniedSentence(permits)), state: 'down' }
  if (state === 'absent') return sourceOff('ledger', "Ballast's kinds are not installed here")
  if (state === 'failing' && !permits.isSynced)
    return { ...sourceOff('ledger', problem === undefined ? 'it cannot be read' : troubleWords(problem)), state: 'down' }
  return { ...api, name: 'ledger', limitMs: sourceLimits.ledger }
}

/** Whether somebody leads, by the controller's Lease: what is planned, moved and restarted is by whoever does. */
export function controllerSource(
  lease: Pick<Lease, 'spec'> | undefined,
  {
    api,
    ledger,
    nowMs,
    ownNamespace,
  }: { readonly api: Source; readonly ledger: Source; readonly nowMs: number; readonly ownNamespace: string },
): Source {
  // Who does not answer says nothing of the Lease either.
  if (api.state !== 'live') return { ...api, name: 'controller' }
  const { holderIdentity = '', renewTime = '', leaseDurationSeconds = 0 } = lease?.spec ?? {}
  const renewedMs = Date.parse(renewTime)
  const limitMs = leaseDurationSeconds * 1_000
  if (holderIdentity !== '' && nowMs <= renewedMs + limitMs + leaseGraceMs) {
    const lastAt = rfc3339(Math.floor(Math.min(nowMs, renewedMs) / stepMs) * stepMs)
    return { name: 'controller', state: 'live', lastAt, limitMs, because: null }
  }
  const because = nobodyHolds({ lease: controllerLease, namespace: ownNamespace })
  const lastAt = Number.isNaN(renewedMs) ? null : rfc3339(renewedMs)
  // Where Ballast was never installed nobody misses it.
  return { ...sourceOff('controller', because), lastAt, state: ledger.state === 'off' ? 'off' : 'down' }
}

/** What the cluster's clock and ours may differ by, and a watch may be late, before a Lease counts as run out. */
const leaseGraceMs = 10_000

type Watched = Pick<Informer<KubeObject>, 'resource' | 'state' | 'problem' | 'isSynced' | 'lastEventElapsed'>

/** Kinds of which nothing is known, or nothing new while others are heard: each as a source of its own, called as in the API. */
export function kindSources(
  informers: readonly Watched[],
  { api, nowMs, elapsed }: Heard & { readonly api: Source },
): readonly Source[] {
  const all = informers.flatMap((informer): readonly Source[] => {
    const { state, problem, isSynced, lastEventElapsed } = informer
    const { resource: kind } = informer.resource
    if (state === 'denied') return [{ ...sourceOff(kind, deniedSentence(informer)), state: 'down' }]
    if (state !== 'failing') return []
    const why = problem === undefined ? 'nothing says why' : troubleWords(problem)
    if (!isSynced) return [{ ...sourceOff(kind, kindUnread({ kind, why })), state: 'down' }]
    const forMs = elapsed - lastEventElapsed
    const source = sourceOf({ name: kind, lastMs: nowMs - forMs, nowMs })
    return source.state === 'live' || api.state !== 'live' ? [] : [{ ...source, because: kindSilent({ kind, forMs, why }) }]
  })
  // A kind that is watched in several namespaces is told once.
  return all.filter((source, index) => all.findIndex(({ name }) => name === source.name) === index)
}

function deniedSentence({ resource: { resource, group } }: Pick<Informer<KubeObject>, 'resource'>): string {
  return lacksRight({ verb: 'list', resource, group })
}
