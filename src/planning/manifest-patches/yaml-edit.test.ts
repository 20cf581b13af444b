import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { withValue } from './yaml-edit.ts'

const wish = {
  nodeAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      { weight: 100, preference: { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['n3'] }] } },
    ],
  },
}
const path = ['spec', 'template', 'spec', 'affinity']

/** Lines that were taken away (`-`) or put in (`+`). */
function difference(before: string, after: string | undefined): readonly string[] {
  const [old, now] = [before.split('\n'), (after ?? '').split('\n')]
  let start = 0
  while (start < old.length && old[start] === now[start]) start++
  let end = 0
  while (end < old.length - start && end < now.length - start && old.at(-1 - end) === now.at(-1 - end)) end++
  return [
    ...old.slice(start, old.length - end).map(line => `-${line}`),
    ...now.slice(start, now.length - end).map(line => `+${line}`),
  ]
}

const plain = `# the app
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }   # flow stays flow
spec:
    template:
        spec:
            containers:   # odd indentation
            - name: "web"
              image: 'web:1'

              args: [ "--a",   "--b" ]
# after

---
kind: Service
`

describe('affinity that is not there', () => {
  test("goes in after the last line of the pod's spec; nothing else changes", () => {
    const after = withValue(plain, { document: 0, path }, wish)
    expect(difference(plain, after)).toEqual([
      '+            affinity:',
      '+              nodeAffinity:',
      '+                preferredDuringSchedulingIgnoredDuringExecution:',
      '+                - weight: 100',
      '+                  preference:',
      '+                    matchExpressions:',
      '+                    - key: kubernetes.io/hostname',
      '+                      operator: In',
      '+                      values:',
      '+                      - n3',
    ])
  })

  test('the same again changes nothing', () => {
    const once = withValue(plain, { document: 0, path }, wish) ?? ''
    expect(withValue(once, { document: 0, path }, wish)).toBe(once)
  })

  test('lines that end with CRLF keep doing so', () => {
    const crlf = plain.replaceAll('\n', '\r\n')
    const after = withValue(crlf, { document: 0, path }, wish) ?? ''
    expect(after.replaceAll('\r\n', '')).not.toContain('\n')
    expect(after.replaceAll('\r\n', '\n')).toBe(withValue(plain, { document: 0, path }, wish))
  })

  test('a file without a last newline', () => {
    const after = withValue('spec:\n  template:\n    spec:\n      a: 1', { document: 0, path }, { x: 1 })
    expect(after).toBe('spec:\n  template:\n    spec:\n      a: 1\n      affinity:\n        x: 1\n')
  })

  test('after a block of text', () => {
    const before = 'spec:\n  template:\n    spec:\n      a: |\n        one\n        two\nb: 1\n'
    expect(difference(before, withValue(before, { document: 0, path }, 7))).toEqual(['+      affinity: 7'])
  })
})

const held = `spec:
  template:
    spec:
      affinity:
        podAntiAffinity: {}   # keep apart
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            # the fast ones
            - weight: 10
              preference:
                matchExpressions:
                  - {key: disk, operator: In, values: [ssd]}
      containers: []
`

test('a wish goes in after those that are there', () => {
  const value = { ...parse(held).spec.template.spec.affinity }
  const terms = value.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution
  const after = withValue(
    held,
    { document: 0, path },
    {
      ...value,
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          ...terms,
          ...wish.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution,
        ],
      },
    },
  )
  const lines = difference(held, after)
  expect(lines[0]).toBe('+            - weight: 100')
  expect(lines.every(line => line.startsWith('+'))).toBe(true)
})

test('what stands in braces is written anew, and only that', () => {
  const before = 'a: 1  # one\nspec:\n  template: {spec: {containers: [{name: web}]}} # short\nz: "26"\n'
  const after = withValue(before, { document: 0, path }, { x: 1 })
  expect(difference(before, after)).toEqual([
    '-  template: {spec: {containers: [{name: web}]}} # short',
    expect.stringMatching(/^\+ {2}template: \{spec: \{containers: \[\{name: web\}\], affinity: \{x: 1\}\}\}/),
  ])
  expect(parse(after ?? '')).toEqual({
    a: 1,
    spec: { template: { spec: { containers: [{ name: 'web' }], affinity: { x: 1 } } } },
    z: '26',
  })
})

test('a value that changes changes on its line', () => {
  const before = 'kind: PodDisruptionBudget\nspec:\n  minAvailable: 1 # all of it\n'
  expect(withValue(before, { document: 0, path: ['spec', 'minAvailable'] }, '50%')).toBe(
    'kind: PodDisruptionBudget\nspec:\n  minAvailable: 50% # all of it\n',
  )
})

test('an item of a List', () => {
  const before = 'kind: List\nitems:\n- kind: Deployment\n  spec:\n    template:\n      spec:\n        a: 1\n- kind: Service\n'
  expect(difference(before, withValue(before, { document: 0, path: ['items', 0, ...path] }, 7))).toEqual(['+        affinity: 7'])
})

// biome-ignore format: a table
test.each([
  ['YAML that is broken', 'a: [', ['a']],
  ['a document that is not there', 'a: 1\n', ['a'], 3],
  ['anchors: what is shared', 'a: &x {b: 1}\nc: *x\n', ['a', 'd']],
  ['... in a block', 'a: &x\n  b: 1\nc: *x\n', ['a', 'd']],
  ['... by its other name', 'a: &x\n  b: 1\nc: *x\n', ['c', 'd']],
])('%s: nothing is changed', (_what, text, at, document = 0) => expect(withValue(text, { document, path: at }, { new: 1 })).toBeUndefined())

test('anchors elsewhere stay as they are', () => {
  const before = 'a: &x\n  b: 1\nc: *x\nspec:\n  e: 2\n'
  expect(difference(before, withValue(before, { document: 0, path: ['spec', 'd'] }, 3))).toEqual(['+  d: 3'])
})

test('for any manifest: what is read afterwards is what was there with the one change, and every line that goes comes back', () => {
  const key = fc.constantFrom('name', 'image', 'replicas', 'labels', 'args', 'env', 'x')
  const scalar = fc.oneof(
    fc.integer(),
    fc.boolean(),
    fc.string({ maxLength: 12 }),
    fc.constant(null),
    fc.constant('a: b # c\n- d\n'),
  )
  const value = fc.letrec(tie => ({
    node: fc.oneof(
      { depthSize: 'small' },
      scalar,
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(key, tie('node'), { maxKeys: 3 }),
    ),
  })).node
  const manifest = fc.record({
    spec: fc.record({ template: fc.record({ spec: fc.dictionary(key, value, { minKeys: 1, maxKeys: 4 }) }) }),
    extra: value,
  })
  const style = fc.record({
    indentSeq: fc.boolean(),
    indent: fc.constantFrom(2, 4),
    collectionStyle: fc.constantFrom('any' as const, 'block' as const),
  })
  fc.assert(
    fc.property(fc.array(manifest, { minLength: 1, maxLength: 3 }), style, fc.nat(2), (manifests, options, pick) => {
      const at = pick % manifests.length
      const text = manifests.map(one => `# a comment\n${stringify(one, options)}`).join('---\n')
      // The printer puts empty collections where the parser does not want them.
      fc.pre(Array.from(parseAllDocuments(text)).every(({ errors }) => errors.length === 0))
      const after = withValue(text, { document: at, path }, wish)
      expect(after).toBeDefined()
      const read = Array.from(parseAllDocuments(after ?? '')).map(document => document.toJS())
      const wanted = Array.from(parseAllDocuments(text)).map(document => document.toJS())
      wanted[at].spec.template.spec = { ...wanted[at].spec.template.spec, affinity: wish }
      expect(read).toEqual(wanted)
      expect((after ?? '').split('# a comment').length).toBe(text.split('# a comment').length)
      expect(withValue(after ?? '', { document: at, path }, wish)).toBe(after)
    }),
    { numRuns: 200 },
  )
})
