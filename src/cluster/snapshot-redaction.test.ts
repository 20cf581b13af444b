import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { redactedAnnotation, SecretRedaction } from './snapshot-redaction.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const secret = (name: string, data: object, more: object = {}, annotations: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'shop', annotations: { ...annotations } },
  type: 'Opaque',
  data: { ...data },
  ...more,
})
const plain = (standIn: unknown) => Buffer.from(String(standIn), 'base64').toString()

describe('a Secret', () => {
  const redaction = new SecretRedaction()
  const db = redaction.redacted(secret('db', { user: base64('shop'), password: base64('hunter2-hunter2') }, { immutable: true }))
  const copy = redaction.redacted(secret('db-copy', { secret: base64('hunter2-hunter2') }))

  test('keeps its keys, type and immutability, and says that it is redacted', () => {
    expect(db).toMatchObject({ type: 'Opaque', immutable: true, metadata: { annotations: { [redactedAnnotation]: 'true' } } })
    expect(Object.keys(db['data'] ?? {})).toEqual(['user', 'password'])
  })

  test('has equal stand-ins for equal values, also in another, and others for others', () => {
    const texts = [...Object.values(db['data'] ?? {}), ...Object.values(copy['data'] ?? {})].map(plain)
    expect(texts).toEqual(['ballast-redacted:1', 'ballast-redacted:2', 'ballast-redacted:2'])
  })

  test('has in it neither a value nor a hash of it', () => {
    const text = JSON.stringify([db, copy])
    const digests = (['hex', 'base64'] as const).map(form => createHash('sha256').update('hunter2-hunter2').digest(form))
    for (const found of ['hunter2', base64('hunter2-hunter2'), ...digests, ...digests.map(digest => digest.slice(0, 16))])
      expect(text).not.toContain(found)
  })

  test('with stringData is one with data', () => {
    const written = new SecretRedaction().redacted(secret('a', { x: base64('one') }, { stringData: { y: 'one', z: 'two' } }))
    expect(written).not.toHaveProperty('stringData')
    expect(Object.entries(written['data'] ?? {}).map(([key, value]) => [key, plain(value)])).toEqual([
      ['x', 'ballast-redacted:1'],
      ['y', 'ballast-redacted:1'],
      ['z', 'ballast-redacted:2'],
    ])
  })

  test.each(['.dockerconfigjson', '.dockercfg'])('with %s has JSON there, as API servers insist', key => {
    const type = key === '.dockercfg' ? 'kubernetes.io/dockercfg' : 'kubernetes.io/dockerconfigjson'
    const pull = new SecretRedaction().redacted(secret('pull', { [key]: base64('{"auths":{}}') }, { type }))
    const standIn: unknown = JSON.parse(plain(Object.values(pull['data'] ?? {})[0]))
    expect(standIn).toEqual({ 'ballast-redacted:1': {} })
  })

  // biome-ignore format: a table
  test.each<[string, string, string, boolean]>([
    ['what kubectl applied last',        'kubectl.kubernetes.io/last-applied-configuration', '{}',                              false],
    ['a value in plain',                 'example.com/note',                                 'use hunter2-hunter2!',            false],
    ['a value in base64',                'example.com/note',                                 base64('hunter2-hunter2'),         false],
    ['what a tool packed',               'objectset.rio.cattle.io/applied',                  `H4sI${'x'.repeat(300)}`,          false],
    ['the account of a token',           'kubernetes.io/service-account.name',               'default',                         true],
    ['a switch',                         'reloader.stakater.com/match',                      'true',                            true],
  ])('annotation: %s', (_what, name, value, isKept) => {
    const redacted = new SecretRedaction().redacted(secret('a', { x: base64('hunter2-hunter2') }, {}, { [name]: value }))
    expect(Object.hasOwn(redacted.metadata.annotations ?? {}, name)).toBe(isKept)
  })

  test('without data, with null or with a shape of nobody comes through', () => {
    for (const data of [undefined, null, 'text', 7])
      expect(new SecretRedaction().redacted({ ...secret('a', {}), data })).not.toHaveProperty('data')
  })
})

test('only core Secrets are changed', () => {
  const map: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: 'y' } }
  const foreign: KubeObject = { apiVersion: 'vault.example/v1', kind: 'Secret', metadata: { name: 'a' }, data: { x: 'y' } }
  expect([map, foreign].map(object => new SecretRedaction().redacted(object))).toEqual([map, foreign])
})

test('whatever the values are, none of them is in the text, and the same Secrets give the same text', () => {
  const value = fc
    .string({ minLength: 6, maxLength: 40 })
    .filter(text => !'ballast-redacted:'.includes(text) && /[^\w:-]/.test(text))
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), data => {
      const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [`k${key}`, base64(text)]))
      const object = secret('a', encoded, {}, Object.fromEntries(Object.entries(data).map(([, text]) => ['note', text])))
      const text = JSON.stringify(new SecretRedaction().redacted(object))
      expect(JSON.stringify(new SecretRedaction().redacted(object))).toBe(text)
      const { annotations } = new SecretRedaction().redacted(object).metadata
      for (const [key, found] of Object.entries(encoded)) {
        expect(text.replace(JSON.stringify(key), '')).not.toContain(found)
        expect(Object.values(annotations ?? {}).join()).not.toContain(data[key.slice(1)])
      }
    }),
  )
})
