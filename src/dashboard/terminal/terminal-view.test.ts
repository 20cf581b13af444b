// The terminal's view as spec 3.8 draws it: the exact lines, what is left out where there is no room, and that nothing is ever wider than asked.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NodeColumns, NodeRow, Overview } from '../contract.ts'
import { bar } from './bar.ts'
import { columnsOf, cutTo, plain } from './lines.ts'
import { homelabForTests, nodeForTests, planForTests } from './overview-for-tests.ts'
import { terminalText, terminalView, type ViewOptions } from './terminal-view.ts'

const berlin = { zone: 'Europe/Berlin' }
const linesOf = (overview: Overview, options: ViewOptions) => terminalView(overview, options).lines.map(plain)
const withNodes = (nodes: readonly NodeRow[]): Overview => ({ ...homelabForTests, nodes })
const small = { cpu: [500, 100, 1_000], memory: [500, 100, 1_000], pods: 3 } as const

function columnsOfNodes(rows: readonly NodeRow[]): NodeColumns {
  const field = <Field extends keyof NodeRow>(name: Field) => rows.map(row => row[name])
  return {
    name: field('name'),
    role: field('role'),
    ready: field('ready'),
    readySince: field('readySince'),
    cordoned: field('cordoned'),
    draining: field('draining'),
    cpu: field('cpu'),
    memory: field('memory'),
    pods: field('pods'),
    watts: field('watts'),
    goals: field('goals'),
    after: field('after'),
    zone: field('zone'),
    taints: field('taints'),
  }
}

describe('the view of the homelab', () => {
  test('is, at the width of the spec, the spec’s', () => {
    expect(linesOf(homelabForTests, { ...berlin, width: 120, hasKeys: true }).slice(0, 2)).toEqual([
      'talos-homelab (twin)  4 nodes  124 pods  cpu 19035m/49800m 38%  memory 54771Mi/114600Mi 47%      2025-12-19 14:03:20  1x',
      'plan talos-7f3c: 15 moves, waiting for approval (press a)       goals 0/2 met',
    ])
    expect(linesOf(homelabForTests, { ...berlin, width: 122 }).slice(2)).toEqual([
      'NODE          CPU  # used  = requested  | goal    REQ  USED  GOAL    AFTER  MEMORY                  REQ  USED  PODS  STATE',
      'talos00       ###################====|=======...  93%   57%  <=70 !    45%  ################==....  82%   73%    59  Ready',
      'talos03       =.........|.......................   4%    0%  >=30 !    31%  ##=...................  16%   11%     9  Ready',
    ])
  })

  test('D34: without a terminal 100 columns, no escapes, and a newline at the end', () => {
    const text = terminalText(homelabForTests, { ...berlin, width: 100 })
    expect(text).toBe(
      [
        'talos-homelab (twin)  4 nodes  124 pods  cpu 19035m/49800m 38%  memory 54771Mi/114600Mi 47%',
        '2025-12-19 14:03:20  1x',
        'plan talos-7f3c: 15 moves, waiting for approval       goals 0/2 met',
        'NODE          CPU #used =req |goal  REQ  USED  GOAL    AFTER  MEMORY          REQ  USED  PODS  STATE',
        'talos00       ###########===|===..  93%   57%  <=70 !    45%  ##########=...  82%   73%    59  Ready',
        'talos03       ......|.............   4%    0%  >=30 !    31%  #=............  16%   11%     9  Ready',
        '',
      ].join('\n'),
    )
  })

  test('one bar from 80 columns on, below that numbers alone', () => {
    expect(linesOf(homelabForTests, { ...berlin, width: 80 }).slice(-2)).toEqual([
      'talos00       #########==|==..  93%   57%  <=70 !    45%  82%   73%    59  Ready',
      'talos03       ....|...........   4%    0%  >=30 !    31%  16%   11%     9  Ready',
    ])
    expect(linesOf(homelabForTests, { ...berlin, width: 79 }).slice(-3)).toEqual([
      'NODE          CPU  USED  GOAL    AFTER  MEM  USED  PODS  STATE',
      'talos00       93%   57%  <=70 !    45%  82%   73%    59  Ready',
      'talos03        4%    0%  >=30 !    31%  16%   11%     9  Ready',
    ])
    expect(linesOf(homelabForTests, { ...berlin, width: 40 }).at(-2)).toBe('talos00       93%  <=70 !  82%  Ready')
  })

  test('has escapes only where colours are wanted, and the same words', () => {
    const painted = terminalText(homelabForTests, { ...berlin, width: 100, hasColours: true })
    expect(painted).toContain('\x1b[31m<=70 !')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(painted.replaceAll(/\x1b\[\d+m/g, '')).toBe(terminalText(homelabForTests, { ...berlin, width: 100 }))
  })
})

describe('the line of the plan', () => {
  // biome-ignore format: a table
  test.each([
    // phase       more                            says
    ['Proposed',   {},                             '15 moves, waiting for approval (press a)'],
    ['Proposed',   { moves: 0 },                   'nothing to move'],
    ['Running',    { done: 3 },                    '3 of 15 moves done'],
    ['Running',    { done: 3, failed: 1 },         '3 of 15 moves done, 1 failed !'],
    ['Paused',     { done: 3 },                    'paused, 3 of 15 moves done'],
    ['Succeeded',  { done: 15 },                   'over, 15 of 15 moves done'],
    ['Failed',     { done: 4, failed: 1 },         'failed !, 4 of 15 moves done, 1 failed !'],
    ['Expired',    { replacedBy: 'talos-80aa' },   'replaced by talos-80aa, 0 of 15 moves done'],
    ['Pending',    {},                             'being made'],
  ] as const)('%s %o', (phase, more, says) => {
    const overview = { ...homelabForTests, plan: { ...planForTests, phase, ...more } }
    expect(linesOf(overview, { width: 120, hasKeys: true })[1]).toBe(`plan talos-7f3c: ${says}       goals 0/2 met`)
  })

  test('offers keys only where keys are read and the action is allowed', () => {
    expect(linesOf(homelabForTests, { width: 120 })[1]).not.toContain('press')
    expect(linesOf({ ...homelabForTests, buttons: [] }, { width: 120, hasKeys: true })[1]).not.toContain('press')
  })

  test('D29: says below it why an approved plan does not run yet, in the words of the page', () => {
    const text = 'Approved. Starts at 04:00 (Europe/Berlin), in 5h12m.'
    const plan = {
      ...planForTests,
      phase: 'Approved' as const,
      sentences: [{ code: 'plan-approved', text, facts: {}, links: [] }],
    }
    expect(linesOf({ ...homelabForTests, plan }, { width: 120 })[2]).toBe(text)
    expect(linesOf({ ...homelabForTests, plan: { ...plan, phase: 'Succeeded' } }, { width: 120 })[2]).toMatch(/^NODE/)
  })

  test('without plan and goals says so', () => {
    expect(linesOf({ ...homelabForTests, plan: null, goals: [] }, { width: 120 })[1]).toBe('no plan       no goals')
  })
})

describe('what is not as it should be', () => {
  test('stands above the table in words', () => {
    const overview: Overview = {
      ...homelabForTests,
      freeze: { since: '2025-12-19T13:00:00Z', by: 'local', reason: 'update\x1b[2Jnight', scope: null },
      sources: [
        {
          name: 'metrics',
          state: 'stale',
          lastAt: '2025-12-19T13:00:00Z',
          limitMs: 120_000,
          because: 'metrics.k8s.io has not answered for 3m20s',
        },
        { name: 'power', state: 'off', lastAt: null, limitMs: 90_000, because: null },
      ],
      doing: [1, 2, 3, 4, 5].map(number => ({
        permit: String(number),
        move: null,
        since: '',
        sentence: { code: 'moving', text: `Moving ${number}`, facts: {}, links: [] },
      })),
    }
    expect(linesOf(overview, { ...berlin, width: 120 }).slice(2, 8)).toEqual([
      '! frozen by local since 14:00:00: update␛[2Jnight',
      '! metrics is stale: metrics.k8s.io has not answered for 3m20s',
      'Moving 1',
      'Moving 2',
      'Moving 3',
      'and 2 more at work',
    ])
  })

  test('a cluster that is loading has no table', () => {
    const text = 'Loading examples/talos-homelab: 61 of 412 objects'
    expect(linesOf({ ...homelabForTests, nodes: [], plan: null, loading: { text } }, { width: 100, height: 24 })).toEqual([
      expect.stringMatching(/^talos-homelab \(twin\) {10,}2025-12-19 13:03:20 {2}1x$/),
      text,
    ])
  })

  // biome-ignore format: a table
  test.each([
    // node                                                        cells
    [nodeForTests('a', small, { ready: false, readySince: '2025-12-19T13:01:45Z' }),       /Not ready for 95s !$/],
    [nodeForTests('a', small, { cordoned: true, draining: true }),                         /Draining$/],
    [nodeForTests('a', small, { cordoned: true }),                                         /Cordoned$/],
    [nodeForTests('a', { ...small, cpu: [1_040, 100, 1_000] }),                            /={5,}> +104% +10%/],
    [nodeForTests('a', { ...small, cpu: [500, null, 1_000] }),                             / 50% +– /],
    [nodeForTests('a', { ...small, cpu: [0, null, 0] }),                                   /^a +no allocatable reported +– +– /],
  ])('%#', (node, cells) => {
    expect(linesOf(withNodes([node]), { width: 120 }).at(-1)).toMatch(cells)
  })

  test('D11: near its goal a share has the decimals that tell it', () => {
    const near = nodeForTests('talos00', { ...small, cpu: [7_034, 100, 10_000] }, { goals: ['cp-light'] })
    expect(linesOf(withNodes([near]), { width: 120 }).at(-1)).toMatch(/ 70\.3% +1% +<=70 !/)
  })

  test('a goal on a node that is not known is not met, and says that it is not known', () => {
    const goals = homelabForTests.goals.map(goal => ({ ...goal, now: null }))
    expect(linesOf({ ...homelabForTests, goals }, { width: 122 }).at(-1)).toContain('>=30 ?')
  })
})

describe('rows', () => {
  const many = (count: number, more: (index: number) => Partial<NodeRow> = () => ({})) =>
    Array.from({ length: count }, (_, index) => nodeForTests(`node-${String(index).padStart(4, '0')}`, small, more(index)))

  test('that have no room are counted, and the next pages have them', () => {
    const overview = withNodes(many(40))
    const first = terminalView(overview, { width: 100, height: 10 })
    expect(first.lines.length).toBe(10)
    expect(plain(first.lines[9] ?? [])).toBe('… 35 more (PgDn)')
    const next = terminalView(overview, { width: 100, height: 10, offset: first.rows.shown })
    expect(next.lines.map(plain).slice(4)).toEqual([
      expect.stringMatching(/^node-0005 /),
      expect.stringMatching(/^node-0006 /),
      expect.stringMatching(/^node-0007 /),
      expect.stringMatching(/^node-0008 /),
      expect.stringMatching(/^node-0009 /),
      '… 5 before (PgUp), 30 more (PgDn)',
    ])
    const last = terminalView(overview, { width: 100, height: 10, offset: 1_000 })
    expect(last.rows).toEqual({ of: 40, shown: 5, from: 35 })
  })

  test('are filtered by name, zone, state and label, and say when none is left', () => {
    const overview = withNodes(many(4, index => ({ zone: index < 2 ? 'west' : 'east' })))
    const labelsOf = (name: string) => ({ pool: name === 'node-0003' ? 'big' : 'small' })
    const names = (filter: string) =>
      linesOf(overview, { width: 100, filter, labelsOf })
        .filter(line => line.startsWith('node'))
        .map(line => line.slice(0, 9))
    expect(names('west')).toEqual(['node-0000', 'node-0001'])
    expect(names('pool=big')).toEqual(['node-0003'])
    expect(names('east pool=small')).toEqual(['node-0002'])
    expect(linesOf(overview, { width: 100, filter: 'gone' }).at(-1)).toBe(
      'No node has "gone" in its name, zone, labels or state.',
    )
  })

  // biome-ignore format: a table
  test.each([
    ['cpu',          ['b', 'c', 'a', 'd']],
    ['-cpu',         ['a', 'c', 'b', 'd']],
    ['name',         ['a', 'b', 'c', 'd']],
    ['-name',        ['d', 'c', 'b', 'a']],
    ['memory-used',  ['d', 'a', 'b', 'c']],
    ['goal',         ['b', 'a', 'c', 'd']],
  ] as const)('sorted by %s', (sort, names) => {
    const node = (name: string, cpu: number | null, used: number | null, goals: readonly string[] = []) =>
      nodeForTests(name, { cpu: [cpu, 0, 1_000], memory: [0, used, 1_000], pods: 1 }, { goals })
    const overview = withNodes([node('a', 100, 300), node('b', 900, 200, ['cp-light']), node('c', 500, 100), node('d', null, 400)])
    const isReversed = sort.startsWith('-')
    const by = sort.replace(/^-/, '')
    const order = { by, isReversed }
    const sorted = terminalView(overview, { width: 100, order: order as NonNullable<ViewOptions['order']> })
    expect(sorted.lines.slice(-4).map(line => plain(line)[0])).toEqual(names)
  })

  test('of 5,000 nodes come after their zones, those that lack most first', () => {
    const rows = many(5_000, index => ({ zone: `zone-${index % 3}`, goals: index === 4_321 ? ['use-talos03'] : [] }))
    const overview: Overview = {
      ...homelabForTests,
      nodes: [],
      columns: columnsOfNodes(rows.map(row => (row.goals.length === 0 ? row : { ...row, cpu: { ...row.cpu, requested: 1 } }))),
      totals: { ...homelabForTests.totals, nodes: 5_000, pods: { allocatable: 1, count: 150_000 } },
    }
    const lines = linesOf(overview, { width: 122, height: 24 })
    expect(lines.length).toBe(24)
    expect(lines[0]).toMatch(/ {2}5000 nodes {2}150,000 pods {2}/)
    expect(lines.filter(line => line.startsWith('zone-'))).toHaveLength(3)
    expect(lines.find(line => line.startsWith('zone-0'))).toMatch(/ 50% +10% .* 5001 {2}1667 nodes$/)
    expect(lines.find(line => line.startsWith('node-'))).toMatch(/^node-4321 /)
    expect(lines.at(-1)).toMatch(/^… 49\d\d more \(PgDn\)$/)
  })

  test('of many nodes without zones come after their pools, and without pools there are no groups', () => {
    const overview = withNodes(many(100))
    const labelsOf = (name: string) => ({ 'karpenter.sh/nodepool': name < 'node-0050' ? 'spot' : 'fixed' })
    const lines = linesOf(overview, { width: 122, height: 24, labelsOf })
    expect(lines.filter(line => /50 nodes$/.test(line)).map(line => line.split(' ')[0])).toEqual(['fixed', 'spot'])
    expect(linesOf(overview, { width: 122, height: 24 }).some(line => /nodes$/.test(line))).toBe(false)
  })

  test('have the resources and labels that are asked for', () => {
    const node = nodeForTests('a', small, { watts: { now: 51_120, source: 'model' } })
    const options: ViewOptions = {
      width: 122,
      resources: ['pods', 'watts'],
      labels: ['example.org/rack', 'size'],
      labelsOf: () => ({ 'example.org/rack': 'r1' }),
    }
    const [heading, row] = linesOf(withNodes([node]), options).slice(-2)
    expect(heading).toMatch(/^NODE +RACK +SIZE +PODS {2}= there +REQ +COUNT +WATTS +NOW +BY +STATE$/)
    expect(row).toMatch(/^a +r1 +– +[.]+ +2% +3 +#+ +51\.1 W +model +Ready$/)
  })
})

describe('whatever comes', () => {
  const anyName = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constant('n'.repeat(253)),
    fc.constant('节点-‮<img onerror>'),
  )
  const anyAmount = fc.option(fc.integer({ min: -10, max: 2_000 }), { nil: null })
  const anyNode = fc
    .record({ name: anyName, cpu: anyAmount, used: anyAmount, all: fc.integer({ min: -1, max: 1_000 }), isHeld: fc.boolean() })
    .map(({ name, cpu, used, all, isHeld }) =>
      nodeForTests(name, { cpu: [cpu, used, all], memory: [cpu, used, all], pods: 1 }, isHeld ? { goals: ['cp-light'] } : {}),
    )

  test('no line is wider than the screen, none has a control character, and there are no more than fit', () => {
    fc.assert(
      fc.property(
        fc.array(anyNode, { maxLength: 80 }),
        fc.integer({ min: 20, max: 200 }),
        fc.option(fc.integer({ min: 4, max: 60 }), { nil: undefined }),
        fc.integer({ min: 0, max: 100 }),
        (nodes, width, height, offset) => {
          const { lines, rows } = terminalView(withNodes(nodes), { width, height, offset })
          for (const line of lines.map(plain)) {
            expect(columnsOf(line)).toBeLessThanOrEqual(width)
            expect(line).not.toMatch(/\p{Cc}|[\u202a-\u202e]/u)
          }
          if (height !== undefined) expect(lines.length).toBeLessThanOrEqual(height)
          else expect(rows.shown).toBe(nodes.length)
        },
      ),
    )
  })

  test('a bar has its length, and never more used than requested or used', () => {
    const figure = fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: null })
    fc.assert(
      fc.property(
        figure,
        figure,
        fc.integer({ min: 1, max: 9_000 }),
        fc.integer({ min: 1, max: 80 }),
        (requested, used, all, width) => {
          const drawn = bar({ allocatable: all, requested, used, goals: [] }, width)
          expect(drawn).toHaveLength(width)
          expect(drawn).toMatch(/^#*=*\.*>?$/)
          const filled = drawn.replaceAll('.', '').length
          expect(filled).toBe(Math.min(width, Math.floor((Math.max(requested ?? 0, used ?? 0) * width) / all)))
        },
      ),
    )
  })

  test('text is cut at columns, not at letters', () => {
    expect([cutTo('节点一', 5), cutTo('abc', 3), cutTo('abcd', 3), columnsOf('é')]).toEqual(['节点…', 'abc', 'ab…', 1])
  })
})
