// The drop-in descheduler as a process runs it: upstream's start, in upstream's order, then cycles until it is told to end.

import { Registry } from 'prom-client'
import { ArbiterMetrics } from '#coordination/arbiter/arbiter-metrics.ts'
import { evictionVersion } from '#coordination/effects/eviction-version.ts'
import type { Api } from '#kube/client/api.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { type Leader, LeaseLostError } from '#kube/leases/lease.ts'
import type { Problem } from '#kube/problem.ts'
import { collectProcessMetrics } from '#kube/process-metrics.ts'
import { listenersTogether } from '../instruments/cycle-listener.ts'
import { DeschedulerMetrics } from '../instruments/descheduler-metrics.ts'
import { leadOnce } from '../instruments/leader-election.ts'
import { startSecureServer } from '../instruments/secure-server.ts'
import { startTracing } from '../instruments/tracing.ts'
import { policyRefusal } from '../policy/read-policy.ts'
import { readPolicyFile, watchPolicyFile } from '../watch-policy.ts'
import { answered, NotServed } from './answered.ts'
import { triggerProblem } from './coordination.ts'
import { DeschedulerFailed } from './descheduler-failed.ts'
import type { DeschedulerOptions } from './descheduler-options.ts'
import { leadCycles } from './leading.ts'
import { PolicyInForce } from './policy-in-force.ts'
import { checkedPolicy } from './policy-source.ts'
import { reportingController, ToldCycle } from './told-cycle.ts'

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
  const arbiterMetrics = settings.dryRun ? undefined : new ArbiterMetrics(registry, clock)
  if (settings.serving !== undefined) {
    // These metrics describe the process: its memory, its time, its open files.
    if (settings.serving.metrics) collectProcessMetrics(registry)
    const server = await startSecureServer({ serving: settings.serving, metrics: registry, clock, log: machinery })
    stack.use(server)
    options.onServing?.(server.port)
  }
  const text = await readPolicyFile(settings.policyConfigFile)
  const reading = await answered(
    () => checkedPolicy(text, { file: settings.policyConfigFile, api, signal }),
    { ...options, what: 'the policy is checked' },
    signal,
  )
  if (!reading.ok) throw new DeschedulerFailed(policyRefusal(reading.problems))
  refuse(triggerProblem(options.coordination, triggerOf(options)))
  const served = await answered(
    () => servedVersion(api, signal),
    { ...options, what: 'the server is asked for evictions' },
    signal,
  )
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
    leadCycles(
      { ...options, inForce, listener, events, evictionVersion: served, leader, arbiterMetrics },
      leader?.signal ?? signal,
    )
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

/** @throws NotServed where pods have no eviction; what the server says */
async function servedVersion(api: Api, signal: AbortSignal): Promise<string> {
  const served = await evictionVersion(api, signal)
  if (served === undefined) throw new NotServed('the API server does not serve evictions of pods')
  return served
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
