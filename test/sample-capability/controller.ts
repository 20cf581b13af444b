// Asks for what is due, acts under the permit, and says how it ended. The worked example of docs/writing-a-capability.md.
import type { ControllerContext, Leading, Running } from '#coordination/capability.ts'
import { isFinished } from '#coordination/effects/finished.ts'
import { restart } from '#coordination/effects/restart.ts'
import type { Intent } from '#coordination/intent.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import { type Refresh, refreshes } from './decision.ts'

export interface RefreshConfig {
  /** Seconds between two looks. */
  readonly interval: number
}

const capabilityName = 'refresh'
/** A rollout that takes longer has failed. */
const timeToLiveMs = 15 * 60_000
const deadlineMs = 24 * 3_600_000

export function intentOf(refresh: Refresh, state: ReturnType<Leading['view']['state']>, nowMs: number): Intent {
  const { apiVersion, kind, namespace, name, uid } = refresh.workload
  return {
    requester: capabilityName,
    verb: 'restart',
    purpose: 'reload',
    class: 'balance',
    targets: [{ apiVersion, kind, namespace, name, uid }],
    workload: refresh.workload,
    disrupts: state
      .podsOf(uid)
      .filter(pod => !pod.isTerminating)
      .map(pod => ({ apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid })),
    reasons: [{ code: 'old', message: refresh.reason }],
    idempotencyKey: `${uid} ${refresh.oldestMs}`,
    deadlineMs: nowMs + deadlineMs,
    timeToLiveMs,
  }
}

class Refreshing {
  readonly #context: ControllerContext
  readonly #leading: Leading
  #config: RefreshConfig
  #waiting = 0

  constructor(context: ControllerContext, leading: Leading, config: RefreshConfig) {
    this.#context = context
    this.#leading = leading
    this.#config = config
  }

  async run(signal: AbortSignal): Promise<void> {
    const { arbiter, view } = this.#leading
    for (const record of arbiter.unfinished(capabilityName)) await this.#carryOut(arbiter.adopt(record), signal)
    while (!signal.aborted) {
      this.#waiting = 0
      for (const refresh of refreshes(view.state(), this.#context.clock.now())) {
        if (refresh.outcome !== 'due') continue
        const reply = await arbiter.request(intentOf(refresh, view.state(), this.#context.clock.now()), signal)
        if (reply.kind === 'granted') await this.#carryOut(reply.permit, signal)
        else this.#waiting++
      }
      await arbiter.untilChange({ leastMs: 1_000, limitMs: this.#config.interval * 1_000 }, signal)
    }
  }

  async #carryOut(permit: Permit, signal: AbortSignal): Promise<void> {
    const { arbiter, effects, view } = this.#leading
    const { record } = permit
    const [workload] = record.targets
    if (workload === undefined) throw new Error(`permit ${record.name} names nothing`)
    const outcome = await restart(effects, permit, workload, signal)
    if (outcome.kind !== 'restarted') {
      await arbiter.release(record, { ending: 'failed', reason: outcome.kind }, signal)
      return
    }
    const limitMs = Math.max(0, record.grant.expiresAtMs - this.#context.clock.now())
    const isDone = await view.until(() => isFinished(record, view.state()) || undefined, { limitMs, signal })
    await arbiter.release(
      record,
      isDone === true ? { ending: 'done', reason: 'its pods are new' } : { ending: 'failed', reason: 'it took too long' },
      signal,
    )
  }

  part(outer: AbortSignal): Running<RefreshConfig> {
    const stop = new AbortController()
    const signal = AbortSignal.any([outer, stop.signal])
    const running = this.run(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    return {
      health: () => [{ name: 'refresh-loop', ok: true, message: `${this.#waiting} wait for the arbiter` }],
      reconfigure: async config => {
        this.#config = config
        return 'applied'
      },
      async [Symbol.asyncDispose]() {
        stop.abort(new DOMException('refresh is stopped', 'AbortError'))
        await running
      },
    }
  }
}

export async function startRefresh(
  context: ControllerContext,
  config: RefreshConfig,
  signal: AbortSignal,
): Promise<Running<RefreshConfig>> {
  const { leading, informers } = context
  if (leading === undefined) throw new Error('refresh acts only where it leads')
  await informers.allSynced(signal)
  return new Refreshing(context, leading, config).part(signal)
}
