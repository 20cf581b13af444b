import { expect, test } from 'vitest'
import { bookOf } from './book.ts'
import { endOf, ledgerRows, sumsOf } from './ledger-rows.ts'
import { permitEntries } from './permit-entries.ts'
import { minute, nowMs, permit } from './testdata/shop.ts'

const reload = {
  requester: 'rightsize',
  class: 'cost',
  verb: 'resize',
  purpose: 'resize',
  idempotencyKey: 'r',
  reasons: [{ code: 'r', message: 'it needs more' }],
}
const { permits, problems } = bookOf([
  permit({ name: 'a', grantedAgo: 30 * minute, joined: [reload] }),
  permit({ name: 'b', grantedAgo: 10 * minute, ending: 'failed', reason: 'no node' }),
  permit({ name: 'c', grantedAgo: minute, releasedAgo: undefined }),
  {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'DisruptionPermit',
    metadata: { name: 'edited', namespace: 'shop' },
    spec: { requester: 7 },
  },
])
const drain = {
  kind: 'drain',
  workload: undefined,
  namespace: undefined,
  nodes: ['n1'],
  atMs: nowMs - 20 * minute,
  by: 'kubectl drain',
  evidence: '3 pods went',
} as const

test('permits, what went along, and what others did, oldest first', () => {
  const rows = ledgerRows(permits, [drain])
  expect(
    rows.map(row => [
      row.who,
      row.verb,
      row.target,
      endOf(row),
      row.seconds,
      row.joined.map(one => `${one.who} ${endOf(one)}`).join(),
    ]),
  ).toEqual([
    ['deschedule', 'evict', 'Pod shop/cart-5d8f-z', 'done', 60, 'rightsize coalesced'],
    ['kubectl drain', 'drain', 'Node n1', 'observed', undefined, ''],
    ['deschedule', 'evict', 'Pod shop/cart-5d8f-z', 'failed', 60, ''],
    ['deschedule', 'evict', 'Pod shop/cart-5d8f-z', 'out', undefined, ''],
  ])
  expect(rows[2]?.why).toBe('plan p-1 of policy p moves it from n1 to n3; no node')
})

test('sums by who and verb, the most first', () => {
  expect(sumsOf(ledgerRows(permits, [drain]))).toEqual([
    { who: 'deschedule', verb: 'evict', count: 3, endings: { done: 1, failed: 1, out: 1 } },
    { who: 'kubectl drain', verb: 'drain', count: 1, endings: { observed: 1 } },
    { who: 'rightsize', verb: 'resize', count: 1, endings: { coalesced: 1 } },
  ])
})

test('a permit that is no permit is set aside and named', () => {
  expect(problems).toMatchObject([{ code: 'permit-shape', where: 'DisruptionPermit shop/edited: spec.requester' }])
})

test('what was dropped stands below the rollout that it was to go along with, with the server’s words', () => {
  const { permits: kept } = bookOf([
    permit({
      joined: [reload, { ...reload, idempotencyKey: 's' }],
      dropped: [{ requester: 'rightsize', idempotencyKey: 's', message: 'image: Required value' }],
    }),
  ])
  const rows = ledgerRows(kept, [])
  expect(rows[0]?.joined.map(one => [endOf(one), one.why])).toEqual([
    ['coalesced', 'it needs more'],
    ['dropped', 'it needs more; image: Required value'],
  ])
  const [granted, ...along] = kept.flatMap(one => permitEntries(one, { nowMs, epoch: 3 }))
  expect(along.map(entry => `${entry.decision} ${entry.outcome}: ${entry.sentence}`)).toEqual([
    `Coalesced ${granted?.outcome}: goes along with the evict of deschedule: one disruption for both`,
    'Dropped not-done: did not go along with the evict of deschedule, because the server refused its change: image: Required value',
  ])
})
