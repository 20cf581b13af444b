// docs/twin.md and docs/writing-a-capability.md against what they speak of: samples that compile and run, files that are there, counts of
// recordings. Their commands are held by documented-commands.test.ts.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { startTestTwin } from '#twin/twin-for-tests.ts'

const root = dirname(import.meta.dirname)
const textOf = (path: string) => readFileSync(join(root, path), 'utf8')
const manuals = ['docs/twin.md', 'docs/writing-a-capability.md'] as const
const blocks = (manual: string, language: string) =>
  [...textOf(manual).matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter(found => found[1] === language).map(found => found[2] ?? '')

test('every sample of TypeScript is a piece of the example that npm test runs', () => {
  const example = globSync('test/sample-capability{.test.ts,/**/*.ts}', { cwd: root }).map(textOf)
  const samples = blocks('docs/writing-a-capability.md', 'ts')
  expect(samples.length).toBeGreaterThan(6)
  expect(samples.filter(sample => !example.some(text => text.includes(`\n${sample}`)))).toEqual([])
})

test('there are no samples in other languages but commands', () => {
  const languages = manuals.flatMap(manual => [...textOf(manual).matchAll(/^```(\w+)$/gm)].map(found => found[1]))
  expect([...new Set(languages)].toSorted()).toEqual(['sh', 'ts', 'yaml'])
})

test.each(manuals)('%s names only files that are there', manual => {
  const named = [...textOf(manual).matchAll(/`((?:src|test|docs|scripts|examples|bench)\/[\w./-]+|[A-Z]+\.md)`/g)].map(
    found => found[1] ?? '',
  )
  expect(named.length).toBeGreaterThan(0)
  expect(named.filter(path => !existsSync(join(root, path)))).toEqual([])
})

test('docs/twin.md counts the recordings as they are', () => {
  const parsed = (pattern: string): readonly Record<string, readonly unknown[]>[] =>
    globSync(pattern, { cwd: join(root, 'test', 'fixtures') })
      .map(path => readFileSync(join(root, 'test', 'fixtures', path)))
      .map(bytes => JSON.parse(String(bytes[0] === 0x1f ? gunzipSync(bytes) : bytes)))
  const counted = (pattern: string, ...lists: readonly string[]) => {
    const files = parsed(pattern)
    const held = files.flatMap(file => lists.flatMap(list => Object.values(file[list] ?? []))).length
    return [String(files.length), held.toLocaleString('en-US')]
  }
  const livesCounted = () => {
    const files = parsed('differential/lives.json.gz')
    const lives = files.flatMap(({ lives: some = [] }) => some as readonly { readonly exchanges: readonly unknown[] }[])
    return [String(files.length), lives.flatMap(({ exchanges }) => exchanges).length.toLocaleString('en-US')]
  }
  const rows = textOf('docs/twin.md')
    .split('\n')
    .filter(line => /^\| .* \| \d+ \| [\d,]+ \w+/.test(line))
    .map(line => line.split('|').map(cell => cell.trim()))
    .map(cells => [cells[2], cells[3]?.split(' ')[0]])
  expect(rows).toEqual([
    counted('kubectl/*/*.json', 'exchanges'),
    counted('api-answers/*.json', 'exchanges'),
    counted('evictions/*.json', 'evictions', 'budgets', 'steps'),
    counted('placements/*/*.json', 'steps'),
    counted('clients/*', 'exchanges'),
    counted('bad-input/*.json', 'cases'),
    livesCounted(),
    counted('differential/messages.json.gz', 'pairs'),
    counted('controllers/*.json', 'scenarios'),
    counted('aggregation/*.json', 'records'),
  ])
})

test('every object of docs/twin.md is taken by the twin', async () => {
  await using twin = await startTestTwin([], { ownKinds: true })
  const samples = blocks('docs/twin.md', 'yaml').map(text => parse(text))
  expect(samples.length).toBeGreaterThan(0)
  for (const sample of samples) {
    const path =
      sample.apiVersion === 'v1' ? '/api/v1/namespaces/default/pods' : `/apis/${sample.apiVersion}/${sample.kind.toLowerCase()}s`
    expect(await twin.client.post(path, sample)).toMatchObject({ status: 201 })
    // Kinds of the twin's own say whether they are in force.
    if (!sample.kind.startsWith('Twin')) continue
    expect((await twin.client.get(`${path}/${sample.metadata.name}`)).body).toMatchObject({
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    })
  }
})
