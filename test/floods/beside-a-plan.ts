// One loop that holds a Lease and carries a plan on, with the listeners that a controller has, while strangers flood them.
import { Counter, Registry } from 'prom-client'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { LeaseElection, LeaseLostError } from '#kube/leases/lease.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { systemRandom } from '#kube/random.ts'
import type { Webhook } from '#kube/server/admission.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { Front } from '#kube/server/front/front.ts'
import { startHealthServer } from '#kube/server/health.ts'
import { startWebhookServer } from '#kube/server/webhook.ts'
import { startTwin } from '#twin/twin.ts'
import type { FloodKind, PeerReport, Target } from './flood-process.ts'
import { behaving, flooded } from './floods.ts'

const webhook: Webhook = { kind: 'mutating', name: 'pods', failurePolicy: 'Ignore', handle: () => ({ kind: 'allowed' }) }

export interface Targets {
  readonly webhooks: Target
  readonly live: Target
  readonly ready: Target
  readonly metrics: Target
}

/** A flood of one kind at one listener. */
export interface Flood {
  readonly kind: FloodKind
  readonly at: keyof Targets
  readonly from?: readonly string[]
  readonly aSecond: number
  readonly open: number
}

export interface Outcome {
  /** Terms that were lost. */
  readonly lost: number
  /** Steps of the plan that were done while the floods went on. */
  readonly steps: number
  /** CPU of the loop that leads, as a share of the time. */
  readonly loopShare: number
  readonly longestStallMs: number
  /** What the process grew by at most, in MiB. */
  readonly grownMiB: number
  readonly peer: PeerReport
}

/** Floods for `forMs` each, one after the other. */
export async function besideAPlan(floods: readonly Flood[], forMs: number, told?: (line: string) => void): Promise<Outcome> {
  await using stack = new AsyncDisposableStack()
  const twin = stack.use(await startTwin({ clock: systemClock, seed: 1, objects: [] }))
  const api = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'leader' })
  stack.defer(() => api.close())
  const metrics = new Registry()
  // As many series as a controller of a homelab has.
  const series = new Counter({ name: 'things_total', help: 'things', labelNames: ['a'], registers: [metrics] })
  for (let at = 0; at < 1_000; at++) series.inc({ a: `value-${at}` })
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'a', nowMs })
  const tls = await issueLeaf(authority, { commonName: 'a', ipAddresses: ['127.0.0.1'], usages: ['server'], nowMs })
  // One thread for both, as in a process.
  // A thread that ended is started again: what its peers saw of it says nothing of why.
  const error = (facts: Readonly<Record<string, unknown>>, message: string) => told?.(`${message}: ${JSON.stringify(facts)}`)
  const front = stack.use(new Front({ clock: systemClock, log: { ...silentLog, error } }))
  const at = { port: 0, host: '127.0.0.1', log: silentLog, front }
  const webhooks = stack.use(await startWebhookServer({ ...at, webhooks: [webhook], tls, clock: systemClock }))
  const well = () => [{ name: 'all', check: () => undefined }]
  const health = stack.use(await startHealthServer({ ...at, live: well, ready: well, metrics }))
  const plain = (path: string): Target => ({ port: health.port, isSecure: false, path })
  const targets: Targets = {
    webhooks: { port: webhooks.port, isSecure: true, path: '/mutate/pods' },
    live: plain('/livez'),
    ready: plain('/readyz'),
    metrics: plain('/metrics'),
  }

  const stop = new AbortController()
  const maps = api.resource<KubeObject>(builtIn.configmaps)
  let steps = 0
  let lost = 0
  const election = new LeaseElection({
    api,
    namespace: 'default',
    name: 'plan',
    identity: 'a',
    clock: systemClock,
    random: systemRandom,
    leaseDurationMs: 6_000,
    renewDeadlineMs: 4_000,
    retryPeriodMs: 1_000,
  })
  const leading = election.run(async leader => {
    try {
      for (; !leader.signal.aborted; steps++) {
        leader.assert()
        const metadata = { name: `step-${steps}`, namespace: 'default' }
        await maps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata }, { namespace: 'default', signal: leader.signal })
        await systemClock.after(100, leader.signal)
      }
    } catch (error) {
      if (error instanceof LeaseLostError || leader.signal.reason instanceof LeaseLostError) lost++
      else if (!leader.signal.aborted) throw error
    }
  }, stop.signal)
  stack.defer(async () => {
    stop.abort(new Error('the test is over'))
    await leading
  })
  while (steps === 0) await systemClock.after(20)

  const restingBytes = process.memoryUsage.rss()
  let mostBytes = restingBytes
  let longestStallMs = 0
  let turnedMs = systemClock.elapsed()
  let cancel = (): void => undefined
  const look = () => {
    const nowMs = systemClock.elapsed()
    longestStallMs = Math.max(longestStallMs, nowMs - turnedMs - 50)
    turnedMs = nowMs
    mostBytes = Math.max(mostBytes, process.memoryUsage.rss())
    cancel = systemClock.schedule(50, look)
  }
  look()
  const { user, system } = process.threadCpuUsage()
  const stepsBefore = steps
  const sinceMs = systemClock.elapsed()
  const peering = behaving({
    at: [targets.webhooks, targets.live, targets.ready],
    from: '127.0.0.9',
    forMs: forMs * floods.length,
    everyMs: 200,
  })
  for (const flood of floods) {
    const before = { steps, cpu: process.threadCpuUsage() }
    const opened = await flooded({ ...flood, at: targets[flood.at], from: flood.from ?? ['127.0.0.2'], forMs })
    const cpu = process.threadCpuUsage(before.cpu)
    told?.(
      `${flood.kind} at ${flood.at} from ${flood.from?.length ?? 1}: ${opened} connections, ${steps - before.steps} steps, loop ${Math.round((cpu.user + cpu.system) / 1_000)} ms, longest stall ${Math.round(longestStallMs)} ms, ${Math.round((mostBytes - restingBytes) / 2 ** 20)} MiB more, lost ${lost}`,
    )
  }
  const peer = await peering
  const { user: userNow, system: systemNow } = process.threadCpuUsage()
  cancel()
  return {
    lost,
    steps: steps - stepsBefore,
    loopShare: (userNow - user + systemNow - system) / 1_000 / (systemClock.elapsed() - sinceMs),
    longestStallMs,
    grownMiB: (mostBytes - restingBytes) / 2 ** 20,
    peer,
  }
}
