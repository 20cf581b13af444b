// What a check depends on, as its sources say it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ReachGraph } from './graph.ts'

const root = mkdtempSync(join(tmpdir(), 'reach-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const files: Readonly<Record<string, string>> = {
  'package.json': '{}',
  'package-lock.json': '{}',
  'tsconfig.json': '{}',
  'src/kube/clock.ts': 'export const now = 1',
  'src/kube/types.ts': 'export interface Only {}',
  'src/kube/again.ts': "export { now } from './clock.ts'",
  'src/cli/main.ts': "const one = async () => (await import('./one.ts')).one",
  'src/cli/one.ts': 'export const one = 1',
  'src/cli/data.json': '{}',
  'src/cli/reads.ts': "const data = new URL('./data.json', import.meta.url)",
  'examples/home/pods.yaml': '',
  'examples/home/deep/more.yaml': '',
  'test/fixtures/a/1.json': '1',
  'test/fixtures/a/2.json': '2',
  'test/fixtures/b/1.json': '1',
  'docs/reload.md': '',
}
for (const [path, text] of Object.entries(files)) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

let count = 0
/** What a test of this text depends on, but for itself and what everything does. */
function reachOf(text: string): readonly string[] {
  const path = `test/t${count++}.test.ts`
  writeFileSync(join(root, path), text)
  return new ReachGraph(root)
    .filesOf([path])
    .filter(file => file !== path && !['package.json', 'package-lock.json', 'tsconfig.json'].includes(file))
}

describe('a test reaches', () => {
  test.each([
    ['what it imports', "import { now } from '#kube/clock.ts'", ['src/kube/clock.ts']],
    ['what that imports', "import { now } from '#kube/again.ts'", ['src/kube/again.ts', 'src/kube/clock.ts']],
    ['no types, which vanish', "import type { Only } from '#kube/types.ts'", []],
    ['no types beside values', "import { type Only, now } from '#kube/types.ts'", ['src/kube/types.ts']],
    [
      'a program that it starts, and what that loads later',
      "const main = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts')",
      ['src/cli/main.ts', 'src/cli/one.ts'],
    ],
    ['a file that a module reads by its place', "import '#cli/reads.ts'", ['src/cli/data.json', 'src/cli/reads.ts']],
    [
      'a folder with all below',
      "const home = join(import.meta.dirname, '..', 'examples', 'home')",
      ['examples/home/deep/more.yaml', 'examples/home/pods.yaml'],
    ],
    [
      'what its text names from the root',
      "read('examples/home/pods.yaml', 'docs/reload.md')",
      ['docs/reload.md', 'examples/home/pods.yaml'],
    ],
    [
      'the folder of a name that is made at run time',
      'const one = join(import.meta.dirname, `fixtures/a/${name}.json`)',
      ['test/fixtures/a/1.json', 'test/fixtures/a/2.json'],
    ],
    ['no folder for a word', "const namespace = 'test'", []],
  ])('%s', (_what, text, expected) => {
    expect(reachOf(text)).toEqual(expected)
  })
})

test('a hash tells of content and of names', () => {
  const of = (...names: readonly string[]) => new ReachGraph(root).hashOf(names)
  expect(of('test/fixtures/a/1.json')).toBe(of('test/fixtures/a/1.json'))
  expect(of('test/fixtures/a/1.json')).not.toBe(of('test/fixtures/b/1.json'))
  const before = of('docs/reload.md')
  writeFileSync(join(root, 'docs/reload.md'), 'changed')
  expect(of('docs/reload.md')).not.toBe(before)
})
