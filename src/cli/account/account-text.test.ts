import pc from 'picocolors'
import { describe, expect, test } from 'vitest'
import type { Account } from '#coordination/account/account.ts'
import { accountDocument } from '#coordination/account/account-document.ts'
import type { Entry } from '#coordination/account/entry.ts'
import { accountLines } from './account-text.ts'

const plain = pc.createColors(false)
const controlCharacter = String.fromCharCode(27)
const atMs = Date.parse('2026-03-02T04:00:00Z')

function entry(change: Partial<Entry> = {}): Entry {
  return {
    atMs: atMs - 600_000,
    who: 'deschedule',
    what: 'evict Pod shop/cart-a',
    decision: 'Granted',
    outcome: 'done',
    sentence: 'done after 14 s: landed on n3',
    because: ['plan p-1 of policy p moves it from n1 to n3'],
    permit: 'shop/evict-cart-a-7',
    ...change,
  }
}

function account(change: Partial<Account> = {}): Account {
  return {
    subject: { kind: 'node', name: 'n1', isGone: false },
    shown: 'Deployment shop/cart',
    atMs,
    isPast: false,
    about: ['belongs to descheduler (label of the workload)'],
    entries: [],
    out: [],
    now: [],
    obstacles: [],
    unknown: [],
    ...change,
    ...(change.subject === undefined
      ? {
          subject: {
            kind: 'workload',
            workload: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'u' },
            key: 'shop/Deployment/cart',
            askedFor: undefined,
            pod: undefined,
            isGone: false,
          },
        }
      : {}),
  }
}

const cooling: Account['now'][number] = {
  question: 'move',
  words: 'move it',
  asked: 'evict Pod shop/cart-b',
  requester: 'deschedule',
  class: 'balance',
  mode: 'enforce',
  decision: 'Queued',
  objections: [
    {
      rule: 'cool-down',
      reason: 'CoolDown',
      decision: 'Queued',
      sentence: 'a pod was replaced',
      wayOut: 'wait',
      fromMs: atMs + 3_600_000,
      holds: true,
      data: {},
    },
  ],
  into: undefined,
  planner: [{ policy: 'p', reason: 'NamespaceExcluded', sentence: 'namespace shop is excluded', wayOut: undefined }],
}

test('one account, as it is read', () => {
  const lines = accountLines(
    account({
      entries: [
        entry(),
        entry({
          atMs: atMs - 60_000,
          isLatest: true,
          decision: undefined,
          outcome: 'not-done',
          what: 'move m02 of plan p-1',
          sentence: 'it was left out: too soon',
          because: [],
          wayOut: 'spec:\n  template: {}',
          permit: 'x',
        }),
      ],
      now: [cooling],
      obstacles: [
        {
          rule: 'cool-down',
          reason: 'CoolDown',
          sentence: 'a pod was replaced',
          wayOut: 'arbiter.cooldowns says how long',
          before: [
            { question: 'move', fromMs: atMs + 3_600_000 },
            { question: 'resize', fromMs: undefined },
            { question: 'drain', fromMs: undefined },
          ],
        },
      ],
    }),
    undefined,
    plain,
  )
  expect(`\n${lines.join('\n')}\n`).toBe(`
Deployment shop/cart
  belongs to descheduler (label of the workload)

What happened (UTC, oldest first)
  │ 2026-03-02
  ● 03:50:00 deschedule Granted: evict Pod shop/cart-a
  │   done after 14 s: landed on n3
  │   because plan p-1 of policy p moves it from n1 to n3
  │   permit shop/evict-cart-a-7
  ✗ ≤03:59:00 deschedule: move m02 of plan p-1
  │   it was left out: too soon
  │   way out: spec: ... (-o yaml has it whole)
  │   permit x

What the arbiter says now
  by the default configuration
  ◌ move it: Queued until 2026-03-02T05:00:00Z by cool-down, planner
      (NamespaceExcluded) (deschedule, class balance)

What stands in the way, and what would change it
  cool-down, before resize and drain, move until 2026-03-02T05:00:00Z: a pod was
    replaced [CoolDown]
    way out: arbiter.cooldowns says how long
`)
})

describe('what is told otherwise', () => {
  const told = (change: Partial<Account>, settingsFrom?: string) => accountLines(account(change), settingsFrom, plain).join('\n')
  const objection = (change: object) => ({
    ...cooling,
    planner: [],
    objections: cooling.objections.map(one => ({ ...one, ...change })),
  })

  // biome-ignore format: a table
  test.each([
    ['nothing is known',              {},                                                                             'nothing is known: no permit'],
    ['a past',                        { isPast: true, now: [cooling] },                                               'What the arbiter would have said at 2026-03-02T04:00:00Z'],
    ['what cannot be known',          { unknown: ['events are kept for an hour'] },                                   'What cannot be known any more\n  events are kept'],
    ['a rule that is only noted',     { now: [{ ...objection({ holds: false }), decision: 'Granted', mode: 'observe' }] } as const, '● move it: Granted (deschedule, class balance)\n      only noted in mode observe: cool-down: a pod was replaced'],
    ['a wait whose end is not known', { now: [objection({ fromMs: undefined })] },                                    'move it: Queued by cool-down'],
    ['what goes along',               { now: [{ ...objection({ holds: false }), decision: 'Coalesced', into: 'restart-cart-9' }] } as const, 'move it: Coalesced into restart-cart-9'],
    ['nothing to do',                 { now: [{ ...objection({}), decision: 'NoOp' }] } as const,                     'move it: nothing to do by cool-down'],
    ['what no plan asks for',         { now: [{ ...cooling, decision: 'Granted', objections: [] }] } as const,        '✗ move it: Granted, but not asked for by planner (NamespaceExcluded)'],
    ['a node, without what its workloads tell', { subject: { kind: 'node', name: 'n1', isGone: false }, entries: [entry()] } as const, '● 03:50:00 deschedule Granted: evict Pod shop/cart-a\n  │   done after 14 s: landed on n3\n\n'],
    ['a drain of a node',             { subject: { kind: 'node', name: 'n1', isGone: false }, now: [{ ...cooling, question: 'drain', words: 'drain it' }] } as const, 'drain it: Queued'],
  ])('%s', (_name, change, says) => {
    expect(`${told(change)}\n`).toContain(says)
  })

  test('whose configuration', () => {
    expect(told({ now: [cooling] }, 'ConfigMap ballast-system/ballast-config')).toContain(
      'by the configuration of ConfigMap ballast-system/ballast-config',
    )
  })
})

test('colours are only there where they are asked for', () => {
  const coloured = accountLines(account({ entries: [entry()] }), undefined, pc.createColors(true)).join('\n')
  expect(coloured).toContain(`${controlCharacter}[32m  ● 03:50:00`)
  expect(coloured.replaceAll(new RegExp(`${controlCharacter}\\[\\d+m`, 'g'), '')).toBe(
    accountLines(account({ entries: [entry()] }), undefined, plain).join('\n'),
  )
})

test('a note cannot make the terminal do anything', () => {
  const bell = String.fromCharCode(7)
  const hostile = entry({
    sentence: `${controlCharacter}]0;owned${bell} ${controlCharacter}[2J${controlCharacter}[31mred`,
    who: `a${controlCharacter}[1A`,
  })
  const text = accountLines(account({ entries: [hostile] }), undefined, plain).join('')
  expect(text).toContain('red')
  expect(text).not.toMatch(/\p{Cc}/u)
})

test('as data: times in words, nothing that does not apply', () => {
  const document = accountDocument(account({ entries: [entry({ because: [] })], now: [cooling] }), 'file.yaml')
  expect(document).toMatchObject({
    subject: 'Deployment shop/cart',
    configuration: 'file.yaml',
    at: '2026-03-02T04:00:00Z',
    now: [{ question: 'move', objections: [{ rule: 'cool-down', from: '2026-03-02T05:00:00Z' }] }],
  })
  expect(document.entries[0]).toMatchObject({ at: '2026-03-02T03:50:00Z', permit: 'shop/evict-cart-a-7' })
  expect(document.entries[0]).not.toHaveProperty('because')
  expect(document.entries[0]).not.toHaveProperty('atMs')
})
