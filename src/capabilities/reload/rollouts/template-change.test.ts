import { describe, expect, test } from 'vitest'
import { source, workload } from '../testdata/workloads.ts'
import { readLastReload } from './last-reloaded-from.ts'
import { changeOf, type Mark, type MarkedChange, markOf } from './template-change.ts'

const sha1 = '8a0e251f3cf965f6b2d11af19178fb20cbc6d403'
const name = 'STAKATER_APP_CONFIG_CONFIGMAP'
const lastReloaded = 'reloader.stakater.com/last-reloaded-from'
const nowMs = 1_700_000_000_999
const reference = source().reference
const update: MarkedChange = { source: reference, event: 'update', container: 'app', sha1, collides: false, changedAtMs: nowMs }
const having = (...values: readonly (string | undefined)[]) =>
  workload({
    pod: {
      containers: values.map((value, index) => ({
        name: index === 0 ? 'app' : `other-${index}`,
        env: [{ name: 'A', value: 'b' }, ...(value === undefined ? [] : [{ name, value }])],
      })),
    },
  })

const set = (value: string): Mark => ({ kind: 'set', container: 'app', name, value })
const alreadyWritten: Mark = { kind: 'already-written' }

describe('the strategy env-vars', () => {
  const ofClass: MarkedChange = { ...update, source: { type: 'secretproviderclass', namespace: 'default', name: 'app-config' } }
  const nameOfClass = 'STAKATER_APP_CONFIG_SECRETPROVIDERCLASS'
  test.each<[string, ReturnType<typeof workload>, MarkedChange, Mark]>([
    ['S1 no variable yet', having(undefined), update, set(sha1)],
    ['S1 another hash', having('0123'), update, set(sha1)],
    ['S2 the same hash', having(sha1), update, alreadyWritten],
    [
      'S4 a deletion takes the variable away',
      having('0123'),
      { ...update, event: 'delete', sha1: '' },
      { kind: 'remove', container: 'app', name },
    ],
    ['S4 a deletion without a variable', having(undefined), { ...update, event: 'delete', sha1: '' }, alreadyWritten],
    ['a collision beside the hash', having(sha1), { ...update, collides: true }, set(`${sha1}-1`)],
    ['a collision beside one', having(`${sha1}-1`), { ...update, collides: true }, set(`${sha1}-2`)],
    ['the hash of another container is of no matter', having(undefined, sha1), update, set(sha1)],
  ])('%s', (_, facts, change, mark) => {
    expect(markOf(facts, change, { strategy: 'env-vars', nowMs })).toEqual(mark)
  })

  test.each<[string, readonly (string | undefined)[], Mark['kind']]>([
    ['the first container that has the variable has the hash', [undefined, sha1], 'already-written'],
    ['the first that has it has another', [undefined, 'old', sha1], 'set'],
    ['none has it', [undefined, undefined], 'set'],
  ])('of a SecretProviderClass, %s', (_, values, kind) => {
    const containers = values.map((value, index) => ({
      name: `c${index}`,
      env: value === undefined ? [] : [{ name: nameOfClass, value }],
    }))
    expect(markOf(workload({ pod: { containers } }), { ...ofClass, container: 'c0' }, { strategy: 'env-vars', nowMs }).kind).toBe(
      kind,
    )
  })
})

describe('the strategy annotations', () => {
  const written = (change: MarkedChange, text?: string) => {
    const facts = workload({ ...(text !== undefined && { templateAnnotations: { [lastReloaded]: text } }) })
    return markOf(facts, change, { strategy: 'annotations', nowMs })
  }
  const textOf = (mark: Mark) => (mark.kind === 'annotate' ? mark.text : mark.kind)

  test("S3 upstream's text, to the letter", () => {
    expect(textOf(written(update))).toBe(
      `{"type":"CONFIGMAP","name":"app-config","namespace":"default","hash":"${sha1}","containerRefs":["app"],"observedAt":1700000000}`,
    )
  })

  test('S5 a deletion has a hash of its own', () => {
    const text = textOf(written({ ...update, event: 'delete', sha1: '' }))
    expect(readLastReload(text)?.hash).toBe('aae45badef99284e4dae01d6046154ea9d99532f')
  })

  test.each<[string, MarkedChange, Readonly<Record<string, unknown>>, Mark['kind']]>([
    [
      'the hash of the same source was written',
      update,
      { type: 'CONFIGMAP', name: 'app-config', namespace: 'default', hash: sha1 },
      'already-written',
    ],
    [
      'in the form of v2',
      update,
      { kind: 'configmap', name: 'app-config', namespace: 'default', hash: sha1, reloadedAt: '2026-01-01T00:00:00Z' },
      'already-written',
    ],
    ['another hash', update, { type: 'CONFIGMAP', name: 'app-config', namespace: 'default', hash: 'x' }, 'annotate'],
    ['another source', update, { type: 'SECRET', name: 'app-config', namespace: 'default', hash: sha1 }, 'annotate'],
    [
      'a collision',
      { ...update, collides: true },
      { type: 'CONFIGMAP', name: 'app-config', namespace: 'default', hash: sha1 },
      'annotate',
    ],
    [
      'a deletion after an earlier one',
      { ...update, event: 'delete', changedAtMs: nowMs },
      {
        type: 'CONFIGMAP',
        name: 'app-config',
        namespace: 'default',
        hash: 'aae45badef99284e4dae01d6046154ea9d99532f',
        observedAt: 1,
      },
      'annotate',
    ],
    [
      'the same deletion, told again',
      { ...update, event: 'delete', changedAtMs: nowMs },
      {
        type: 'CONFIGMAP',
        name: 'app-config',
        namespace: 'default',
        hash: 'aae45badef99284e4dae01d6046154ea9d99532f',
        observedAt: 1_700_000_000,
      },
      'already-written',
    ],
    [
      "upstream's rule for a SecretProviderClass: name and hash anywhere in the text",
      { ...update, source: { type: 'secretproviderclass', namespace: 'default', name: 'spc' } },
      { note: `spc ${sha1}` },
      'already-written',
    ],
  ])('%s', (_, change, standing, kind) => {
    expect(written(change, JSON.stringify(standing)).kind).toBe(kind)
  })

  test.each(['', 'null', '[]', '{', '{"type":1,"name":"app-config","hash":"x"}', '{"__proto__":{"type":"CONFIGMAP"}}'])(
    'the text %j of somebody else stops nothing',
    text => {
      expect(written(update, text).kind).toBe('annotate')
    },
  )
})

describe('several marks in one change', () => {
  test('variables, removals and the last annotation', () => {
    const marks: readonly Mark[] = [
      set('1'),
      { kind: 'set', container: 'app', name: 'B', value: '2' },
      { kind: 'remove', container: 'app', name: 'C' },
      { kind: 'annotate', text: 'first' },
      { kind: 'annotate', text: 'last' },
    ]
    expect(changeOf(marks)).toEqual({
      changes: {
        env: [
          { container: 'app', name, value: '1' },
          { container: 'app', name: 'B', value: '2' },
        ],
        annotations: { [lastReloaded]: 'last' },
      },
      removals: [{ container: 'app', name: 'C' }],
    })
  })

  test('of two for one variable the last holds', () => {
    expect(changeOf([set('1'), set('2')]).changes.env).toEqual([{ container: 'app', name, value: '2' }])
    expect(changeOf([{ kind: 'remove', container: 'app', name }, set('2')])).toEqual({
      changes: { env: [{ container: 'app', name, value: '2' }] },
      removals: [],
    })
  })

  test('nothing to write is no change', () => {
    expect(changeOf([alreadyWritten])).toEqual({ changes: {}, removals: [] })
  })
})
