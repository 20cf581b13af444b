// The living view at a virtual clock: keys, actions, how often it draws, other sizes, and how it ends.
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { ActionBody, ActionButton, ActionDone, ActionName, Overview } from '../contract.ts'
import { LoadingSource } from '../source/loading-source.ts'
import { KeyReader } from './keys.ts'
import { LiveView, type LiveViewOptions } from './live-view.ts'
import { homelabForTests, nodeForTests, planForTests } from './overview-for-tests.ts'
import { type Screen, wholeScreen } from './screen.ts'
import { terminalModel } from './screen-for-tests.ts'

const button = (action: ActionName, more: Partial<ActionButton> = {}): ActionButton => ({
  action,
  label: action,
  enabled: true,
  because: null,
  kubectl: `kubectl ${action}`,
  body: { plan: 'talos-7f3c' },
  prominent: false,
  confirm: null,
  ...more,
})

interface Site {
  overview: Overview
  change(): void
  readonly clock: VirtualClock
  readonly terminal: ReturnType<typeof terminalModel>
  readonly asked: { readonly action: ActionName; readonly body: ActionBody }[]
  readonly ends: string[]
  readonly view: LiveView
  drawings: number
  shown(): string
}

/** A view of the homelab on a terminal of 122 by 20. */
function site(more: Partial<LiveViewOptions> = {}, size: readonly [number, number] = [122, 20]): Site {
  const clock = new VirtualClock(0)
  const terminal = terminalModel(...size)
  const listeners = new Set<() => void>()
  const screen = wholeScreen(terminal.tty)
  const counting: Screen = {
    ...screen,
    draw: lines => {
      found.drawings++
      screen.draw(lines)
    },
  }
  const asked: Site['asked'] = []
  const ends: string[] = []
  const act = (action: ActionName, body: ActionBody): Promise<ActionDone> => {
    asked.push({ action, body })
    return Promise.resolve({ done: true, kubectl: `kubectl ${action}`, revision: 'e1.8' })
  }
  const found: Omit<Site, 'view'> = {
    overview: homelabForTests,
    change: () => {
      for (const listener of listeners) listener()
    },
    clock,
    terminal,
    asked,
    ends,
    drawings: 0,
    shown: () => terminal.lines().join('\n'),
  }
  const view = new LiveView({
    tty: terminal.tty,
    screen: counting,
    source: {
      current: LoadingSource.prototype.current,
      onChange: listener => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    overview: () => found.overview,
    clock,
    hasColours: false,
    act,
    onEnd: () => ends.push('end'),
    onInterrupt: () => ends.push('interrupt'),
    onSuspend: () => ends.push('suspend'),
    ...more,
  })
  return Object.assign(found, { view })
}

/** Types keys, one after the other, and lets the view draw. */
async function press(at: Site, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) at.terminal.type(key)
  await at.clock.advance(500)
}

describe('drawing', () => {
  test('happens at once, and then at most four times a second, whatever happens', async () => {
    const at = site()
    expect(at.shown()).toContain('talos00       ######')
    expect(at.drawings).toBe(1)
    for (let ms = 0; ms < 2_000; ms += 10) {
      at.change()
      at.terminal.type('s')
      await at.clock.advance(10)
    }
    expect(at.drawings).toBeGreaterThan(6)
    expect(at.drawings).toBeLessThanOrEqual(9)
  })

  test('goes on with the clock though nothing changes', async () => {
    const at = site()
    at.overview = { ...homelabForTests, now: '2025-12-19T14:05:00+01:00' }
    await at.clock.advance(1_000)
    expect(at.shown()).toContain('13:05:00')
  })

  test('follows the size of the terminal', async () => {
    const at = site()
    at.terminal.resize(60, 20)
    await at.clock.advance(500)
    expect(at.terminal.lines().at(-3)).toBe('talos00       93%   57%  <=70 !  82%   73%    59  Ready')
  })

  test('ends with the terminal as it was, and with no timer left', () => {
    const at = site()
    at.view[Symbol.dispose]()
    expect([at.terminal.isAlternate, at.terminal.hasCursor, at.terminal.isReadingKeys, at.clock.pending]).toEqual([
      false,
      true,
      false,
      0,
    ])
    at.change()
    expect(at.clock.pending).toBe(0)
  })
})

describe('keys', () => {
  // biome-ignore format: a table
  test.each([
    ['m',      /NODE +MEMORY {2}# used {2}= requested +REQ +USED +AFTER +CPU/],
    ['p',      /NODE +PODS {2}= there +REQ +COUNT +AFTER +CPU/],
    ['w',      /NODE +WATTS {2}# of the highest +NOW +BY +CPU/],
    ['?',      /space {7}pause the plan, or resume it/],
    ['s',      /s sort \(name\)/],
    ['/tal',   /filter: tal_/],
    ['a',      /Approve talos-7f3c: 15 moves\? Press y to do it\./],
    ['ax',     /Nothing was done\./],
    ['o',      /There is no page here: ballast dashboard has one\./],
    [' ',      /Nothing is being moved\./],
    ['-',      /It goes at the pace of real time\./],
  ])('%s', async (keys, shows) => {
    const at = site()
    await press(at, ...keys)
    expect(at.shown()).toMatch(shows)
    expect(at.asked).toEqual([])
  })

  test('a and y approve what was seen, and say what was done', async () => {
    const at = site()
    await press(at, 'a')
    expect(at.asked).toEqual([])
    await press(at, 'y')
    expect(at.asked).toEqual([{ action: 'approve', body: { plan: 'talos-7f3c', snapshotHash: 'abc', revision: 'e1.7' } }])
    expect(at.shown()).toContain('Done; this command does the same: kubectl approve')
    await press(at, 'y')
    expect(at.asked).toHaveLength(1)
    await press(at, ' ')
    expect(at.shown()).toContain('Nothing is being moved.')
    await at.clock.advance(11_000)
    expect(at.shown()).toMatch(/\? help .*q quit$/)
  })

  test('space pauses what runs and resumes what is paused', async () => {
    const at = site()
    at.overview = { ...homelabForTests, plan: { ...planForTests, phase: 'Running' }, buttons: [button('pause')] }
    await press(at, ' ')
    at.overview = { ...at.overview, buttons: [button('pause', { enabled: false }), button('resume')] }
    await press(at, ' ')
    expect(at.asked.map(({ action }) => action)).toEqual(['pause', 'resume'])
  })

  test('n asks once more where the action says so', async () => {
    const at = site()
    const confirm = { pods: 1, workloads: 1, text: 'One pod of monitoring/loki is evicted.' }
    at.overview = { ...homelabForTests, buttons: [button('step', { confirm })] }
    await press(at, 'n')
    expect(at.shown()).toContain('One pod of monitoring/loki is evicted. Press y to do it.')
    await press(at, 'y')
    at.overview = { ...homelabForTests, buttons: [button('step')] }
    await press(at, 'n')
    expect(at.asked.map(({ action }) => action)).toEqual(['step', 'step'])
  })

  test('what is disabled says why, and what only reads says so', async () => {
    const because = 'Your account lacks patch on rebalanceplans (ballast.dev).'
    const at = site()
    at.overview = { ...homelabForTests, buttons: [button('approve', { enabled: false, because })] }
    await press(at, 'a')
    expect(at.shown()).toContain(because)
    const reading = site({ act: undefined, readOnly: 'This view only reads: ballast top does nothing.' })
    await press(reading, 'a')
    expect(reading.shown()).toContain('This view only reads: ballast top does nothing.')
    expect(reading.shown()).not.toContain('press a')
  })

  test('a refusal is said with its remedy', async () => {
    const at = site({ act: () => Promise.resolve({ message: 'The plan was replaced.', remedy: 'Look at talos-80aa.' }) })
    await press(at, 'a', 'y')
    expect(at.shown()).toContain('! The plan was replaced. Look at talos-80aa.')
  })

  // biome-ignore format: a table
  test.each([
    // speed   key   action         body
    [1,        '+',  'twin/speed',  { speed: 10 }],
    [60,       '-',  'twin/speed',  { speed: 10 }],
    [600,      '+',  'twin/speed',  { speed: 'max' }],
    [null,     '-',  'twin/speed',  { speed: 600 }],
    [0,        '+',  'twin/run',    {}],
  ] as const)('at speed %s %s is %s %o', async (speed, key, action, body) => {
    const at = site()
    at.overview = { ...homelabForTests, speed }
    await press(at, key)
    expect(at.asked).toEqual([{ action, body: { ...body, revision: 'e1.7' } }])
  })

  test('PgDn and PgUp turn pages; the filter narrows them', async () => {
    const at = site({}, [122, 10])
    const nodes = Array.from({ length: 30 }, (_, index) =>
      nodeForTests(`node-${10 + index}`, { cpu: [1, 1, 2], memory: [1, 1, 2], pods: 1 }),
    )
    at.overview = { ...homelabForTests, nodes }
    await at.clock.advance(1_000)
    await press(at, '\x1b[6~')
    expect(at.shown()).toMatch(/node-15.*… 5 before \(PgUp\), 20 more \(PgDn\)/s)
    await press(at, '\x1b[5~')
    expect(at.shown()).toMatch(/node-10.*… 25 more \(PgDn\)/s)
    await press(at, '/', '3', '9', '\r')
    expect(at.terminal.lines()[3]).toMatch(/^node-39 /)
    expect(at.shown()).toContain('/ filter (39)')
    await press(at, '\x1b')
    expect(at.terminal.lines()[3]).toMatch(/^node-10 /)
  })

  test('q, Ctrl-C and Ctrl-Z are handed on, also while a filter is typed', async () => {
    const at = site()
    await press(at, 'q', '/', 'q', '\x03', '\x1a')
    expect(at.ends).toEqual(['end', 'interrupt', 'suspend'])
  })
})

// biome-ignore format: a table
test.each([
  [['\x1b[5~\x1b[6~'],            ['PgUp', 'PgDn']],
  [['\x1b[', '6~a'],              ['PgDn', 'a']],
  [['\x1b'],                      ['Esc']],
  [['\x1b[A\x1bOB\x1b[H'],        ['Up', 'Down', 'Home']],
  [['\x1b[200~a\x1b[201~'],       ['a']],
  [['\x1b[<0;1;1M', 'é\r\x7f\x00'], ['é', 'Enter', 'Backspace']],
  [['\x1b\x1b[5~'],               ['Esc', 'PgUp']],
] as const)('keys of %j', (pieces, keys) => {
  const reader = new KeyReader()
  expect(pieces.flatMap(piece => reader.read(piece))).toEqual(keys)
})
