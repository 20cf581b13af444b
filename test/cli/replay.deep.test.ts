// `ballast replay` as a program: of a plan that is made now, of a file alone, of a file with its cluster; and what is wrong with what it was given.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ReplayView } from '../../src/dashboard/contract-replay.ts'
import { runBallast } from './run-ballast.ts'

const cluster = ['--cluster', 'examples/talos-homelab']
const folder = mkdtempSync(join(tmpdir(), 'ballast-replay-'))
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  const { output } = await runBallast(['plan', ...cluster, '-o', 'json'])
  writeFileSync(at('plan.json'), output)
  writeFileSync(at('none.yaml'), 'kind: ConfigMap\napiVersion: v1\nmetadata: {name: a, namespace: b}\n')
  writeFileSync(at('wrong.json'), JSON.stringify({ ...JSON.parse(output), spec: { moves: 'many' } }))
})
afterAll(() => rmSync(folder, { recursive: true }))

function viewOf(file: string): ReplayView {
  const [, data = ''] = /id="replay">(.*?)<\/script>/s.exec(readFileSync(file, 'utf8')) ?? []
  const [view]: readonly ReplayView[] = JSON.parse(data)
  if (view === undefined) throw new Error(`no replay in ${file}`)
  return view
}

test('a plan that is made now is a page with every pod', async () => {
  const { code, output } = await runBallast(['replay', ...cluster, '-o', at('now.html')])
  expect([code, output]).toEqual([0, expect.stringContaining('15 of 15 moves, 4 boxes')])
  expect(viewOf(at('now.html')).tiles).toHaveLength(124)
})

test('the picture of the manual is what it draws now', async () => {
  // Drawn anew by: ballast replay --cluster examples/talos-homelab -o docs/pictures/replay.svg
  expect((await runBallast(['replay', ...cluster, '-o', at('now.svg')])).code).toBe(0)
  expect(readFileSync(at('now.svg'), 'utf8') === readFileSync('docs/pictures/replay.svg', 'utf8')).toBe(true)
})

test('a file alone has the same sums, its pods that stay as one tile a node', async () => {
  const { code, words } = await runBallast(['replay', at('plan.json'), '-o', at('file.html')])
  expect([code, words]).toEqual([0, expect.stringContaining('drawn as one')])
  const [alone, whole] = [viewOf(at('file.html')), viewOf(at('now.html'))]
  expect(alone.tiles).toHaveLength(19)
  const sums = (view: ReplayView) => view.boxes.map(({ name, pods }) => ({ name, pods }))
  expect(sums(alone)).toEqual(sums(whole))
})

test('a file with its cluster has its pods again, as a picture too', async () => {
  const { code } = await runBallast(['replay', at('plan.json'), ...cluster, '-o', at('both.svg'), '--resource', 'memory'])
  expect(code).toBe(0)
  expect(readFileSync(at('both.svg'), 'utf8')).toMatch(/^<\?xml .*@keyframes t0\{.*<\/svg>\n$/s)
})

// biome-ignore format: a table
test.each([
  [['-o', at('a.pdf'), ...cluster],                                    2, 'expected a file that ends in .html or .svg'],
  [[at('none.yaml'), '-o', at('a.svg')],                               2, 'no RebalancePlan in'],
  [[at('wrong.json'), '-o', at('a.svg')],                              2, 'spec.'],
  [['talos-9', ...cluster, '-o', at('a.svg')],                         2, 'no plan "talos-9" in examples/talos-homelab, and no such file'],
  [[at('plan.json'), '--goal', 'cpu at most 70% on all', '-o', at('a.svg')], 2, '--goal is for a plan that is made now'],
  [[...cluster, '--pool', 'blue', '-o', at('a.svg')],                  2, 'so few nodes have none'],
  [[...cluster, '--resource', 'gold', '-o', at('a.svg')],              2, 'expected one of cpu, memory, pods'],
  [[at('plan.json'), '-o', join(folder, 'nowhere', 'a.svg')],          1, 'ENOENT'],
])('replay %j ends with %i', async (args, wanted, said) => {
  const { code, output, words } = await runBallast(['replay', ...args])
  expect([code, output]).toEqual([wanted, ''])
  expect(words).toContain(said)
})
