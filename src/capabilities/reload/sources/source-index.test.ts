// Who takes what, kept up change by change, held against asking everybody.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { leastCpuMs } from '#kube/testdata/least-cpu.ts'
import type { Matcher } from './matcher.ts'
import { SourceIndex } from './source-index.ts'
import type { SourceReference } from './source-state.ts'

const configmap = (name: string, namespace = 'shop'): SourceReference => ({ type: 'configmap', namespace, name })

function matcher(of: { readonly names?: readonly string[]; readonly patterns?: readonly string[] }): Matcher {
  const patterns = (of.patterns ?? []).map(text => {
    const pattern = { text, isFoundIn: (name: string) => new RegExp(`^${text}$`).test(name) }
    return { type: 'configmap' as const, pattern }
  })
  return { named: (of.names ?? []).map(name => configmap(name)), patterns, referenced: [], auto: [], search: [] }
}

describe('SourceIndex', () => {
  test('finds by name, and by pattern among what is there and what comes', () => {
    const there = ['app-one']
    const index = new SourceIndex(() => there)
    index.set('Deployment/shop/web', 'shop', matcher({ names: ['settings'], patterns: ['app-.*'] }))
    index.add(configmap('app-two'))
    index.add(configmap('other'))
    expect(
      index
        .sourcesOf('Deployment/shop/web')
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['app-one', 'app-two', 'settings'])
    expect([...index.workloadsOf(configmap('app-two'))]).toEqual(['Deployment/shop/web'])
    expect(index.has(configmap('other'))).toBe(false)
    expect(index.has(configmap('app-one', 'elsewhere'))).toBe(false)
  })

  test('after any changes it knows what a new one would', () => {
    const name = fc.constantFrom('a', 'b', 'ab', 'ba')
    const what = fc.record({
      names: fc.uniqueArray(name, { maxLength: 2 }),
      patterns: fc.uniqueArray(fc.constantFrom('a.*', '.*b'), { maxLength: 2 }),
    })
    const change = fc.record({
      workload: fc.constantFrom('w1', 'w2', 'w3'),
      what: fc.option(what, { nil: undefined }),
      arrives: fc.option(name, { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), changes => {
        const there: string[] = []
        const kept = new Map<string, Matcher>()
        const index = new SourceIndex(() => there)
        for (const { workload, what: wanted, arrives } of changes) {
          if (wanted === undefined) {
            kept.delete(workload)
            index.delete(workload)
          } else {
            kept.set(workload, matcher(wanted))
            index.set(workload, 'shop', matcher(wanted))
          }
          if (arrives !== undefined && !there.includes(arrives)) {
            there.push(arrives)
            index.add(configmap(arrives))
          }
        }
        const fresh = new SourceIndex(() => there)
        for (const [workload, one] of kept) fresh.set(workload, 'shop', one)
        for (const one of ['a', 'b', 'ab', 'ba'])
          expect([...index.workloadsOf(configmap(one))].toSorted()).toEqual([...fresh.workloadsOf(configmap(one))].toSorted())
        expect(index.size).toBe(kept.size)
      }),
    )
  })

  test('10,000 workloads: one change is a look-up', () => {
    const lookedUpAmong = (workloads: number) => {
      const index = new SourceIndex(() => [])
      const sources = workloads / 10
      for (let at = 0; at < workloads; at++) index.set(`w${at}`, 'shop', matcher({ names: [`c${at % sources}`] }))
      return leastCpuMs(() => {
        let found = 0
        for (let at = 0; at < 10_000; at++) found += index.workloadsOf(configmap(`c${at % sources}`)).size
        expect(found).toBe(100_000)
      })
    }
    // As dear as among 100; going through all of them would be 100 times as dear.
    expect(lookedUpAmong(10_000)).toBeLessThan(20 * lookedUpAmong(100))
  })
})
