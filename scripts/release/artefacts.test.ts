import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { counted, writeArtefact, writeLists } from './artefacts.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-artefacts-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test('both lists have each artefact with its hash, in one order, and a layout by its name alone', () => {
  const shell = writeArtefact(folder, { name: 'completions/ballast', kind: 'completion' }, 'words')
  const chart = writeArtefact(folder, { name: 'ballast-1.2.3.tgz', kind: 'chart' }, Buffer.from([1, 2]))
  mkdirSync(join(folder, 'image', 'layout'), { recursive: true })
  const facts = { version: '1.2.3', revision: 'abc', seconds: 86_400 }
  writeLists(folder, facts, counted(folder, [shell, { name: 'image/layout', kind: 'image-layout' }, chart]))

  const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex')
  const [chartHash, shellHash] = [sha256(Buffer.from([1, 2])), sha256('words')]
  expect(readFileSync(join(folder, 'SHA256SUMS'), 'utf8')).toBe(
    `${chartHash}  ballast-1.2.3.tgz\n${shellHash}  completions/ballast\n`,
  )
  expect(JSON.parse(readFileSync(join(folder, 'release.json'), 'utf8'))).toEqual({
    ...{ version: '1.2.3', revision: 'abc', created: '1970-01-02T00:00:00Z' },
    artefacts: [
      { ...chart, bytes: 2, sha256: chartHash },
      { ...shell, bytes: 5, sha256: shellHash },
      { name: 'image/layout', kind: 'image-layout' },
    ],
  })
})

test('what is listed and not there is no release', () => {
  expect(() => counted(folder, [{ name: 'lost.tgz', kind: 'chart' }])).toThrow(/ENOENT.*lost\.tgz/)
})
