// One term: from being the one that acts until the end, with the watches, the book and the cycles.
import { isFields, textIn } from '#cluster/loose-fields.ts'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import type { ArbiterMetrics } from '#coordination/arbiter/arbiter-metrics.ts'
import type { Api } from '#kube/client/api.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import { type Leader, LeaseLostError } from '#kube/leases/lease.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { AnswerError } from '#kube/outside-error.ts'
import { BackgroundEvictions } from '../eviction-in-background.ts'
import type { CycleListener } from '../instruments/cycle-listener.ts'
import { UsageProviders } from '../usage/usage-providers.ts'
import { answered } from './answered.ts'
import { watchBackground } from './background-watch.ts'
import { Books } from './book.ts'
import { Cycles } from './cycles.ts'
import { DeschedulerFailed } from './descheduler-failed.ts'
import type { DeschedulerOptions } from './descheduler-options.ts'
import { FollowedClusters, FollowedPolicy } from './followed-policy.ts'
import { repeatCycle } from './interval-loop.ts'
import type { PolicyInForce } from './policy-in-force.ts'

interface LeadingOptions extends DeschedulerOptions {
  readonly inForce: PolicyInForce
  readonly listener: CycleListener
  readonly events: EventRecorder
  readonly leader: Leader | undefined
  /** The server's preferred version of the group `policy`. */
  readonly evictionVersion: string
  /** Absent: a dry run asks no arbiter. */
  readonly arbiterMetrics: ArbiterMetrics | undefined
}

/** The cycles of one term, with what they watch, until `signal` is aborted, or one. @throws as `runDescheduler` */
export async function leadCycles(options: LeadingOptions, signal: AbortSignal): Promise<void> {
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
  const lack = settings.dryRun
    ? undefined
    : await answered(() => options.permitsLack(signal), { ...options, what: 'the own rights are asked' }, signal)
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
    scheduler: settingsForServer(
      await answered(() => gitVersion(api, signal), { ...options, what: 'the server’s version is asked' }, signal),
    ),
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

async function gitVersion(api: Api, signal: AbortSignal): Promise<string> {
  const answer = await api.getPath('/version', { signal })
  if (!isFields(answer)) throw new AnswerError('/version: the server answered with no object')
  return textIn(answer, 'gitVersion') ?? ''
}
