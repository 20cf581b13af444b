// The worked example as its author would add it: its folder and one line of registry, in a copy of this clone. Its command, page, upstream and
// swap are there by that.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { placeCounts } from '../scripts/check/capability-places.ts'
import { readTree } from '../scripts/check/source-tree.ts'
import { structureFindings } from '../scripts/check/structure.ts'

const root = dirname(import.meta.dirname)
let clone: string

beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), 'ballast-registered-'))
  for (const name of ['src', 'bin', 'scripts', 'test', 'docs', 'deploy', 'examples', 'package.json', 'tsconfig.json'])
    cpSync(join(root, name), join(clone, name), { recursive: true, filter: path => !path.startsWith(join(root, 'test', 'real')) })
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'))
  cpSync(join(root, 'test', 'sample-capability'), join(clone, 'src', 'capabilities', 'refresh'), { recursive: true })
  edit('src/process/enabled-capabilities.ts', text =>
    text
      .replace("import { reload } from '#capabilities/reload'\n", "$&import { refresh } from '#capabilities/refresh'\n")
      .replace(/(enabledCapabilities: readonly Capability\[\] = \[[^\]]*?),?\s*\]/, '$1, refresh]'),
  )
  run('scripts/main.ts', 'generate')
})
afterAll(() => rmSync(clone, { recursive: true, force: true }))

function edit(path: string, change: (text: string) => string): void {
  const before = readFileSync(join(clone, path), 'utf8')
  const after = change(before)
  expect(after).not.toBe(before)
  writeFileSync(join(clone, path), after)
}

const run = (script: string, ...args: readonly string[]): string =>
  execFileSync(process.execPath, [join(clone, script), ...args], {
    cwd: clone,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: clone, NO_COLOR: '1' },
    maxBuffer: 64 * 1024 * 1024,
  })

test('it keeps the walls of the house, and one more file outside of its folder knows it', () => {
  const src = readTree(clone, 'src')
  const outside = [...readTree(clone, 'scripts'), ...readTree(clone, 'test'), ...readTree(clone, 'bin')]
  // Exports that only tests take are not looked at: half of those tests stayed behind.
  const findings = structureFindings(src, outside).filter(({ message }) => !message.includes('nobody imports'))
  expect(findings).toEqual([])
  // Its name is a word that others use, too: what counts is what registering it has added.
  const known = { name: 'refresh', words: ['fencer'], prefixes: [], isCommonWord: false, ceiling: 99 }
  const countIn = (place: string) =>
    placeCounts([...readTree(place, 'src'), ...readTree(place, 'scripts')], [known]).lines[0]?.match(/known in (\d+)/)?.[1]
  expect(Number(countIn(clone)) - Number(countIn(root))).toBe(1)
})

test('its command is in the help and runs', () => {
  expect(run('src/cli/main.ts', '--help')).toMatch(/ages \[options\]\s+prints which Deployments are due for new pods/)
  expect(run('src/cli/main.ts', 'ages', '--cluster', 'examples/talos-homelab')).toContain('deployment')
})

test('manifests switch it on, and the docs know its upstream', () => {
  expect(run('src/cli/main.ts', 'manifests', '--enable', 'refresh')).toMatch(/--role=refresh/)
  expect(readFileSync(join(clone, 'docs', 'upstreams.md'), 'utf8')).toContain('| Fencer | `refresh` |')
})

test('its upstream is swapped for it, and back', () => {
  for (const path of ['test/sample-upstream.ts', 'test/sample-upstream.test.ts'])
    edit(path, text => text.replaceAll('isolate', 'refresh').replaceAll('isolates', 'refreshes'))
  const said = run('node_modules/vitest/vitest.mjs', 'run', '--root', clone, 'test/sample-upstream.test.ts', '-t', 'apply|plan')
  expect(said).toMatch(/Tests\s+2 passed/)
})
