import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { VirtualClock } from '#kube/clock.ts'
import { noSignals } from '../gates/signals.ts'
import { nothingObserved } from '../observed/observation.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import type { Verdict } from '../policy/question.ts'
import { intent, nowMs, permit, reload } from '../policy/testdata/question.ts'
import type { Arbiter } from './arbiter.ts'
import { ArbiterMetrics } from './arbiter-metrics.ts'
import type { Decision } from './hearing.ts'

/** Metrics of an arbiter that decides what the test says. */
function watched() {
  const clock = new VirtualClock(nowMs)
  const registry = new Registry()
  const metrics = new ArbiterMetrics(registry, clock)
  const listeners = new Set<(decision: Decision) => void>()
  const records: PermitRecord[] = []
  const standing = { isFrozen: false, nodes: [] as object[] }
  const arbiter: Pick<Arbiter, 'records' | 'onDecision'> = {
    records: () => records,
    onDecision(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const { state } = buildClusterState([])
  const gates = () => ({ state, permits: [], observed: nothingObserved, signals: noSignals, nowMs: clock.now() })
  const watching = metrics.watch({ arbiter, gates, isFrozen: () => standing.isFrozen })
  const decide = (verdict: Verdict, change: Partial<Decision> = {}) => {
    for (const listener of listeners)
      listener({ intent: intent(), verdict, mode: 'enforce', atMs: clock.now(), waitedMs: 0, ...change })
  }
  const lines = async (name: string) =>
    (await registry.metrics()).split('\n').filter(line => line.startsWith(`ballast_arbiter_${name}`))
  return { clock, records, standing, watching, decide, lines, metrics }
}

const held: Verdict = { kind: 'defer', objection: { rule: 'gate', gate: 'pending-pods', message: 'x' }, untilMs: nowMs }

describe('requests', () => {
  // biome-ignore format: a table
  test.each<readonly [string, Verdict, string | undefined]>([
    ['granted', { kind: 'grant', wouldBe: undefined }, 'decision="Granted",reason=""'],
    ['granted in observe against a rule', { kind: 'grant', wouldBe: { decision: 'Denied', objection: { rule: 'budget-required', pod: { apiVersion: 'v1', kind: 'Pod', name: 'a' }, workload: 'w' } } }, 'decision="Granted",reason="NoPDB"'],
    ['queued', held, 'decision="Queued",reason="GateRed"'],
    ['denied', { kind: 'deny', objection: { rule: 'late', deadlineMs: 0 } }, 'decision="Denied",reason="DeadlinePassed"'],
    ['nothing to do', { kind: 'no-op', objection: { rule: 'repeat', permit: 'p' } }, 'decision="NoOp",reason="AlreadyDone"'],
    ['gone along', { kind: 'coalesced', into: permit() }, 'decision="Coalesced",reason=""'],
    ['will go along', { kind: 'absorbed', into: { requester: 'reload', idempotencyKey: 'k' } }, 'decision="Coalesced",reason=""'],
    ['asked again while its permit is out', { kind: 'same', permit: permit() }, undefined],
  ])('%s', async (_case, verdict, expected) => {
    const { decide, lines } = watched()
    decide(verdict)
    const all = expected === undefined ? [] : [`ballast_arbiter_requests_total{requester="deschedule",class="balance",${expected}} 1`]
    expect(await lines('requests_total')).toEqual(all)
  })

  test('of hundreds of names are counted under fifty and one', async () => {
    const { decide, lines } = watched()
    for (let at = 0; at < 300; at++) decide(held, { intent: intent({ requester: `someone-${at}` }) })
    const counted = await lines('requests_total')
    expect(counted).toHaveLength(51)
    expect(counted.at(-1)).toBe(
      'ballast_arbiter_requests_total{requester="other",class="balance",decision="Queued",reason="GateRed"} 250',
    )
  })
})

test('a wish that went along counts once, however often it asks', async () => {
  const { decide, lines } = watched()
  const into = permit()
  for (let times = 0; times < 3; times++) decide({ kind: 'coalesced', into }, { intent: intent(reload) })
  decide({ kind: 'coalesced', into }, { intent: intent({ ...reload, idempotencyKey: 'another' }) })
  expect(await lines('coalesced_total')).toEqual(['ballast_arbiter_coalesced_total 2'])
})

test('the wait is that of what was granted', async () => {
  const { decide, lines } = watched()
  decide(held, { waitedMs: 50_000 })
  decide({ kind: 'grant', wouldBe: undefined }, { waitedMs: 61_500 })
  const ofBalance = (await lines('wait_seconds')).filter(line => line.includes('class="balance"'))
  expect(ofBalance).toContain('ballast_arbiter_wait_seconds_bucket{le="60",class="balance"} 0')
  expect(ofBalance).toContain('ballast_arbiter_wait_seconds_sum{class="balance"} 61.5')
})

test('what is out is asked when somebody scrapes, and is no longer once the term is over', async () => {
  const { clock, records, watching, lines } = watched()
  const grant = { token: 1, atMs: nowMs, expiresAtMs: nowMs + 600_000 }
  records.push(
    permit({ grant, releasedAtMs: undefined }),
    permit({ requester: 'reload', grant: { ...grant, atMs: nowMs + 20_000 }, releasedAtMs: undefined }),
    permit({ grant, releasedAtMs: nowMs + 1 }),
  )
  await clock.advance(30_000)
  expect([...(await lines('inflight')), ...(await lines('oldest'))]).toEqual([
    'ballast_arbiter_inflight{requester="deschedule"} 1',
    'ballast_arbiter_inflight{requester="reload"} 1',
    'ballast_arbiter_oldest_permit_seconds 30',
  ])
  watching[Symbol.dispose]()
  expect([...(await lines('inflight')), ...(await lines('oldest'))]).toEqual(['ballast_arbiter_oldest_permit_seconds 0'])
})

test('gates are red while they stand, those of single wishes for a minute after they held one', async () => {
  const { clock, standing, decide, lines } = watched()
  const red = async () => (await lines('frozen')).filter(line => line.endsWith(' 1')).map(line => /gate="(.*)"/.exec(line)?.[1])
  expect([await red(), (await lines('frozen')).length]).toEqual([[], 7])
  standing.isFrozen = true
  decide(held)
  expect(await red()).toEqual(['pending-pods', 'freeze'])
  await clock.advance(60_000)
  standing.isFrozen = false
  expect(await red()).toEqual([])
})

test('drains that gave way are counted by who asked for them', async () => {
  const { metrics, lines } = watched()
  metrics.yielded(permit({ requester: 'outsider', class: 'cost', verb: 'drain' }))
  metrics.yielded(permit({ requester: 'outsider', class: 'cost', verb: 'drain' }))
  expect(await lines('drains_yielded_total')).toEqual([
    'ballast_arbiter_drains_yielded_total{requester="outsider",class="cost"} 2',
  ])
})
