import { expect, onTestFinished, test, vi } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { Leader } from '#kube/leases/lease.ts'
import type { Lease } from '#kube/leases/lease-record.ts'
import { silentLog } from '#kube/log.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { InputError } from '#kube/problem.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { leadOnce } from '../src/capabilities/deschedule/compat/instruments/leader-election.ts'

/** Upstream's defaults. */
const settings = {
  leaseDurationMs: 137_000,
  renewDeadlineMs: 107_000,
  retryPeriodMs: 26_000,
  name: 'descheduler',
  namespace: 'kube-system',
}
const soon = { timeout: 200_000, interval: 2 }

async function cluster() {
  const clock = new VirtualClock(Date.UTC(2026, 10, 1))
  const twin = await startTwin({ clock, components: false })
  onTestFinished(() => twin.stop())
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const leases = api.resource<Lease>(builtIn.leases)
  const { signal } = new AbortController()
  const lease = () => leases.get(settings.name, { namespace: settings.namespace, signal })
  /** Until `isSo`, on a clock that moves. */
  const until = (isSo: () => boolean | Promise<boolean>) =>
    vi.waitUntil(async () => {
      await clock.advance(1_000)
      return await isSo()
    }, soon)
  const candidate = (hostName: string, seed: number) => {
    const end = new AbortController()
    onTestFinished(() => end.abort())
    const state: { leader: Leader | undefined; outcome: 'ended' | 'lost' | undefined } = { leader: undefined, outcome: undefined }
    const around = { api, clock, random: seededRandom(seed), log: silentLog, hostName }
    const work = async (leader: Leader) => {
      state.leader = leader
      await new Promise<void>(resolve => leader.signal.addEventListener('abort', () => resolve(), { once: true }))
    }
    const done = leadOnce(settings, around, work, end.signal).then(outcome => (state.outcome = outcome))
    return { state, end, done }
  }
  return { api, clock, lease, leases, until, candidate, signal }
}

test("the Lease is upstream's, and is given back at the end, so that the next one leads at once", async () => {
  const { clock, lease, until, candidate } = await cluster()
  const first = candidate('host-a', 1)
  await until(() => first.state.leader !== undefined)
  const { spec, metadata } = await lease()
  expect(metadata).toMatchObject({ name: 'descheduler', namespace: 'kube-system' })
  expect(spec?.holderIdentity).toMatch(/^host-a_[0-9a-f]{8}-/)
  expect(spec?.leaseDurationSeconds).toBe(137)
  const second = candidate('host-b', 2)
  await clock.advance(200_000)
  expect(second.state.leader).toBeUndefined()
  first.end.abort()
  await until(() => first.state.outcome !== undefined)
  expect(first.state.outcome).toBe('ended')
  expect((await lease()).spec?.holderIdentity === '' || second.state.leader !== undefined).toBe(true)
  await until(() => second.state.leader !== undefined)
})

test('whoever loses it ends, and does not stand again', async () => {
  const { lease, leases, until, candidate, signal } = await cluster()
  const { state } = candidate('host-a', 1)
  await until(() => state.leader !== undefined)
  const held = await lease()
  await leases.update({ ...held, spec: { ...held.spec, holderIdentity: 'another' } }, { namespace: 'kube-system', signal })
  await until(() => state.outcome !== undefined)
  expect(state.outcome).toBe('lost')
  expect(() => state.leader?.assert()).toThrow('the lease is held by another')
  expect((await lease()).spec?.holderIdentity).toBe('another')
})

test('what the work throws comes out', async () => {
  const { api, clock, until } = await cluster()
  const around = { api, clock, random: seededRandom(1), log: silentLog, hostName: 'a' }
  const failing = leadOnce(settings, around, () => Promise.reject(new Error('the work failed')), new AbortController().signal)
  let thrown: unknown
  failing.catch((error: unknown) => (thrown = error))
  await until(() => thrown !== undefined)
  expect(thrown).toEqual(new Error('the work failed'))
})

test.each([
  [{ retryPeriodMs: 500 }, '--leader-elect-retry-period'],
  [{ name: '' }, '--leader-elect-resource-name'],
  [{ namespace: '' }, '--leader-elect-resource-namespace'],
])('%o is refused', async (given, where) => {
  const { api, clock, signal } = await cluster()
  const around = { api, clock, random: seededRandom(1), log: silentLog, hostName: 'a' }
  const error: unknown = await leadOnce({ ...settings, ...given }, around, async () => undefined, signal).catch(
    (thrown: unknown) => thrown,
  )
  expect(error instanceof InputError && error.problems[0]?.where).toBe(where)
})
