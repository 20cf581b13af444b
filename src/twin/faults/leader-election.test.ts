// Two candidates for a Lease of the twin: what becomes of the term when the leader is cut off, or its renewals fail for a while.
import { describe, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { type Leader, LeaseElection } from '#kube/leases/lease.ts'
import { seededRandom } from '#kube/random.ts'
import { valueAt } from '../json-value.ts'
import { startTestTwin } from '../twin-for-tests.ts'
import type { FaultSpec } from './fault-spec.ts'

const leaseDurationMs = 15_000
/** With its jitter. */
const longestRetryMs = 2_000 * 2.2
const lease = '/apis/coordination.k8s.io/v1/namespaces/default/leases/ballast'

async function candidates() {
  const started = await startTestTwin()
  const { twin, clock, client } = started
  const stop = new AbortController()
  const terms: { readonly who: string; readonly atMs: number }[] = []
  const runs = ['one', 'two'].map(async (who, index) => {
    const api = openApi(twin.transport({ admin: true }), { clock, userAgent: `${who}/1.0` })
    const election = new LeaseElection({
      api,
      namespace: 'default',
      name: 'ballast',
      identity: who,
      clock,
      random: seededRandom(index),
    })
    await election.run(async (leader: Leader) => {
      terms.push({ who, atMs: clock.elapsed() })
      await new Promise<void>(resolve => leader.signal.addEventListener('abort', () => resolve(), { once: true }))
    }, stop.signal)
    await api.close()
  })
  return {
    clock,
    client,
    terms,
    fault: (spec: FaultSpec) => twin.fault(spec),
    async [Symbol.asyncDispose]() {
      stop.abort(new DOMException('the test is over', 'AbortError'))
      await clock.advance(10_000)
      await Promise.all(runs)
      await started[Symbol.asyncDispose]()
    },
  }
}

const transitions = async ({ client }: Awaited<ReturnType<typeof candidates>>) =>
  valueAt((await client.get(lease)).body, 'spec', 'leaseTransitions') ?? 0

describe('a leader', () => {
  test.each<[string, FaultSpec['reset'] | undefined]>([
    ['that is cut off', { when: 'before' }],
    ['whose renewals are done, but not heard of', { when: 'after' }],
  ])('%s is followed by the other one in time', async (_, reset) => {
    await using both = await candidates()
    await both.clock.advance(5_000)
    const [first] = both.terms
    const before = Number(await transitions(both))
    const cutMs = both.clock.elapsed()
    const fault = both.fault({ match: { userAgent: first?.who, resource: 'leases' }, ...(reset === undefined ? {} : { reset }) })
    await both.clock.advance(2 * leaseDurationMs + longestRetryMs)
    expect(fault.fired).toBeGreaterThan(0)
    expect(both.terms.map(term => term.who)).toEqual([first?.who, first?.who === 'one' ? 'two' : 'one'])
    const within = reset?.when === 'after' ? 2 * leaseDurationMs + longestRetryMs : leaseDurationMs + longestRetryMs
    expect((both.terms[1]?.atMs ?? Number.POSITIVE_INFINITY) - cutMs).toBeLessThanOrEqual(within)
    expect(await transitions(both)).toBe(before + 1)
  })

  test('whose next three renewals fail goes on leading', async () => {
    await using both = await candidates()
    await both.clock.advance(5_000)
    const fault = both.fault({ match: { verbs: ['update'], resource: 'leases' }, status: { code: 500 }, count: 3 })
    await both.clock.advance(60_000)
    expect(fault.fired).toBe(3)
    expect(both.terms).toHaveLength(1)
  })
})
