// What is handed over to the next program, by one that says how many bytes it got.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

test.runIf(process.platform === 'linux').each([
  ['as much as fits', 'a', 90_000, 'the next program'],
  ['more characters than fit', 'a', 99_000, 'came back'],
  ['more bytes than fit', 'ü', 60_000, 'came back'],
])('%s', (_what, character, count, expected) => {
  const folder = mkdtempSync(join(tmpdir(), 'alone-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const entry = join(folder, 'next.mjs')
  writeFileSync(entry, 'process.stdout.write("the next program")')
  const program = `{ entry: ${JSON.stringify(entry)}, knows: '${character}'.repeat(${count}), flags: [] }`
  const first = join(folder, 'first.mjs')
  writeFileSync(
    first,
    `import { becomeAlone } from '${join(import.meta.dirname, 'become-alone.ts')}'
await becomeAlone({ program: ${program}, level: 'info', gracefulMs: 1 }, new AbortController().signal)
process.stdout.write('came back')`,
  )
  const said = execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', first], { encoding: 'utf8' })
  expect(said).toBe(expected)
})
