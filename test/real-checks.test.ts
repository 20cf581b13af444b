// How real checks are chosen, run and counted; what they check is run by `npm run test:real`.
import { describe, expect, test } from 'vitest'
import { PartUnavailable } from '#test/real/cache.ts'
import { type Check, namedChecks, runChecks } from '#test/real/check.ts'
import { PartLeftUnbuilt } from '#test/real/go-build.ts'
import { longestFirst } from '#test/real/longest.ts'

const passing = (name: string): Check => ({ name, run: async () => 'seen' })
const names = (checks: readonly Check[]) => checks.map(({ name }) => name)

describe('checks by name', () => {
  const checks = ['kubectl: get', 'kubectl: get more, of all', 'helm'].map(passing)

  test.each([
    ['all without names', [], ['kubectl: get', 'kubectl: get more, of all', 'helm']],
    ['one of that name, though others contain it', ['kubectl: get'], ['kubectl: get']],
    ['those that contain a part', ['kubectl'], ['kubectl: get', 'kubectl: get more, of all']],
    [
      'several, each once and in their order',
      ['helm', 'more, of', 'kubectl: get more, of all'],
      ['kubectl: get more, of all', 'helm'],
    ],
  ])('%s', (_what, wanted, expected) => {
    expect(names(namedChecks(checks, wanted))).toEqual(expected)
  })

  test('a name that none has', () => {
    expect(() => namedChecks(checks, ['helm', 'keda'])).toThrow('no check is called "keda"')
  })
})

describe('the longest', () => {
  const checks = ['short', 'a', 'b', 'c'].map(passing)

  test('begin, in their order', () => {
    expect(names(longestFirst(checks, ['c', 'a']))).toEqual(['c', 'a', 'short', 'b'])
  })

  test('a name that none has any more', () => {
    expect(() => longestFirst(checks, ['a', 'gone'])).toThrow('no check is called "gone"')
  })
})

describe('a run', () => {
  const failing = (name: string): Check => ({ name, run: () => Promise.reject(new Error('it differs')) })
  const skipped: Check = { name: 'absent', run: () => Promise.reject(new PartUnavailable('no etcd')) }

  test('names what failed and what was skipped, and goes on', async () => {
    const lines: string[] = []
    const counts = await runChecks([failing('one'), skipped, passing('two'), failing('three')], line => lines.push(line))
    expect(counts).toEqual({ passed: 1, failed: ['one', 'three'], skipped: ['absent: no etcd'], left: [] })
    expect(lines.join('\n')).toContain('it differs')
  })

  test('tells of each that ran whether it passed, and of none that was skipped or left', async () => {
    const left: Check = { name: 'late', run: () => Promise.reject(new PartLeftUnbuilt('no time')) }
    const ended: [string, boolean][] = []
    const counts = await runChecks([failing('one'), skipped, left, passing('two')], () => undefined, {
      allAlone: true,
      ended: ({ name }, hasPassed) => ended.push([name, hasPassed]),
    })
    expect(ended).toEqual([
      ['one', false],
      ['two', true],
    ])
    expect(counts.left).toEqual(['late'])
  })

  test('begins nothing when its time is over, and names what it left', async () => {
    const counts = await runChecks(['a', 'b'].map(passing), () => undefined, { minutes: Number.MIN_VALUE })
    expect(counts).toEqual({ passed: 0, failed: [], skipped: [], left: ['a', 'b'] })
  })

  test('tells the first error before those of tidying up', async () => {
    const [first, second] = ['it differs', 'it does not end'].map(message => new Error(message))
    const lines: string[] = []
    const run = () => Promise.reject(new SuppressedError(second, first))
    await runChecks([{ name: 'one', run }], line => lines.push(line))
    expect(lines.join('\n')).toMatch(/it differs.*it does not end/s)
  })

  test.each([
    ['four at once', false, 4],
    ['one after the other where all are to be alone', true, 1],
  ])('%s', async (_what, allAlone, most) => {
    let running = 0
    let seen = 0
    const counted = (name: string): Check => ({
      name,
      run: async () => {
        seen = Math.max(seen, ++running)
        await new Promise(resolve => setImmediate(resolve))
        running--
        return ''
      },
    })
    await runChecks(['a', 'b', 'c', 'd', 'e', 'f'].map(counted), () => undefined, { allAlone })
    expect(seen).toBe(most)
  })

  test('no two that need the same port run at once, and others go on meanwhile', async () => {
    const running: string[] = []
    const together: string[] = []
    const counted = (name: string, port?: number): Check => ({
      name,
      ...(port !== undefined && { port }),
      run: async () => {
        running.push(name)
        together.push(running.toSorted().join(' '))
        await new Promise(resolve => setImmediate(resolve))
        running.splice(running.indexOf(name), 1)
        return ''
      },
    })
    const counts = await runChecks(
      [counted('a', 1), counted('b', 1), counted('c', 2), counted('d', 1), counted('e'), counted('f')],
      () => undefined,
    )
    expect(counts.passed).toBe(6)
    expect(together).toContain('a c e f')
    expect(together.filter(names => /[abd].*[abd]/.test(names))).toEqual([])
  })
})
