// Upstream's leader election: one Lease, no Events, and whoever loses it ends instead of standing again.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type Leader, LeaseElection, LeaseLostError } from '#kube/leases/lease.ts'
import type { Log } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { type Random, randomUuid } from '#kube/random.ts'

/** Milliseconds. */
interface ElectionSettings {
  readonly leaseDurationMs: number
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
  readonly name: string
  readonly namespace: string
}

interface ElectionSurroundings {
  readonly api: Api
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly hostName: string
}

/** Shorter ones would ask the API server all the time. */
const shortestRetryMs = 1000

/**
 * Waits until the Lease is ours, then calls `lead` once, with a leader whose `signal` ends when the Lease is lost or `signal` does; the
 * Lease is given back when `lead` returns. `lost`: another one may lead now, and the process is to end (with 0, as upstream's).
 * @throws what `lead` throws; InputError for a retry period under a second, or an empty name
 */
export async function leadOnce(
  settings: ElectionSettings,
  around: ElectionSurroundings,
  lead: (leader: Leader) => Promise<void>,
  signal: AbortSignal,
): Promise<'ended' | 'lost'> {
  checkSettings(settings)
  const { hostName, log, ...parts } = around
  const election = new LeaseElection({ ...parts, log, ...settings, identity: `${hostName}_${randomUuid(around.random)}` })
  const over = new AbortController()
  let isLost = false
  await election.run(
    async leader => {
      log.info({}, 'Started leading')
      leader.signal.addEventListener(
        'abort',
        () => {
          if (!(leader.signal.reason instanceof LeaseLostError)) return
          isLost = true
          log.info({}, 'Leader lost')
          // Else it would stand as a candidate again.
          over.abort(leader.signal.reason)
        },
        { once: true },
      )
      await lead(leader)
    },
    AbortSignal.any([signal, over.signal]),
  )
  return isLost ? 'lost' : 'ended'
}

function checkSettings({ retryPeriodMs, name, namespace }: ElectionSettings): void {
  if (retryPeriodMs < shortestRetryMs) {
    const expected = 'at least 1s'
    throw new InputError([{ code: 'flag-value', where: '--leader-elect-retry-period', found: `${retryPeriodMs} ms`, expected }])
  }
  for (const [where, text] of [['name', name] as const, ['namespace', namespace] as const]) {
    if (text !== '') continue
    const message = `${where} may not be empty`
    throw new InputError([
      { code: 'flag-value', where: `--leader-elect-resource-${where}`, found: '', expected: `a ${where}`, message },
    ])
  }
}
