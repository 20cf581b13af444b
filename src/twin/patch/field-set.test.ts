import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { builtInSchema } from '../schema/schema-table.ts'
import { changedFields } from './changed-fields.ts'
import {
  difference,
  type FieldSet,
  fromFieldsV1,
  intersection,
  isEmptySet,
  paths,
  pathText,
  toFieldsV1,
  union,
} from './field-set.ts'

const element = fc.constantFrom('f:a', 'f:b', 'k:{"name":"c"}', 'v:"x"')
const leaf: FieldSet = { isMember: true, children: new Map() }

/** Sets as an object can have them: what is below nothing is a member. */
const fieldSet: fc.Arbitrary<FieldSet> = fc.letrec<{ set: FieldSet }>(tie => ({
  set: fc.oneof(
    { depthSize: 'small' },
    fc.constant(leaf),
    fc.record({
      isMember: fc.boolean(),
      children: fc.array(fc.tuple(element, tie('set')), { minLength: 1, maxLength: 3 }).map(entries => new Map(entries)),
    }),
  ),
})).set

function same(left: FieldSet, right: FieldSet): void {
  expect(toFieldsV1(left)).toEqual(toFieldsV1(right))
}

test('FieldsV1 and back is the same set', () => {
  fc.assert(
    fc.property(fieldSet, set => {
      // The root of an object is no member of its own.
      const root = { ...set, isMember: false }
      same(fromFieldsV1(toFieldsV1(root)), root)
    }),
  )
})

test('union, intersection and difference are those of sets', () => {
  fc.assert(
    fc.property(fieldSet, fieldSet, (left, right) => {
      same(union(left, right), union(right, left))
      same(intersection(left, right), intersection(right, left))
      expect(isEmptySet(difference(left, left))).toBe(true)
      expect(isEmptySet(intersection(difference(left, right), right))).toBe(true)
      same(union(difference(left, right), intersection(left, right)), left)
    }),
  )
})

test('the members of a union are the members of both', () => {
  const texts = (set: FieldSet) => paths(set).map(path => path.join(' '))
  fc.assert(
    fc.property(fieldSet, fieldSet, (left, right) => {
      expect(new Set(texts(union(left, right)))).toEqual(new Set([...texts(left), ...texts(right)]))
    }),
  )
})

test.each([
  { path: ['f:spec', 'f:replicas'], text: '.spec.replicas' },
  { path: ['f:spec', 'f:containers', 'k:{"name":"c"}', 'f:image'], text: '.spec.containers[name="c"].image' },
  { path: ['f:metadata', 'f:finalizers', 'v:"x"'], text: '.metadata.finalizers[="x"]' },
])('$text', ({ path, text }) => expect(pathText(path)).toBe(text))

test('an update owns what it changed and the containers it made, not those that were there', () => {
  const schema = builtInSchema('apps', 'v1', 'Deployment')
  if (schema === undefined) throw new Error('no schema of Deployment')
  const before = { spec: { replicas: 1, template: { spec: { containers: [{ name: 'c', image: 'x:1' }] } } } }
  const after = {
    spec: { replicas: 1, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x:2' }] } } },
  }
  const { changed, removed } = changedFields(schema, before, after)
  expect(toFieldsV1(changed)).toEqual({
    'f:spec': {
      'f:template': {
        'f:metadata': { '.': {}, 'f:labels': { '.': {}, 'f:a': {} } },
        'f:spec': { 'f:containers': { 'k:{"name":"c"}': { 'f:image': {} } } },
      },
    },
  })
  expect(isEmptySet(removed)).toBe(true)
})
