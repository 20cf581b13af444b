// The wishes of a recorded upstream, asked of the real arbiter by a requester in its place, in each mode; and the table of what a user
// who swaps the upstream for Ballast sees.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ArbitrationMode, arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import { parseWindow } from '#kube/time/window.ts'
import { controlledCluster, startMs } from './controlled-cluster.ts'
import { dropInCluster, dropInRevision, recommendations } from './drop-in-cluster.ts'
import { evictionRequester } from './requesters/evict.ts'
import { markedReloadRequester, markRotated } from './requesters/marked-reload.ts'
import type { Heard } from './requesters/wish-loop.ts'
import type { RecordedUpstream, UpstreamAct } from './upstream-disruptions.ts'

const fixtures = join(import.meta.dirname, 'fixtures', 'upstream-disruptions')

/** @throws Error for a recording of another revision of the cluster */
export function recordedUpstream(name: string): RecordedUpstream {
  const recorded = JSON.parse(readFileSync(join(fixtures, `${name}.json`), 'utf8')) as RecordedUpstream
  if (recorded.revision !== dropInRevision)
    throw new Error(`${name}.json: found revision ${recorded.revision}, expected ${dropInRevision}: record it again`)
  return recorded
}

/** What became of one act of the upstream. */
export interface Fate {
  /** Seconds after the wish; `undefined`: not within the time that it is followed. */
  readonly afterSeconds: number | undefined
  /** The arbiter's answers, each once: `granted`, `defer lock`, `deny owner`, … */
  readonly answers: readonly string[]
  /** How long a wish still waits at the end, in seconds after it was made. */
  readonly waitsSeconds?: number
}

export interface Replayed {
  readonly act: UpstreamAct
  /** Whether the upstream took a pod away by it. */
  readonly isUpstreamDone: boolean
  readonly modes: Readonly<Record<ArbitrationMode, Fate>>
}

const followedMs = { observe: 120_000, coordinate: 600_000, enforce: 1_200_000 }
/** What is done within this time is done at once: evictions and roll-outs have no exact time. */
export const atOnceSeconds = 5

/** Ballast's own settings, the same in each mode: another size that only saves is brought between five and six. */
const arbiter = { windows: { rightsize: [window('0 5 * * *;1h')] } }

function window(text: string) {
  const parsed = parseWindow(text)
  if (!parsed.ok) throw new Error(`${text} is no window`)
  return parsed.value
}

/** Each act of the upstream with its fate in each mode. */
export async function replay(name: string): Promise<readonly Replayed[]> {
  const recorded = recordedUpstream(name)
  const fates = {
    observe: await fatesIn('observe', recorded),
    coordinate: await fatesIn('coordinate', recorded),
    enforce: await fatesIn('enforce', recorded),
  }
  return recorded.acts.map((act, at) => ({
    act,
    // What has no pods loses none.
    isUpstreamDone: act.code < 300 && act.subject !== 'asleep',
    modes: { observe: fateAt(fates.observe, at), coordinate: fateAt(fates.coordinate, at), enforce: fateAt(fates.enforce, at) },
  }))
}

const fateAt = (fates: readonly Fate[], at: number): Fate => fates[at] ?? { afterSeconds: undefined, answers: [] }

function fatesIn(mode: ArbitrationMode, recorded: RecordedUpstream): Promise<readonly Fate[]> {
  return recorded.upstream === 'reloader' ? reloaded(mode, recorded) : evicted(mode, recorded)
}

async function reloaded(mode: ArbitrationMode, { acts }: RecordedUpstream): Promise<readonly Fate[]> {
  const heard: Heard[] = []
  await using cluster = await controlledCluster({
    objects: dropInCluster(startMs),
    capabilities: [markedReloadRequester({ hear: one => void heard.push(one) })],
    configurations: { reload: { arbitration: mode } },
    arbiter,
  })
  const isAwake = (app: string) =>
    (cluster.twin.access.get('deployments.apps', 'shop', app)?.['spec'] as { readonly replicas?: number } | undefined)
      ?.replicas !== 0
  const rollouts: { readonly app: string; readonly atMs: number }[] = []
  const unsubscribe = cluster.twin.access.subscribe('replicasets.apps', ({ type, object }) => {
    const app = object.metadata.labels?.['app'] ?? ''
    if (type === 'ADDED' && isAwake(app)) rollouts.push({ app, atMs: cluster.clock.now() })
  })
  cluster.startController()
  await cluster.pass(30_000)
  const wishedMs = cluster.clock.now()
  await markRotated(cluster, 'keys', 'second')
  await cluster.pass(5_000)
  await markRotated(cluster, 'certs', 'second')
  await cluster.pass(followedMs[mode])
  unsubscribe()
  return acts.map((act, at) => {
    const earlier = acts.slice(0, at).filter(({ subject }) => subject === act.subject).length
    const rollout = rollouts.filter(({ app }) => app === act.subject)[earlier]
    const own = heard.filter(({ key }) => key.startsWith(`Deployment/shop/${act.subject} `))
    const keys = [...new Set(own.map(({ key }) => key))]
    return {
      afterSeconds: rollout === undefined ? undefined : Math.round((rollout.atMs - wishedMs) / 1000) - act.afterSeconds,
      answers: own.filter(({ key }) => key === keys[earlier]).map(({ answer }) => answer),
    }
  })
}

async function evicted(mode: ArbitrationMode, { upstream, acts }: RecordedUpstream): Promise<readonly Fate[]> {
  const heard: Heard[] = []
  const name = upstream === 'descheduler' ? 'deschedule' : 'rightsize'
  const requester = evictionRequester({
    name,
    hear: one => void heard.push(one),
    wishes: acts.map(({ subject, afterSeconds }) => ({
      namespace: 'shop',
      pod: subject,
      ...(upstream === 'descheduler'
        ? { class: 'balance' as const, purpose: 'move' as const }
        : { class: isGrowth(subject) ? ('capacity' as const) : ('cost' as const), purpose: 'resize' as const }),
      afterMs: afterSeconds * 1000,
    })),
  })
  await using cluster = await controlledCluster({
    objects: dropInCluster(startMs),
    capabilities: [requester],
    configurations: { [name]: { arbitration: mode } },
    arbiter,
  })
  const uids = new Map(cluster.list('pods').map(({ metadata }) => [metadata.name, metadata.uid]))
  cluster.startController()
  await cluster.until(() => heard.length > 0)
  await cluster.pass(followedMs[mode])
  const [first] = heard
  return acts.map(({ subject, afterSeconds }) => {
    const uid = uids.get(subject) ?? ''
    const taken = cluster.witness.disruptions.find(one => one.uid === uid && one.cause === 'eviction')
    const askedMs = (first?.atMs ?? 0) + afterSeconds * 1000
    const inSeconds = (atMs: number) => Math.round((atMs - askedMs) / 1000)
    const own = heard.filter(({ key }) => key === uid)
    const untilMs = own.at(-1)?.untilMs
    return {
      afterSeconds: taken === undefined ? undefined : inSeconds(taken.atMs),
      answers: [...new Set(own.map(({ answer }) => answer))],
      ...(taken === undefined && untilMs !== undefined ? { waitsSeconds: inSeconds(untilMs) } : {}),
    }
  })
}

/** Whether the VPA of a pod's workload wishes it larger than the cluster has it. */
function isGrowth(pod: string): boolean {
  const workload = pod.split('-')[0] ?? ''
  return recommendations[workload]?.target === '300m'
}

/** Whether a mode does what the upstream did, and when it did. */
export function isSame({ isUpstreamDone }: Replayed, { afterSeconds }: Fate): boolean {
  return isUpstreamDone === (afterSeconds !== undefined && afterSeconds <= atOnceSeconds)
}

/** Rows of the table, one an act that ends differently in some mode. */
export function differences(replayed: readonly Replayed[]): readonly Replayed[] {
  return replayed.filter(one => arbitrationModes.some(mode => !isSame(one, one.modes[mode])))
}
