// What `ballast plan report` prints for a dump, and what it refuses.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runBallast } from '../../../test/cli/run-ballast.ts'

const row = (day: string, landed: number) => ({
  ...{ day, plans: 2, goalsMet: 1, begun: 1, moves: 3, landed, elsewhere: 3 - landed, left: 0 },
  ...{ expectedSeconds: 120, realSeconds: 90, proposed: 4, asForetold: 2, otherwise: 1 },
})
const policy = (name: string, status: object) => ({
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'RebalancePolicy',
  metadata: { name },
  spec: { trigger: 'manual', energy: {} },
  status,
})
const folder = mkdtempSync(join(tmpdir(), 'ballast-report-'))
afterAll(() => rmSync(folder, { recursive: true }))
const dump = (name: string, ...items: readonly object[]): string => {
  const path = join(folder, `${name}.json`)
  writeFileSync(path, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  return path
}
const days = [row('2026-03-01', 3), row('2026-03-02', 2)]
const two = dump('two', policy('mine', { days }), policy('fresh', {}))

// biome-ignore format: a table
test.each<[string, readonly string[], number, RegExp]>([
  ['its days, newest first, and their sum', ['mine', '--cluster', two],                  0, /2026-03-02 .* 2 +1 +0 .*\n2026-03-01 .* 3 +0 +0 .*\nall +4 +2 +2 +6 +5 +1 +0 +4 min +3 min +8 +4 +2\n$/],
  ['no day yet',                            ['fresh', '--cluster', two],                 0, /^no plan of it has ended yet\n$/],
  ['rows for programs',                     ['mine', '--cluster', two, '-o', 'json'],    0, /^\[\n {2}\{\n {4}"day": "2026-03-01",/],
  ['a policy that is not there',            ['other', '--cluster', two],                 2, /no RebalancePolicy other in .*; there are mine, fresh/],
  ['several, and none is named',            ['--cluster', two],                          2, /2 RebalancePolicies in .*: name one of mine, fresh/],
  ['a form that it does not know',          ['mine', '--cluster', two, '-o', 'yaml'],    2, /plan report knows --output table and json, not yaml/],
  ['rows that are none',                    ['--cluster', dump('bad', policy('bad', { days: [{ day: 1 }] }))], 2, /bad\.json: RebalancePolicy bad: status\.days\.0\.day/],
])('%s', async (_name, args, code, words) => {
  const ended = await runBallast(['plan', 'report', ...args])
  expect(`${ended.output}${ended.words}`).toMatch(words)
  expect(ended.code).toBe(code)
})
