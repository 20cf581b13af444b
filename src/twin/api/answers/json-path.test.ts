import { describe, expect, test } from 'vitest'
import { readPath } from './json-path.ts'

const object = {
  metadata: { labels: { 'app.kubernetes.io/name': 'cart' } },
  spec: { targets: [{ name: 'a' }, { name: 'b' }] },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Valid', status: 'False' },
    ],
  },
}

describe('a printer column reads', () => {
  // biome-ignore format: a table
  test.each([
    ['a field',                          '.status.conditions[0].type',                          ['Ready']],
    ['an index',                         '.spec.targets[1].name',                               ['b']],
    ['every item',                       '.spec.targets[*].name',                               ['a', 'b']],
    ['a filter with fields after it',    '.status.conditions[?(@.type=="Valid")].status',       ['False']],
    ['a filter that is not',             '.status.conditions[?(@.type!="Valid")].status',       ['True']],
    ['an escaped dot',                   '.metadata.labels.app\\.kubernetes\\.io/name',         ['cart']],
    ['nothing where nothing is',         '.status.phase',                                       []],
  ])('%s', (_name, path, values) => expect(readPath(object, path)).toEqual(values))
})
