// What is kept from question to question is what counting anew gives, however permits come, change and end.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LedgerIndex } from '../../permits/ledger-index.ts'
import { viewOf } from '../../permits/ledger-view.ts'
import type { PermitRecord } from '../../permits/permit-record.ts'
import { deployment, intent, nowMs, permit, pod, question } from '../testdata/question.ts'
import { CapUses } from './cap-use.ts'

const named = fc.constantFrom('a', 'b', 'c', 'd')
const places = fc.constantFrom('n1', 'n2', 'n3')
const record: fc.Arbitrary<PermitRecord> = fc
  .record({
    name: named,
    namespace: fc.constantFrom('shop', 'web'),
    verb: fc.constantFrom('evict' as const, 'restart' as const, 'drain' as const),
    class: fc.constantFrom('correctness' as const, 'balance' as const),
    nodes: fc.uniqueArray(places),
    to: fc.option(places, { nil: undefined }),
    count: fc.integer({ min: 1, max: 3 }),
    isOver: fc.boolean(),
    forMs: fc.integer({ min: 1, max: 100_000 }),
  })
  .map(({ to, count, isOver, forMs, ...rest }) =>
    permit({
      ...rest,
      workload: `${rest.namespace}/Deployment/${rest.name}`,
      targets: Array.from({ length: count }, (_, at) => ({ ...pod(`${rest.name}-${at}`), namespace: rest.namespace })),
      relocation: to === undefined ? undefined : { from: 'n1', to: [to] },
      grant: { token: 1, atMs: nowMs, expiresAtMs: nowMs + forMs },
      ...(isOver ? { releasedAtMs: nowMs } : {}),
    }),
  )

const wishes = ['n1', 'n2', 'n3'].map(name => ({
  ...intent({ workload: deployment('cart'), relocation: { from: name, to: [name] } }),
  nodes: ['n1', 'n2', 'n3'],
}))

test('it is what counting anew gives', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ record, isRemoved: fc.boolean() }), { maxLength: 30 }), changes => {
      const ledger = new LedgerIndex()
      const { policy, facts } = question({})
      const usesOf = (uses: CapUses) => wishes.map(wish => uses.of(wish).map(use => ({ ...use, freeAtMs: use.freeAtMs() })))
      for (const { record, isRemoved } of changes) {
        if (isRemoved) ledger.remove(record)
        else ledger.put(record)
        const kept = usesOf(new CapUses({ ledger, policy, facts }))
        expect(kept).toEqual(usesOf(new CapUses({ ledger: viewOf(ledger.all()), policy, facts })))
      }
    }),
    { numRuns: 200 },
  )
})
