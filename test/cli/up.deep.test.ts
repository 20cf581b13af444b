// `ballast up --once` as scripts use it: its exit code, and the one document it prints; and what `--ask` says to nobody.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { recordingPath, textOfRecording } from '../../scripts/recording.ts'
import { runBallast } from './run-ballast.ts'

const example = join(import.meta.dirname, '..', '..', 'examples', 'talos-homelab')
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast up ')) // a path with spaces
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const policySchema = z.looseObject({ spec: z.looseObject({}) })
let clusters = 0

/** The example with `more` in its policy's spec. */
function exampleWith(more: object): string {
  const cluster = join(folder, `cluster-${clusters++}`)
  for (const name of ['cluster', 'config']) cpSync(join(example, name), join(cluster, name), { recursive: true })
  const file = join(cluster, 'config', 'rebalance-policy.yaml')
  const policy = policySchema.parse(parse(readFileSync(file, 'utf8')))
  writeFileSync(file, stringify({ ...policy, spec: { ...policy.spec, ...more } }))
  return cluster
}

const nodeSchema = z.strictObject({
  node: z.string(),
  requestedMillicores: z.int(),
  requestedMi: z.int(),
  cpuRequested: z.int(),
  memoryRequested: z.int(),
  cpuUsed: z.int(),
  memoryUsed: z.int(),
  pods: z.int(),
  podsAllocatable: z.int(),
  goals: z.array(z.strictObject({ text: z.string(), isMet: z.boolean() })),
})
const documentSchema = z.strictObject({
  seed: z.int(),
  exitCode: z.int(),
  before: z.array(nodeSchema),
  after: z.array(nodeSchema),
  plans: z.array(z.looseObject({ name: z.string(), phase: z.string(), message: z.string() })),
  moves: z.array(
    z.looseObject({
      plan: z.string(),
      id: z.string(),
      pod: z.looseObject({ namespace: z.string(), name: z.string() }),
      from: z.string(),
      to: z.string(),
      step: z.looseObject({ state: z.string() }).optional(),
    }),
  ),
  permits: z.array(z.looseObject({ namespace: z.string(), name: z.string(), status: z.looseObject({}) })),
})
const goalsOf = (nodes: readonly z.infer<typeof nodeSchema>[]) => nodes.flatMap(({ goals }) => goals.map(({ isMet }) => isMet))

describe('up --once', () => {
  test('a plan that does not go on is left an hour after its foretold end, with what it waits for', async () => {
    const config = join(folder, 'frozen.yaml')
    writeFileSync(
      config,
      stringify({ apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration', arbiter: { freeze: 'audit' } }),
    )
    const { code, output } = await runBallast(['up', '--once', '--config', config])
    expect(output).toMatch(/not every goal is met: 0 moves .*plan talos-\w+ does not go on\. .*frozen by arbiter\.freeze: audit/)
    expect(code).toBe(3)
  })

  test('prints before, after, moves and permits as one document and ends with 0; the same seed gives the same bytes', async () => {
    const [first, second] = await Promise.all(
      [0, 1].map(() => runBallast(['up', '--once', '-o', 'json', '--seed', '7', '--cluster', example])),
    )
    const document = documentSchema.parse(JSON.parse(first?.output ?? ''))
    expect(document).toMatchObject({ seed: 7, exitCode: 0, plans: [{ phase: 'Succeeded' }] })
    expect(goalsOf(document.before)).toEqual([false, false])
    expect(goalsOf(document.after)).toEqual([true, true])
    expect(document.moves.map(({ step, to }) => `${step?.state} ${to}`)).toEqual(Array(15).fill('Landed talos03'))
    // Each move has one, and each node that is tainted while they land.
    expect(document.permits.length).toBeGreaterThanOrEqual(15)
    expect(first).toMatchObject({ code: 0, words: '' })
    expect(second?.output).toBe(first?.output)
  })

  test('the moving picture of the README shows what it prints; where it does not, `npm run recording` takes it anew', async () => {
    const run = await runBallast(['up', '--once'])
    expect(textOfRecording(readFileSync(recordingPath, 'utf8'))).toBe(run.output)
  })

  // biome-ignore format: a table
  test.each([
    // case                                     spec                                                             code  moves  says
    ['goals that a limit keeps out of reach',   { limits: { perPlan: 3 } },                                      3,    3,     /not every goal is met: 3 moves/],
    ['goals that nothing can meet',             { scope: { namespaces: { include: ['kube-system'] } } },         4,    0,     /not every goal is met: 0 moves/],
  ])('%s', async (_name, spec, code, moves, says) => {
    const cluster = exampleWith(spec)
    const run = await runBallast(['up', '--once', '-o', 'json', '--cluster', cluster])
    const document = documentSchema.parse(JSON.parse(run.output))
    expect({ code: run.code, exitCode: document.exitCode, moves: document.moves.length }).toEqual({ code, exitCode: code, moves })
    const told = await runBallast(['up', '--once', '--cluster', cluster])
    expect(told.output).toMatch(says)
    expect(told.code).toBe(code)
  })

  test('reads a cluster from a pipe', async () => {
    const { code, words } = await runBallast(
      ['up', '--once', '--cluster', '-'],
      'apiVersion: v1\nkind: Node\nmetadata: {name: a}\n',
    )
    expect(words).toContain('no RebalancePolicy in -')
    expect(code).toBe(2)
  })
})

describe('up --ask', () => {
  test('says that nobody approved when its input has ended, and moves nothing', async () => {
    const { code, words, output } = await runBallast(['up', '--ask', '--kubeconfig-out', join(folder, 'kubeconfig')])
    expect(words).toMatch(/nobody approved talos-\w+: standard input has ended/)
    expect(words).not.toMatch(/\n\s+at /)
    expect(output).not.toMatch(/approved, as|ready on/)
    expect(code).toBe(3)
  })
})
