// One book of permits in every state, counted by each surface that counts: the page, `ballast permits`, the arbiter's own ledger and its metrics.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { endOf, ledgerRows, sumsOf } from '#coordination/account/ledger-rows.ts'
import { ArbiterMetrics } from '#coordination/arbiter/arbiter-metrics.ts'
import { viewOf } from '#coordination/permits/ledger-view.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { underWay } from '../doing.ts'
import { homelab, hour, minute, nowMs, permitObject, pictureOf } from '../testdata/homelab.ts'
import { permitCountsOf } from './permit-counts.ts'
import { permitRows } from './permits.ts'
import { refusedEntries } from './permits-refused.ts'

const passenger = {
  requester: 'reload',
  class: 'correctness',
  verb: 'restart',
  purpose: 'reload',
  idempotencyKey: 'along',
  reasons: [{ code: 'changed', message: 'Secret keys changed' }],
}

function ended(name: string, ending: string): KubeObject {
  return permitObject({
    name,
    status: { decision: 'Granted', releasedAt: new Date(nowMs - minute).toISOString(), ending, reason: ending },
  })
}

/** A request that was not granted; `decision` is the answer. */
function asked(name: string, decision: string): KubeObject {
  const permit = permitObject({
    name,
    status: {
      decision,
      reason: `evict Pod shop/a: ${decision === 'Denied' ? 'denied' : 'deferred until later'} by freeze: frozen`,
    },
  })
  const spec: unknown = permit['spec']
  if (typeof spec !== 'object' || spec === null) throw new Error('a permit has a spec')
  const { grant: _, ...rest } = { grant: undefined, ...spec }
  return { ...permit, spec: rest }
}

const permits = [
  permitObject({ name: 'out-1', releasedAgo: undefined }),
  permitObject({ name: 'out-late', releasedAgo: undefined, grantedAgo: 3 * hour }),
  permitObject({ name: 'out-with-another', verb: 'restart', purpose: 'reload', releasedAgo: undefined, joined: [passenger] }),
  permitObject({ name: 'done' }),
  permitObject({ name: 'done-with-another', verb: 'restart', purpose: 'reload', joined: [passenger] }),
  ...['failed', 'withdrawn', 'expired', 'yielded'].map(ending => ended(ending, ending)),
  asked('waits', 'Queued'),
  asked('denied', 'Denied'),
  asked('nothing', 'NoOp'),
  asked('went-along', 'Coalesced'),
]
const picture = pictureOf([...homelab(), ...permits])
const rows = ledgerRows(picture.book.permits, []).flatMap(row => [row, ...row.joined])

test('all of them are read', () => {
  expect(picture.book.problems).toEqual([])
  expect(picture.book.permits).toHaveLength(permits.length)
})

test('by decision the page counts what `ballast permits` lists', () => {
  const own = { ...permitCountsOf(picture, {}).byDecision }
  // What was refused without a permit `ballast permits` counts by the same function.
  for (const { decision } of refusedEntries(picture)) own[decision] = (own[decision] ?? 0) - 1
  const listed = Map.groupBy(rows, row => (row.decision === 'Granted' ? 'granted' : endOf(row)))
  const counted = Object.fromEntries(Array.from(listed, ([decision, all]) => [decision, all.length]))
  expect(counted).toEqual(Object.fromEntries(Object.entries(own).filter(([, count]) => count !== 0)))
  expect(counted).toEqual({ granted: 9, coalesced: 3, queued: 1, denied: 1, 'no-op': 1 })
})

test('what is out is the same to all of them', async () => {
  const records = picture.book.permits.map(({ record }) => record)
  const clock = new VirtualClock(nowMs)
  const registry = new Registry()
  const metrics = new ArbiterMetrics(registry, clock)
  using _watched = metrics.watch({ arbiter: { records: () => records, onDecision: () => () => undefined } } as never)
  const inflight = await registry.getSingleMetric('ballast_arbiter_inflight')?.get()
  const bySums = sumsOf(ledgerRows(picture.book.permits, [])).reduce((sum, { endings }) => sum + (endings['out'] ?? 0), 0)
  expect({
    page: underWay(picture).length,
    pageRows: permitRows(picture).filter(({ token, releasedAt }) => token !== null && releasedAt === null).length,
    cli: rows.filter(row => row.ending === 'out' && row.decision === 'Granted').length,
    cliSums: bySums,
    arbiter: [...viewOf(records).active()].length,
    metrics: inflight?.values.reduce((sum, { value }) => sum + value, 0),
  }).toEqual({ page: 3, pageRows: 3, cli: 3, cliSums: 3, arbiter: 3, metrics: 3 })
})
