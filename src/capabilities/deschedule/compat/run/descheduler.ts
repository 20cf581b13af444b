// The drop-in descheduler as a process runs it: upstream's start, in upstream's order, then cycles until it is told to end.
import { collectDefaultMetrics, Registry } from 'prom-client'
import { isFields, textIn } from '#cluster/loose-fields.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { evictionVersion } from '#coordination/effects/eviction-version.ts'
import type { ArbiterPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { Api } from '#kube/api.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events.ts'
import { Informers } from '#kube/informer.ts'
import { type Leader, LeaseLostError } from '#kube/lease.ts'
import type { Pod } from '#kube/objects.ts'
import type { Problem } from '#kube/problem.ts'
import type { Random } from '#kube/random.ts'
import { builtIn } from '#kube/resource.ts'
import { BackgroundEvictions } from '../eviction-in-background.ts'
import { type CycleListener, listenersTogether } from '../instruments/cycle-listener.ts'
import { DeschedulerMetrics } from '../instruments/descheduler-metrics.ts'
import { leadOnce } from '../instruments/leader-election.ts'
import { type ServingSettings, startSecureServer } from '../instruments/secure-server.ts'
import { startTracing } from '../instruments/tracing.ts'
import { policyRefusal } from '../policy/read-policy.ts'
import { UsageProviders } from '../usage/usage-providers.ts'
import { readPolicyFile, watchPolicyFile } from '../watch-policy.ts'
import { watchBackground } from './background-watch.ts'
import { Books } from './book.ts'
import { triggerProblem } from './coordination.ts'
import type { Coordination } from './coordination-settings.ts'
import { Cycles } from './cycles.ts'
import type { DeschedulerLog } from './descheduler-log.ts'
import { FollowedClusters, FollowedPolicy } from './followed-policy.ts'
import { repeatCycle } from './interval-loop.ts'
import { PolicyInForce } from './policy-in-force.ts'
import { checkedPolicy } from './policy-source.ts'
import { reportingController, ToldCycle } from './told-cycle.ts'

/** It cannot be started so, or cannot go on: upstream ends with 1 and these words. */
export class DeschedulerFailed extends Error {
  override readonly name = 'DeschedulerFailed'
}

/** As flags say it; durations in milliseconds. */
interface RunSettings {
  readonly policyConfigFile: string
  /** 0: one cycle. */
  readonly deschedulingIntervalMs: number
  readonly dryRun: boolean
  /** Absent: none. */
  readonly leaderElection?: Parameters<typeof leadOnce>[0]
  /** Absent: nothing is served. */
  readonly serving?: ServingSettings
  readonly evictionsInBackground: boolean
  /** `--otel-*`; absent: nothing is traced. */
  readonly tracing?: Parameters<typeof startTracing>[0]
}

export interface DeschedulerOptions {
  readonly settings: RunSettings
  readonly api: Api
  readonly coordination: Coordination
  readonly arbiterPolicy: ArbiterPolicy
  readonly ownerLabel: OwnerLabel
  /** Of pod or host, and our own namespace. */
  readonly identity: { readonly name: string; readonly namespace: string }
  /** Why DisruptionPermits cannot be kept in the cluster; `undefined`: they can. Not asked in a dry run. */
  readonly permitsLack: (signal: AbortSignal) => Promise<string | undefined>
  readonly log: DeschedulerLog
  readonly clock: Clock
  readonly random: Random
  /** For proxies on the way to Prometheus. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Ballast's own. */
  readonly version: string
  /** Told where the secure port listens: tests ask for any. */
  readonly onServing?: (port: number) => void
  /** Hear of cycles beside metrics, log and Events. */
  readonly listeners?: readonly CycleListener[]
}

/**
 * Runs until `signal` is aborted, or one cycle where there is no interval. Evictions under way are waited for.
 * @throws DeschedulerFailed where it cannot be started, or its only cycle was not done; what goes wrong otherwise
 */
export async function runDescheduler(options: DeschedulerOptions, signal: AbortSignal): Promise<void> {
  const { settings, api, clock, random, log, identity } = options
  await using stack = new AsyncDisposableStack()
  const registry = new Registry()
  const metrics = new DeschedulerMetrics(registry, { clock, build: { version: options.version } })
  const machinery = log.machinery
  if (settings.serving !== undefined) {
    // Of the process: its memory, its time, its open files.
    if (settings.serving.metrics) collectDefaultMetrics({ register: registry })
    const server = await startSecureServer({ serving: settings.serving, metrics: registry, clock, log: machinery })
    stack.use(server)
    options.onServing?.(server.port)
  }
  const text = await readPolicyFile(settings.policyConfigFile)
  const reading = await checkedPolicy(text, { file: settings.policyConfigFile, api, signal })
  if (!reading.ok) throw new DeschedulerFailed(policyRefusal(reading.problems))
  refuse(triggerProblem(options.coordination, triggerOf(options)))
  const served = await evictionVersion(api, signal)
  if (served === undefined) throw new DeschedulerFailed('the API server does not serve evictions of pods')
  const events = new EventRecorder(api, {
    clock,
    random,
    controller: reportingController,
    instance: `${reportingController}-${identity.name}`,
    log: machinery,
  })
  stack.use(events)
  const inForce = new PolicyInForce({
    reading,
    file: settings.policyConfigFile,
    metrics,
    log,
    events,
    isTold: !settings.dryRun,
    identity,
  })
  const isRepeated = settings.deschedulingIntervalMs > 0
  if (isRepeated)
    stack.use(
      watchPolicyFile({
        path: settings.policyConfigFile,
        text,
        check: changed => checkedPolicy(changed, { file: settings.policyConfigFile, api, signal }),
        onChange: change => inForce.change(change),
        clock,
        log: machinery,
      }),
    )
  const told = new ToldCycle({
    log,
    policy: () => inForce.policy,
    isDryRun: settings.dryRun,
    ...(!settings.dryRun && { events }),
  })
  const tracing =
    settings.tracing && (await startTracing(settings.tracing, { clock, random, log: machinery, version: options.version }))
  if (tracing !== undefined) stack.use(tracing)
  const traced = tracing === undefined ? [] : [tracing.listener]
  const listener = listenersTogether([metrics, told, ...traced, ...(options.listeners ?? [])])
  const lead = (leader: Leader | undefined) =>
    leadCycles({ ...options, inForce, listener, events, evictionVersion: served, leader }, leader?.signal ?? signal)
  const { leaderElection } = settings
  if (leaderElection === undefined) return await lead(undefined)
  const around = { api, clock, random, log: machinery, hostName: identity.name }
  try {
    const end = await leadOnce(leaderElection, around, lead, signal)
    if (end === 'lost') log.told(0, 'leader lost', {})
  } catch (error) {
    // The cycle knew it before the Lease did.
    if (!(error instanceof LeaseLostError)) throw error
    log.told(0, 'leader lost', { why: error.message })
  }
}

interface LeadingOptions extends DeschedulerOptions {
  readonly inForce: PolicyInForce
  readonly listener: CycleListener
  readonly events: EventRecorder
  readonly leader: Leader | undefined
}

/** The cycles of one term, with what they watch. */
async function leadCycles(options: LeadingOptions & { readonly evictionVersion: string }, signal: AbortSignal): Promise<void> {
  const { settings, api, clock, random, log, inForce, events } = options
  await using stack = new AsyncDisposableStack()
  const watching = new AbortController()
  stack.defer(() => watching.abort(new DOMException('the watches are over', 'AbortError')))
  const informers = stack.use(
    new Informers(api, { clock, random, log: log.machinery, watchList: 'off', signal: watching.signal }),
  )
  const clusters = stack.use(new FollowedClusters(informers, options))
  const providers = stack.use(new UsageProviders({ api, clock, log: log.machinery, environment: options.environment }))
  const background = settings.evictionsInBackground ? new BackgroundEvictions() : undefined
  const followed = new FollowedPolicy(providers)
  const { policy } = inForce
  await clusters.of(policy, signal)
  await followed.follow(policy, signal)
  if (background !== undefined) {
    const ended = (end: Parameters<CycleListener['backgroundEnded']>[0]) => options.listener.backgroundEnded(end)
    // For as long as the process runs, whatever the policy in force watches.
    stack.use(watchBackground({ pods: informers.of<Pod>(builtIn.pods), background, clock, ended }))
  }
  const lack = settings.dryRun ? undefined : await options.permitsLack(signal)
  const books = stack.use(
    new Books({
      ...options,
      informers,
      lack,
      policy: options.arbiterPolicy,
      cluster: () => clusters.current,
      inBackground: settings.evictionsInBackground,
    }),
  )
  const cycles = new Cycles({
    policy: () => inForce.policy,
    cluster: async ofCycle => {
      await followed.follow(inForce.policy, ofCycle)
      const before = clusters.current
      const cluster = await clusters.of(inForce.policy, ofCycle)
      if (cluster !== before) await books.close()
      return cluster
    },
    providers,
    listener: options.listener,
    log,
    clock,
    events,
    book: settings.dryRun ? undefined : () => books.open(signal),
    bookLost: () => books.close(),
    scheduler: settingsForServer(await gitVersion(api, signal)),
    background,
    coordination: options.coordination,
    arbiterPolicy: options.arbiterPolicy,
    ownerLabel: options.ownerLabel,
  })
  await repeatCycle(() => oneCycle(cycles, options, signal), { intervalMs: settings.deschedulingIntervalMs, clock }, signal)
}

/** A fault in one cycle is told by it, and the next one comes; without a next one, and without a Lease, it is the end. */
async function oneCycle(cycles: Cycles, { settings, leader }: LeadingOptions, signal: AbortSignal): Promise<void> {
  try {
    await cycles.run(signal)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof LeaseLostError && leader !== undefined) throw error
    if (settings.deschedulingIntervalMs === 0)
      throw new DeschedulerFailed('the descheduling cycle was not done', { cause: error })
  }
}

function triggerOf({ settings, arbiterPolicy }: DeschedulerOptions): Parameters<typeof triggerProblem>[1] {
  const { windows } = arbiterPolicy
  const own = Object.hasOwn(windows, 'deschedule') ? windows['deschedule'] : undefined
  return { intervalMs: settings.deschedulingIntervalMs, hasWindows: (own ?? []).length > 0 }
}

/** @throws DeschedulerFailed where there is a problem */
function refuse(problem: Problem | undefined): void {
  if (problem !== undefined) throw new DeschedulerFailed(policyRefusal([problem]))
}

async function gitVersion(api: Api, signal: AbortSignal): Promise<string> {
  const answer = await api.getPath('/version', { signal })
  return (isFields(answer) ? textIn(answer, 'gitVersion') : undefined) ?? ''
}
