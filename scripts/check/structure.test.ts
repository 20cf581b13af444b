import { describe, expect, test } from 'vitest'
import { parseSource } from './source-tree.ts'
import { structureFindings } from './structure.ts'

const findingsOf = (path: string, text: string) =>
  structureFindings([parseSource(path, text)], [parseSource('test/user.test.ts', `import { a } from '../${path}'`)]).map(
    finding => finding.message,
  )

describe('the walls', () => {
  // biome-ignore format: a table
  test.each([
    // case                                 file                                    text                                                   finding
    ['an upward import',                    'src/kube/a.ts',                        "import { a } from '#cluster/a.ts'",                   'cluster is not below kube'],
    ['a way round the wall',                'src/cluster/a.ts',                     "import { a } from '../kube/a.ts'",                    'cross the wall with #'],
    ['a neighbour capability',              'src/capabilities/reload/a.ts',         "import { a } from '#capabilities/mirror'",            'never imports another'],
    ['a capability from behind',            'src/cli/a.ts',                         "import { a } from '#capabilities/mirror/node-files'", 'only capability.ts of a capability is for others'],
    ['the twin knowing Ballast',            'src/twin/a.ts',                        "import { a } from '#coordination/a.ts'",              'twin imports only kube and cluster'],
    ['the model knowing a wire',            'src/cluster/a.ts',                     "import { a } from '#kube/client/api.ts'",             'it knows no wire'],
    ['a type import is an import',          'src/kube/a.ts',                        "import type { A } from '#cli/a.ts'",                  'cli is not below kube'],
    ['time of its own',                     'src/cluster/a.ts',                     'export const a = () => Date.now()',                   'take a Clock'],
    ['chance of its own',                   'src/twin/a.ts',                        'export const a = () => Math.random()',                'take a Random'],
    ['the environment',                     'src/kube/a.ts',                        'export const a = process.env',                        'only the command line reads the environment'],
    ['an eviction outside effects',         'src/capabilities/deschedule/a.ts',     "export const a = (api) => api.sub('x', 'eviction')",  'effects go through src/coordination/effects'],
    ['a restart outside effects',           'src/cli/a.ts',                         "export const a = 'kubectl.kubernetes.io/restartedAt'",'effects go through src/coordination/effects'],
    ['a taint patch outside effects',       'src/coordination/a.ts',                "export const a = [{ op: 'add', path: '/spec/taints' }]", 'effects go through src/coordination/effects'],
    ['JSX outside of the page',             'src/dashboard/views/a.tsx',            'export const a = <p />',                              'only src/dashboard/web'],
    ['the page knowing the server',         'src/dashboard/web/frame/a.tsx',        "import { a } from '../../picture.ts'",                'only contract.ts'],
    ['the page by another name',            'src/dashboard/web/a.tsx',              "import { a } from '#dashboard/contract.ts'",          'by its way from here'],
    ['values of the contract in the page',  'src/dashboard/web/a.tsx',              "import { a } from '../contract.ts'",                 'by `import type`'],
    ['types without import type',           'src/dashboard/web/a.tsx',              "import { type A } from '../contract.ts'",            'by `import type`'],
    ['values of the contract in words',     'src/dashboard/words/a.ts',             "import { a } from '../contract.ts'",                 'by `import type`'],
    ['another package in the page',         'src/dashboard/web/a.tsx',              "import { a } from 'node:fs'",                         'no other package'],
    ['words that know a room',              'src/dashboard/words/a.ts',             "import { a } from '#cluster/a.ts'",                   'nothing but each other'],
    ['words that know a package',           'src/dashboard/words/a.ts',             "import { a } from 'zod'",                             'nothing but each other'],
    ['the server running JSX',              'src/dashboard/page/a.ts',              "import { a } from '../web/a.tsx'",                    'Node does not run .tsx'],
    ['a name that says nothing in JSX',     'src/dashboard/web/utils.tsx',          'export const a = 1',                                  'name it for its concept'],
    ['a name that says nothing',            'src/kube/utils.ts',                    'export const a = 1',                                  'name it for its concept'],
  ])('%s is found', (_name, path, text, finding) => expect(findingsOf(path, text).join('\n')).toContain(finding))

  // biome-ignore format: a table
  test.each([
    ['a downward import',         'src/planning/a.ts',                     "import { a } from '#cluster/a.ts'"],
    ['an effect in its place',    'src/coordination/effects/evict.ts',     "export const a = 'eviction'"],
    ['a given time',              'src/cluster/a.ts',                      'export const a = (ms: number) => new Date(ms)'],
    ['time in a browser',         'src/dashboard/web/frame/a.tsx',         'export const a = () => setTimeout(Date.now(), 1)'],
    ['what the page may know',    'src/dashboard/web/frame/a.tsx',         "import { a } from '../../words/a.ts'\nimport { signal } from '@preact/signals'\nimport './a.css'\nconst b = <p />"],
    ['types of the contract',     'src/dashboard/web/frame/a.tsx',         "import type { A } from '../../contract.ts'\nimport { b } from '../../contract-names.ts'"],
    ['types in words',            'src/dashboard/words/a.ts',              "import type { A } from '../contract.ts'"],
    ['the clock itself',          'src/kube/clock.ts',                     'export const a = () => Date.now()'],
  ])('%s is allowed', (_name, path, text) => expect(findingsOf(path, text)).toEqual([]))

  // biome-ignore format: a table
  test.each([
    ['a dropped error',           'src/kube/a.ts',       'export const a = () => { try { b() } catch { return } }',         'an error is dropped'],
    ['a dropped rejection',       'src/kube/a.ts',       'export const a = b.catch(() => undefined)',                       'an error is dropped'],
    ['a type talked away',        'src/kube/a.ts',       'export const a = b as unknown as string',                         'types are checked'],
    ['a file by a URL',           'src/kube/a.ts',       "export const a = new URL('.', import.meta." + 'url).pathname',      'import.meta.dirname'],
    ['something left to do',      'src/kube/a.ts',       'export const a = 1 // TODO: more',                                'do it, or name an issue'],
    ['a comment without subject',  'src/kube/a.ts',    '/** Of the noise. */\nexport const a = 1',                      'begins with Of: name the subject'],
    ['a later line of one',        'src/kube/a.ts',    '/**\n * One.\n * What of it counts.\n */\nexport const a = 1',  'begins with What of'],
    ['a comment about somebody',   'src/kube/a.ts',    'export const a = 1 // Whoever asks.',                            'begins with Whoever'],
    ['a test that sleeps',        'src/kube/a.test.ts',  'await new Promise(done => setTimeout(done, 5))',                  'tests do not sleep'],
    ['a test that imports sleep', 'src/kube/a.test.ts',  "import { setTimeout as after } from 'node:timers/promises'",      'tests do not sleep'],
  ])('%s is found', (_name, path, text, finding) => expect(findingsOf(path, text).join('\n')).toContain(finding))

  // biome-ignore format: a table
  test.each([
    ['an error dropped for a reason',      'src/kube/a.ts', 'export const a = () => {\n  // Nobody is left to tell.\n  return b.catch(() => undefined)\n}'],
    ['an error dropped for a reason told', 'src/kube/a.ts', 'export const a = () => {\n  try { b() } catch {\n    // Nobody is left to tell.\n  }\n}'],
    ['a comment with a subject',           'src/kube/a.ts', '// Offsets of the noise. Of course.\nexport const a = "// Of the noise."'],
    ['an issue by its number',             'src/kube/a.ts', 'export const a = 1 // TODO(#12): more'],
  ])('%s is allowed', (_name, path, text) => expect(findingsOf(path, text)).toEqual([]))

  test('a folder of more than 30 source files is found; its tests do not count', () => {
    const sources = (count: number) => Array.from({ length: count }, (_, index) => parseSource(`src/kube/a${index}.ts`, ''))
    const tests = (count: number) => Array.from({ length: count }, (_, index) => parseSource(`src/kube/a${index}.test.ts`, ''))
    const user = parseSource(
      'test/user.ts',
      sources(31)
        .map(({ path }) => `import '../${path}'`)
        .join('\n'),
    )
    expect(structureFindings([...sources(30), ...tests(30)], [user])).toEqual([])
    expect(structureFindings(sources(31), [user])).toEqual([
      { path: 'src/kube', line: 1, message: 'holds 31 source files beside tests, more than 30: group them in folders' },
    ])
  })

  test('a file that nobody imports is found', () =>
    expect(structureFindings([parseSource('src/kube/a.ts', '')], []).map(finding => finding.message)).toEqual([
      'nobody imports this file',
    ]))

  // biome-ignore format: a table
  test.each([
    // case                     exported                                          used by                                      unused
    ['a function',              'export function a() {}\nexport function b() {}', "import { a } from './a.ts'",                 ['b']],
    ['a constant',              'export const a = 1, b = 2',                      "import { b } from './a.ts'",                ['a']],
    ['a type',                  'export type A = 1\nexport interface B {}',       "import type { A } from './a.ts'",           ['B']],
    ['a class',                 'export class A {}\nexport class B {}',           "import { type B } from './a.ts'",           ['A']],
    ['one passed on',           "export { a } from './c.ts'\nexport const b = 1", "import { b } from './a.ts'",                ['a']],
    ['none: renamed',           'export const a = 1',                             "import { a as other } from './a.ts'",       []],
    ['none: passed on',         'export const a = 1',                             "export { a as other } from './a.ts'",       []],
    ['none: the whole module',  'export const a = 1',                             "import * as all from './a.ts'",             []],
    ['none: imported late',     'export const a = 1',                             "const all = await import('./a.ts')",        []],
    ['none: in a type',         'export type A = 1',                              "type B = import('./a.ts').A",               []],
  ])('an export that nobody imports is found: %s', (_name, exported, user, unused) => {
    const src = [parseSource('src/kube/a.ts', exported), parseSource('src/kube/c.ts', 'export const a = 1')]
    const outside = [parseSource('src/kube/user.test.ts', user), parseSource('test/c.ts', "import { a } from '../src/kube/c.ts'")]
    expect(structureFindings(src, outside).map(finding => finding.message)).toEqual(
      unused.map(name => `exports ${name}, which nobody imports: drop the word or the code`),
    )
  })

  test('a circle of imports is found, of types too; what is loaded later makes none', () => {
    const file = (name: string, text: string) => parseSource(`src/kube/${name}.ts`, text)
    const circles = (...files: readonly ReturnType<typeof parseSource>[]) =>
      structureFindings(files, []).flatMap(({ path, message }) => (message.includes('circle') ? [`${path}: ${message}`] : []))
    const b = file('b', "import { c } from './c.ts'\nexport const b = c")
    const c = (text: string) => file('c', `${text}\nexport const c = 1`)
    const a = file('a', "import type { b } from './b.ts'\nexport type A = typeof b")
    expect(circles(a, b, c("import type { A } from './a.ts'\nexport const d = (a: A) => a"))).toEqual([
      'src/kube/a.ts: is in a circle of imports: kube/a.ts > kube/b.ts > kube/c.ts > kube/a.ts',
    ])
    expect(circles(a, b, c("export const d = async () => await import('./a.ts')"))).toEqual([])
    expect(circles(a, b, c("export type D = typeof import('./a.ts')"))).toEqual([])
    expect(circles(a, b, c(''))).toEqual([])
  })
})
