import { describe, expect, test } from 'vitest'
import { parseSource } from './source-tree.ts'
import { structureFindings } from './structure.ts'

const findingsOf = (path: string, text: string) =>
  structureFindings([parseSource(path, text)], [parseSource('test/user.test.ts', `import '../${path}'`)]).map(
    finding => finding.message,
  )

describe('the walls', () => {
  // biome-ignore format: a table
  test.each([
    // case                                 file                                    text                                                   finding
    ['an upward import',                    'src/kube/a.ts',                        "import { a } from '#cluster/a.ts'",                   'cluster is not below kube'],
    ['a way round the wall',                'src/cluster/a.ts',                     "import { a } from '../kube/a.ts'",                    'cross the wall with #'],
    ['a neighbour capability',              'src/capabilities/reload/a.ts',         "import { a } from '#capabilities/mirror'",            'never imports another'],
    ['the twin knowing Ballast',            'src/twin/a.ts',                        "import { a } from '#coordination/a.ts'",              'twin imports only kube and cluster'],
    ['the model knowing a wire',            'src/cluster/a.ts',                     "import { a } from '#kube/api.ts'",                    'it knows no wire'],
    ['a type import is an import',          'src/kube/a.ts',                        "import type { A } from '#cli/a.ts'",                  'cli is not below kube'],
    ['time of its own',                     'src/cluster/a.ts',                     'export const a = () => Date.now()',                   'take a Clock'],
    ['chance of its own',                   'src/twin/a.ts',                        'export const a = () => Math.random()',                'take a Random'],
    ['the environment',                     'src/kube/a.ts',                        'export const a = process.env',                        'only the command line reads the environment'],
    ['an eviction outside effects',         'src/capabilities/deschedule/a.ts',     "export const a = (api) => api.sub('x', 'eviction')",  'effects go through src/coordination/effects'],
    ['a restart outside effects',           'src/cli/a.ts',                         "export const a = 'kubectl.kubernetes.io/restartedAt'",'effects go through src/coordination/effects'],
    ['a taint patch outside effects',       'src/coordination/a.ts',                "export const a = [{ op: 'add', path: '/spec/taints' }]", 'effects go through src/coordination/effects'],
    ['a name that says nothing',            'src/kube/utils.ts',                    'export const a = 1',                                  'name it for its concept'],
  ])('%s is found', (_name, path, text, finding) => expect(findingsOf(path, text).join('\n')).toContain(finding))

  // biome-ignore format: a table
  test.each([
    ['a downward import',         'src/planning/a.ts',                     "import { a } from '#cluster/a.ts'"],
    ['an effect in its place',    'src/coordination/effects/evict.ts',     "export const a = 'eviction'"],
    ['a given time',              'src/cluster/a.ts',                      'export const a = (ms: number) => new Date(ms)'],
    ['the clock itself',          'src/kube/clock.ts',                     'export const a = () => Date.now()'],
  ])('%s is allowed', (_name, path, text) => expect(findingsOf(path, text)).toEqual([]))

  test('a file that nobody imports is found', () =>
    expect(structureFindings([parseSource('src/kube/a.ts', '')], []).map(finding => finding.message)).toEqual([
      'nobody imports this file',
    ]))
})
