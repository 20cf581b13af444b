import { describe, expect, test } from 'vitest'
import type { NodeSelectorTerm } from '#kube/objects/objects.ts'
import { node, pod } from '../testdata/objects.ts'
import { firstFew, labelTermsTest, nodeTermTest, requiredNodes } from './node-selector.ts'

const gpu = node('n1', { labels: { gpu: '5', disk: 'ssd' } })
const expression = (key: string, operator: string, ...values: string[]): NodeSelectorTerm => ({
  matchExpressions: [{ key, operator, values }],
})
const field = (operator: string, ...values: string[]): NodeSelectorTerm => ({
  matchFields: [{ key: 'metadata.name', operator, values }],
})

describe('a term', () => {
  // biome-ignore format: a table
  test.each<[string, NodeSelectorTerm, boolean]>([
    ['In', expression('disk', 'In', 'hdd', 'ssd'), true],
    ['In without the key', expression('zone', 'In', 'a'), false],
    ['NotIn without the key', expression('zone', 'NotIn', 'a'), true],
    ['Exists', expression('gpu', 'Exists'), true],
    ['DoesNotExist', expression('gpu', 'DoesNotExist'), false],
    ['Gt', expression('gpu', 'Gt', '4'), true],
    ['Gt of the same', expression('gpu', 'Gt', '5'), false],
    ['Lt', expression('gpu', 'Lt', '6'), true],
    ['Gt of what is no number', expression('disk', 'Gt', '4'), false],
    ['Gt of two values', expression('gpu', 'Gt', '1', '2'), false],
    ['In without values', expression('disk', 'In'), false],
    ['an unknown operator', expression('disk', 'Like', 'ssd'), false],
    ['the name', field('In', 'n1'), true],
    ['another name', field('NotIn', 'n1'), false],
    ['two names in one field', field('In', 'n1', 'n2'), false],
    ['an empty term', {}, false],
    ['all parts at once', { matchExpressions: [{ key: 'disk', operator: 'Exists' }], matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n2'] }] }, false],
    ['names of objects are no labels', expression('constructor', 'Exists'), false],
  ])('%s', (_, term, expected) => {
    expect(nodeTermTest(term)(gpu)).toBe(expected)
  })
})

describe('what a pod requires', () => {
  const affinity = (...nodeSelectorTerms: NodeSelectorTerm[]) => ({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  })

  test.each([
    ['nothing', {}, true],
    ['its selector', { nodeSelector: { disk: 'ssd' } }, true],
    ['selector and affinity', { nodeSelector: { disk: 'ssd' }, ...affinity(expression('gpu', 'DoesNotExist')) }, false],
    ['one of its terms', affinity(expression('gpu', 'DoesNotExist'), expression('disk', 'In', 'ssd')), true],
    ['no terms at all', affinity(), false],
  ])('%s', (_, options, expected) => {
    expect(requiredNodes(pod('shop/cart', options))(gpu)).toBe(expected)
  })

  test.each([
    ['names in each term', affinity(field('In', 'a'), field('In', 'b')), ['a', 'b']],
    ['names in one term only', affinity(field('In', 'a'), expression('gpu', 'Exists')), undefined],
    [
      'names that exclude each other',
      affinity({
        matchFields: [
          { key: 'metadata.name', operator: 'In', values: ['a'] },
          { key: 'metadata.name', operator: 'In', values: ['b'] },
        ],
      }),
      [],
    ],
    ['no affinity', {}, undefined],
  ])('names: %s', (_, options, expected) => {
    const names = firstFew(pod('shop/cart', options))
    expect(names && Array.from(names)).toEqual(expected)
  })
})

test('a volume sees labels alone', () => {
  const both = {
    matchExpressions: [{ key: 'disk', operator: 'Exists' }],
    matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n2'] }],
  }
  expect(labelTermsTest({ nodeSelectorTerms: [both] })({ disk: 'ssd' })).toBe(true)
  expect(labelTermsTest({ nodeSelectorTerms: [{}] })({ disk: 'ssd' })).toBe(false)
})
